/** Text or bytes in PEM. */
export type Pem = string | Buffer

/** A certificate with its key, each as PEM or as the name of a file with it. */
export interface CertificateOptions {
  cert?: Pem | null
  key?: Pem | null
  certFile?: string | null
  keyFile?: string | null
}

/** How a listener does TLS; all but a certificate may be left out. `tlsTable` in transport/tls-options.ts says what each means. */
export interface TlsOptions extends CertificateOptions {
  certificates?: readonly CertificateOptions[] | null
  ca?: Pem | null
  caFile?: string | null
  verify?: boolean
  verifyAndMap?: boolean
  pinnedCerts?: readonly string[] | null
  ciphers?: readonly string[] | null
  curves?: readonly string[] | null
  minVersion?: '1.2' | '1.3'
  timeout?: number
  handshakeFirst?: boolean | 'auto' | number
  allowNonTls?: boolean
}
