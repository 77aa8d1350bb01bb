import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { NatsError } from '../errors.ts'
import type { OptionRow } from '../options.ts'
import type { CertificateOptions, Pem, TlsOptions } from '../options/tls.ts'
import { boolean, type Check, integer, listOf, optional, resolveRows, text } from './option-rows.ts'
import { cipherList, curveList, isCipher } from './tls-names.ts'

/** {@link TlsOptions} with every default filled in. Files are not read yet. */
export interface TlsSettings {
  readonly certificates: readonly CertificateOptions[]
  readonly ca: Pem | null
  readonly caFile: string | null
  readonly verify: boolean
  /** Whether the certificate of a client names its user. */
  readonly verifyAndMap: boolean
  readonly pinnedCerts: ReadonlySet<string> | null
  readonly ciphers: readonly string[] | null
  readonly curves: readonly string[] | null
  readonly minVersion: '1.2' | '1.3'
  /** Milliseconds for the handshake. */
  readonly timeout: number
  /** Milliseconds that the client has to begin the handshake before INFO comes in the clear: 0 for INFO at once, Infinity for never. */
  readonly handshakeFirst: number
  readonly allowNonTls: boolean
}

// server/const.go DEFAULT_TLS_HANDSHAKE_FIRST_FALLBACK_DELAY.
const autoFallback = 50
const maxTime = 2 ** 31 - 1

const pem: Check = {
  allowed: 'PEM, a string or a Buffer',
  test: (value) => (typeof value === 'string' && value !== '') || Buffer.isBuffer(value)
}
const file = text(/^[^\0]+$/, 'the name of a file')
const cipher: Check = {
  allowed: "a cipher suite that this Node has, named as Go's crypto/tls or OpenSSL names it",
  test: (value) => typeof value === 'string' && isCipher(value)
}
const certificate: Check = {
  allowed: "an object with 'cert' and 'key', or 'certFile' and 'keyFile'",
  test: (value) => typeof value === 'object' && value !== null && Object.keys(value).every((name) => /^(?:cert|key)(?:File)?$/.test(name))
}

/** One row an option of `tls`. */
export const tlsTable = {
  cert: { default: null, check: optional(pem), live: true, doc: 'Certificate of the server, with those that it is signed by.' },
  key: { default: null, check: optional(pem), live: true, doc: 'Its private key.' },
  certFile: { default: null, check: optional(file), key: 'tls.cert_file', live: true, doc: 'File with the certificate.' },
  keyFile: { default: null, check: optional(file), key: 'tls.key_file', live: true, doc: 'File with the key.' },
  certificates: { default: null, check: optional(listOf(certificate)), key: 'tls.certs', live: true, doc: 'Several certificates: the first that names the host that the client asks for counts, else the first.' },
  ca: { default: null, check: optional(pem), live: true, doc: 'Authorities that sign certificates of clients. Default those of Node.' },
  caFile: { default: null, check: optional(file), key: 'tls.ca_file', live: true, doc: 'File with these.' },
  verify: { default: false, check: boolean, key: 'tls.verify', live: true, doc: 'Whether clients need a certificate.' },
  verifyAndMap: { default: false, check: boolean, key: 'tls.verify_and_map', doc: 'Whether the e-mail address, DNS name, URI or subject of that certificate is the user; includes `verify`.' },
  pinnedCerts: { default: null, check: optional(listOf(text(/^[\da-f]{64}$/i, 'a SHA-256 in hex'))), key: 'tls.pinned_certs', live: true, doc: 'SHA-256 of the public keys (DER) that certificates of clients may have.' },
  ciphers: { default: null, check: optional(listOf(cipher)), key: 'tls.cipher_suites', live: true, doc: 'Cipher suites of TLS 1.2, the most wanted first. Default those of Node; those of TLS 1.3 are always on.' },
  curves: { default: null, check: optional(listOf(text(/^[\w-]+$/, 'the name of a curve'))), key: 'tls.curve_preferences', live: true, doc: 'Curves, the most wanted first.' },
  minVersion: { default: '1.2', check: text(/^1\.[23]$/, "'1.2' or '1.3'"), key: 'tls.min_version', live: true, doc: 'Oldest version of TLS.' },
  timeout: { default: 2000, check: integer(1, maxTime), key: 'tls.timeout', live: true, doc: 'Longest time for the handshake.' },
  handshakeFirst: { default: false, check: { allowed: `true, false, 'auto' or milliseconds from 1 to ${maxTime}`, test: (value) => typeof value === 'boolean' || value === 'auto' || integer(1, maxTime).test(value) }, key: 'tls.handshake_first', live: true, doc: "Whether the handshake comes before INFO: 'auto' if the client begins it within 50 ms, a number within so many." },
  allowNonTls: { default: false, check: boolean, key: 'allow_non_tls', live: true, doc: 'Whether clients may stay without TLS.' }
} as const satisfies Record<keyof TlsOptions, OptionRow>

function checkPair ({ cert, key, certFile, keyFile }: CertificateOptions, path: string): void {
  const given = [cert, certFile].filter((each) => each != null).length === 1 && [key, keyFile].filter((each) => each != null).length === 1
  const isRight = given && [cert, key].every((each) => each == null || pem.test(each)) && [certFile, keyFile].every((each) => each == null || file.test(each))
  if (!isRight) throw new NatsError('NATS_ERR_OPTION', path, 'incomplete', "one of 'cert' and 'certFile', and one of 'key' and 'keyFile'")
}

/**
 * Fills in the defaults and checks every value.
 *
 * @param path the name of the option, for errors
 * @throws {NatsError} NATS_ERR_OPTION or NATS_ERR_OPTION_UNKNOWN
 */
export function resolveTls (options: TlsOptions, path = 'tls'): TlsSettings {
  const { cert, key, certFile, keyFile, certificates, pinnedCerts, handshakeFirst, ...others } = resolveRows(path, tlsTable, options) as Required<TlsOptions>
  const pair = { cert, key, certFile, keyFile }
  const hasPair = Object.values(pair).some((value) => value !== null)
  if (hasPair && certificates !== null) throw new NatsError('NATS_ERR_OPTION', `${path}.certificates`, 'given beside another certificate', 'one of them')
  const all = certificates ?? [pair]
  all.forEach((each, i) => { checkPair(each, certificates === null ? path : `${path}.certificates[${i}]`) })
  if (all.length === 0) throw new NatsError('NATS_ERR_OPTION', `${path}.certificates`, 'empty', 'at least one certificate')
  if (others.ca !== null && others.caFile !== null) throw new NatsError('NATS_ERR_OPTION', `${path}.caFile`, "given beside 'ca'", 'one of them')
  return Object.freeze({
    ...others,
    verify: others.verify || others.verifyAndMap,
    certificates: all,
    pinnedCerts: pinnedCerts === null ? null : new Set(pinnedCerts.map((hash) => hash.toLowerCase())),
    handshakeFirst: handshakeFirst === 'auto' ? autoFallback : handshakeFirst === true ? Infinity : Number(handshakeFirst)
  })
}

/** A certificate ready for use. */
export interface Identity {
  readonly certificate: X509Certificate
  readonly options: SecureContextOptions
  readonly context: SecureContext
}

function read (path: string, name: string): Buffer {
  try {
    return readFileSync(name)
  } catch (error) {
    throw new NatsError('NATS_ERR_OPTION', path, `unreadable (${(error as Error).message})`, 'a file in PEM')
  }
}

/**
 * Reads the files and makes what a listener needs of them, one identity a certificate.
 *
 * @throws {NatsError} NATS_ERR_OPTION when a file cannot be read, or what is in it cannot be used
 */
export function loadIdentities (settings: TlsSettings, path = 'tls'): readonly [Identity, ...Identity[]] {
  const ca = settings.ca ?? (settings.caFile === null ? null : read(`${path}.caFile`, settings.caFile))
  const shared: SecureContextOptions = { minVersion: `TLSv${settings.minVersion}`, honorCipherOrder: true }
  if (ca !== null) shared.ca = ca
  if (settings.ciphers !== null) shared.ciphers = cipherList(settings.ciphers)
  if (settings.curves !== null) shared.ecdhCurve = curveList(settings.curves)
  return settings.certificates.map(({ cert, key, certFile, keyFile }) => {
    const pem = cert ?? read(`${path}.certFile`, certFile as string)
    const options = { ...shared, cert: pem, key: key ?? read(`${path}.keyFile`, keyFile as string) }
    try {
      return { certificate: new X509Certificate(pem), options, context: createSecureContext(options) }
    } catch (error) {
      throw new NatsError('NATS_ERR_OPTION', path, `unusable (${(error as Error).message})`, 'a certificate with its key, authorities and curves that OpenSSL takes')
    }
  }) as unknown as [Identity, ...Identity[]]
}
