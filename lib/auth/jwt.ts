import { decodeText } from '../wire/text.ts'
import { ClaimSet, refusal } from './claim-set.ts'
import { decodeBase64Url, isSignedBy, type KeyOwner } from './nkey.ts'

/** A NATS JWT whose signature is that of its issuer. Times are seconds since 1970, 0 where there is none. */
export interface Jwt {
  /** The public key that signed it. */
  readonly issuer: string
  readonly subject: string
  readonly name: string
  readonly issuedAt: number
  readonly expires: number
  readonly notBefore: number
  /** What is particular to the kind: the claim `nats`. */
  readonly nats: ClaimSet
}

// Whose key may sign which kind (jwt's ExpectedPrefixes).
const issuers: Record<KeyOwner, readonly KeyOwner[]> = {
  operator: ['operator'],
  account: ['account', 'operator'],
  user: ['account']
}

/** Of the jwt library, which nats-server reads them with. */
export const maxLength = 1024 * 1024

function decodeJson (chunk: string, what: string): ClaimSet {
  const bytes = decodeBase64Url(chunk)
  const json = bytes === null ? null : decodeText(bytes.toString('latin1'))
  if (json === null) throw refusal(`the ${what} of the JWT is no base64url of UTF-8`)
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw refusal(`the ${what} of the JWT is no JSON`)
  }
  return new ClaimSet(value)
}

/**
 * Decodes the JWT of an operator, account or user, and checks that its issuer signed it; whether that is one to trust
 * is another question, and so is the time (github.com/nats-io/jwt v2 decoder.go). Version 1, which nsc wrote until
 * 2021, is refused.
 *
 * @throws {NatsError} NATS_ERR_AUTHORIZATION with what is wrong
 */
export function decodeJwt (token: string, kind: KeyOwner): Jwt {
  if (token.length > maxLength) throw refusal('the JWT is longer than 1 MiB')
  const chunks = token.split('.')
  const [head = '', body = '', tail = ''] = chunks
  if (chunks.length !== 3) throw refusal('a JWT has three parts')
  const header = decodeJson(head, 'header')
  if (header.text('typ').toUpperCase() !== 'JWT') throw refusal('the JWT does not say that it is one')
  if (header.text('alg').toLowerCase() !== 'ed25519-nkey') throw refusal("the JWT's algorithm is not ed25519-nkey")
  const claims = decodeJson(body, 'body')
  const nats = claims.set('nats')
  if (nats.integer('version') !== 2) throw refusal('the JWT is not of version 2')
  if (nats.text('type') !== kind) throw refusal(`the JWT is not of the type ${kind}`)
  const issuer = claims.text('iss')
  const signature = decodeBase64Url(tail)
  if (signature === null || !issuers[kind].some((owner) => isSignedBy(issuer, owner, `${head}.${body}`, signature))) {
    throw refusal('the JWT is not signed by its issuer')
  }
  return {
    issuer,
    subject: claims.text('sub'),
    name: claims.text('name'),
    issuedAt: claims.integer('iat'),
    expires: claims.integer('exp'),
    notBefore: claims.integer('nbf'),
    nats
  }
}

/** @param now milliseconds since 1970. @throws {NatsError} outside the time of the JWT */
export function checkTime (jwt: Jwt, now: number): void {
  const seconds = Math.floor(now / 1000)
  if (jwt.expires > 0 && seconds > jwt.expires) throw refusal('the JWT has expired')
  if (jwt.notBefore > seconds) throw refusal('the JWT is not valid yet')
}
