import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { parseDuration } from './durations.ts'

/** The files of a certificate and its key. */
export interface CertificatePair {
  readonly certFile: string
  readonly keyFile: string
}

/** A `tls` block. Files are not read yet; names of ciphers and curves are Go's. */
export interface TlsSettings {
  readonly certificates: readonly CertificatePair[]
  readonly caFile: string | null
  /** Whether clients need a certificate. */
  readonly verify: boolean
  /** Whether the certificate of a client names its user. */
  readonly verifyAndMap: boolean
  readonly cipherSuites: readonly string[] | null
  readonly curvePreferences: readonly string[] | null
  readonly minVersion: '1.2' | '1.3' | null
  /** Milliseconds for the handshake. */
  readonly timeout: number | null
  /** Whether the handshake comes before INFO: never, always, or always if it begins within so many milliseconds. */
  readonly handshakeFirst: boolean | number
  /** New connections per second. */
  readonly connectionRateLimit: number | null
  /** SHA-256 fingerprints of the certificates that clients may have, in lower-case hex. */
  readonly pinnedCerts: readonly string[] | null
}

const known = {
  cert_file: [],
  key_file: [],
  ca_file: [],
  certs: ['certificates'],
  verify: [],
  verify_and_map: [],
  cipher_suites: [],
  curve_preferences: [],
  min_version: [],
  timeout: [],
  handshake_first: ['first', 'immediate'],
  connection_rate_limit: [],
  pinned_certs: []
} as const

const ignored = [
  'insecure', 'verify_cert_and_check_known_urls', 'cert_store', 'cert_match_by', 'cert_match', 'ca_certs_match', 'cert_match_skip_invalid', 'ocsp_peer'
]

// server/const.go DEFAULT_TLS_HANDSHAKE_FIRST_FALLBACK_DELAY.
const handshakeFallback = 50

function readPair (reader: ConfigReader, node: ConfigNode, at: { readonly cert_file?: ConfigNode, readonly key_file?: ConfigNode }): CertificatePair | null {
  const certFile = reader.text(at.cert_file)
  const keyFile = reader.text(at.key_file)
  if (certFile && keyFile) return { certFile, keyFile }
  return reader.problem(node, 'a certificate needs cert_file and key_file')
}

function readCertificates (reader: ConfigReader, node: ConfigNode, at: Partial<Record<keyof typeof known, ConfigNode>>): CertificatePair[] {
  const pairs = reader.items(at.certs)?.flatMap((item) => {
    const block = reader.block(item)
    return (block !== null && readPair(reader, item, reader.keys(block, '', { cert_file: [], key_file: [] }))) || []
  }) ?? []
  if (at.cert_file === undefined && at.key_file === undefined) return pairs
  if (pairs.length > 0) reader.problem(node, 'cert_file and certs exclude each other')
  return [readPair(reader, node, at) ?? [], pairs].flat()
}

function readNames (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  if (node === undefined) return null
  const names = reader.items(node)?.map((item) => reader.text(item) ?? '') ?? null
  return names?.length === 0 ? reader.wrong(node, 'an array with at least one name', 'empty') : names
}

function readPinnedCerts (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  const hashes = reader.items(node)?.map((item) => {
    const hash = reader.text(item)?.toLowerCase() ?? ''
    if (!/^[a-f0-9]{64}$/.test(hash)) reader.wrong(item, 'a SHA-256 in hex')
    return hash
  })
  return hashes === undefined || hashes.length === 0 ? null : hashes
}

function readHandshakeFirst (reader: ConfigReader, node: ConfigNode | undefined): boolean | number {
  if (node === undefined) return false
  if (node.kind === 'boolean') return node.value
  const text = node.kind === 'string' ? node.value.toLowerCase() : ''
  if (text === 'auto' || text === 'auto_fallback') return handshakeFallback
  if (text === 'true' || text === 'on') return true
  if (text === 'false' || text === 'off') return false
  return parseDuration(text) ?? reader.wrong(node, 'true, false, auto or a duration') ?? false
}

function readMinVersion (reader: ConfigReader, node: ConfigNode | undefined): '1.2' | '1.3' | null {
  const version = reader.text(node)
  if (node === undefined || version === null || version === '1.2' || version === '1.3') return version as '1.2' | '1.3' | null
  return reader.wrong(node, '"1.2" or "1.3"')
}

/** Reads a `tls` block; `path` goes in front of keys that are not obeyed. */
export function readTls (reader: ConfigReader, node: ConfigNode | undefined, path: string): TlsSettings | null {
  const block = reader.block(node)
  if (node === undefined || block === null) return null
  const at = reader.keys(block, path, known, ignored)
  const verifyAndMap = reader.flag(at.verify_and_map) ?? false
  return {
    certificates: readCertificates(reader, node, at),
    caFile: reader.text(at.ca_file),
    verify: reader.flag(at.verify) || verifyAndMap,
    verifyAndMap,
    cipherSuites: readNames(reader, at.cipher_suites),
    curvePreferences: readNames(reader, at.curve_preferences),
    minVersion: readMinVersion(reader, at.min_version),
    timeout: reader.duration(at.timeout, 'seconds'),
    handshakeFirst: readHandshakeFirst(reader, at.handshake_first),
    connectionRateLimit: reader.integer(at.connection_rate_limit),
    pinnedCerts: readPinnedCerts(reader, at.pinned_certs)
  }
}
