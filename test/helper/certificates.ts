import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

// X.509 certificates with any names (RFC 5280), P-256.

function der (tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)

function objectIdentifier (text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap((number) => {
    const bytes = [number % 128]
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift(0x80 | left % 128)
    return bytes
  })))
}

const types: Record<string, string> = {
  CN: '2.5.4.3',
  SERIALNUMBER: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  STREET: '2.5.4.9',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  POSTALCODE: '2.5.4.17',
  DC: '0.9.2342.19200300.100.1.25'
}

/** Parts of a name, in the order of the certificate; `CN=x+OU=y` is one part with two pairs. */
function subject (parts: readonly string[]): Buffer {
  return sequence(...parts.map((part) => der(0x31, ...part.split('+').map((pair) => {
    const at = pair.indexOf('=')
    const type = pair.slice(0, at)
    return sequence(objectIdentifier(types[type] ?? type), der(type === 'DC' ? 0x16 : 0x0c, Buffer.from(pair.slice(at + 1))))
  }))))
}

export interface Names {
  readonly subject: readonly string[]
  readonly email?: readonly string[]
  readonly dns?: readonly string[]
  readonly uri?: readonly string[]
  readonly ip?: readonly number[]
}

export interface Certificate {
  readonly raw: Buffer
  readonly cert: string
  readonly key: string
}

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))

/** @param issuer null for one that signs itself, and may sign others */
export function createCertificate (names: Names, issuer: (Certificate & { readonly names: Names }) | null): Certificate & { readonly names: Names } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer: KeyObject = issuer === null ? privateKey : createPrivateKey(issuer.key)
  const texts = (tag: number, list: readonly string[] = []): Buffer[] => list.map((text) => der(tag, Buffer.from(text)))
  // In another order than that in which they are looked at.
  const alternative = [...texts(0x86, names.uri), ...texts(0x82, names.dns), ...names.ip === undefined ? [] : [der(0x87, Buffer.from(names.ip))], ...texts(0x81, names.email)]
  const extensions = [
    sequence(objectIdentifier('2.5.29.19'), der(0x01, Buffer.from([0xff])), der(0x04, sequence(...issuer === null ? [der(0x01, Buffer.from([0xff]))] : []))),
    ...alternative.length === 0 ? [] : [sequence(objectIdentifier('2.5.29.17'), der(0x04, sequence(...alternative)))]
  ]
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    subject((issuer?.names ?? names).subject),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    subject(names.subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions))
  )
  const signature = sign('sha256', body, signer)
  const raw = sequence(body, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature))
  const cert = `-----BEGIN CERTIFICATE-----\n${raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  return { raw, cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, names }
}
