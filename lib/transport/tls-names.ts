import { getCiphers } from 'node:tls'

const known: ReadonlySet<string> = new Set(getCiphers())

// nats-server takes the names of TLS 1.3 but Go always offers all three (crypto/tls Config.CipherSuites).
const always = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

// server/opts.go curvePreferenceMap.
const curves: Readonly<Record<string, string>> = { CurveP256: 'P-256', CurveP384: 'P-384', CurveP521: 'P-521' }

/**
 * The name that OpenSSL has for a cipher suite of Go's crypto/tls, which nats-server's configuration names:
 * `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256`. Names of OpenSSL stay as they are.
 */
function openSslName (name: string): string {
  const match = /^TLS_(\w+)_WITH_(\w+)$/.exec(name)
  if (match === null) return name
  const [, exchange = '', cipher = ''] = match
  const parts = cipher
    .replace(/^(AES)_(\d+)_CBC/, '$1$2')
    .replace(/^(AES)_(\d+)/, '$1$2')
    .replace(/^CHACHA20_POLY1305_SHA256$/, 'CHACHA20_POLY1305')
  return `${exchange === 'RSA' ? '' : `${exchange}_`}${parts}`.replaceAll('_', '-')
}

/** Whether this Node has a cipher suite. */
export function isCipher (name: string): boolean {
  return known.has(openSslName(name).toLowerCase())
}

/** What Node's option `ciphers` takes, most wanted first. */
export function cipherList (names: readonly string[]): string {
  return [...always, ...names.filter((name) => !always.includes(name)).map(openSslName)].join(':')
}

/** What Node's option `ecdhCurve` takes, most wanted first. */
export function curveList (names: readonly string[]): string {
  return names.map((name) => curves[name] ?? name).join(':')
}
