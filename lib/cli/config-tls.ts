import { accessSync, constants } from 'node:fs'
import type { CertificateOptions, TlsOptions } from '../options/tls.ts'
import { loadIdentities, resolveTls } from '../transport/tls-options.ts'
import { isCipher } from '../transport/tls-names.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { parseDuration } from './durations.ts'

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
  pinned_certs: []
} as const

const ignored = [
  'insecure', 'verify_cert_and_check_known_urls', 'cert_store', 'cert_match_by', 'cert_match', 'ca_certs_match', 'cert_match_skip_invalid', 'ocsp_peer',
  'connection_rate_limit'
]

type Files = Readonly<Partial<Record<'cert_file' | 'key_file', ConfigNode>>>

function readFileName (reader: ConfigReader, node: ConfigNode | undefined): string | null {
  const name = reader.text(node)
  if (node === undefined || name === null) return null
  try {
    accessSync(name, constants.R_OK)
    return name
  } catch (error) {
    return reader.wrong(node, 'a file that can be read', `${JSON.stringify(name)} (${(error as Error).message})`)
  }
}

function readPair (reader: ConfigReader, node: ConfigNode, at: Files): CertificateOptions {
  if (!reader.text(at.cert_file) || !reader.text(at.key_file)) reader.problem(node, 'a certificate needs cert_file and key_file')
  return { certFile: readFileName(reader, at.cert_file), keyFile: readFileName(reader, at.key_file) }
}

function readCertificates (reader: ConfigReader, node: ConfigNode, at: Files & { readonly certs?: ConfigNode }): TlsOptions {
  if (at.certs === undefined) return readPair(reader, node, at)
  if (at.cert_file !== undefined || at.key_file !== undefined) reader.problem(node, 'cert_file and certs exclude each other')
  const certificates = reader.items(at.certs)?.map((item) => {
    const block = reader.block(item)
    return block === null ? {} : readPair(reader, item, reader.keys(block, '', { cert_file: [], key_file: [] }))
  }) ?? []
  if (certificates.length === 0) reader.wrong(at.certs, 'an array with at least one certificate', 'empty')
  return { certificates }
}

function readNames (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  if (node === undefined) return null
  const names = reader.items(node)?.map((item) => reader.text(item) ?? '') ?? null
  return names?.length === 0 ? reader.wrong(node, 'an array with at least one name', 'empty') : names
}

function readCiphers (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  const names = readNames(reader, node)
  const unknown = names?.find((name) => !isCipher(name))
  return node === undefined || unknown === undefined ? names : reader.wrong(node, "cipher suites that this Node has, named as Go's crypto/tls names them", JSON.stringify(unknown))
}

function readPinnedCerts (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  const hashes = reader.items(node)?.map((item) => {
    const hash = reader.text(item) ?? ''
    if (!/^[a-f0-9]{64}$/i.test(hash)) reader.wrong(item, 'a SHA-256 in hex')
    return hash
  })
  return hashes === undefined || hashes.length === 0 ? null : hashes
}

function readHandshakeFirst (reader: ConfigReader, node: ConfigNode | undefined): boolean | 'auto' | number | null {
  if (node === undefined) return null
  if (node.kind === 'boolean') return node.value
  const text = node.kind === 'string' ? node.value.toLowerCase() : ''
  if (text === 'auto' || text === 'auto_fallback') return 'auto'
  if (text === 'true' || text === 'on') return true
  if (text === 'false' || text === 'off') return false
  const time = parseDuration(text)
  return time !== null && time > 0 ? time : reader.wrong(node, 'true, false, auto or a duration')
}

function readMinVersion (reader: ConfigReader, node: ConfigNode | undefined): '1.2' | '1.3' | null {
  const version = reader.text(node)
  if (node === undefined || version === null || version === '1.2' || version === '1.3') return version as '1.2' | '1.3' | null
  return reader.wrong(node, '"1.2" or "1.3"')
}

function readTimeout (reader: ConfigReader, node: ConfigNode | undefined): number | null {
  const time = reader.duration(node, 'seconds')
  // As in nats-server, 0 stands for the default.
  return time === null || node === undefined || time === 0 ? null : time > 0 ? time : reader.wrong(node, 'a duration')
}

function dropNulls (options: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null))
}

/**
 * Reads a `tls` block, and the files that it names; `path` goes in front of keys that are not obeyed.
 *
 * @returns the option `tls`, without what the block does not say
 */
export function readTls (reader: ConfigReader, node: ConfigNode | undefined, path: string): TlsOptions | null {
  const block = reader.block(node)
  if (node === undefined || block === null) return null
  const at = reader.keys(block, path, known, ignored)
  const options: TlsOptions = dropNulls({
    ...readCertificates(reader, node, at),
    caFile: readFileName(reader, at.ca_file),
    verify: reader.flag(at.verify),
    verifyAndMap: reader.flag(at.verify_and_map),
    ciphers: readCiphers(reader, at.cipher_suites),
    curves: readNames(reader, at.curve_preferences),
    minVersion: readMinVersion(reader, at.min_version),
    timeout: readTimeout(reader, at.timeout),
    handshakeFirst: readHandshakeFirst(reader, at.handshake_first),
    pinnedCerts: readPinnedCerts(reader, at.pinned_certs)
  })
  if (!reader.isFaulty) tryIdentities(reader, node, options)
  return options
}

function tryIdentities (reader: ConfigReader, node: ConfigNode, options: TlsOptions): void {
  try {
    loadIdentities(resolveTls(options))
  } catch (error) {
    reader.problem(node, (error as Error).message)
  }
}
