import { NatsError } from '../errors.ts'
import type { TlsOptions } from '../options/tls.ts'
import { loadIdentities, resolveTls } from '../transport/tls-options.ts'
import type { FlagValues } from './flags.ts'

/**
 * The option `tls`, of the flags and, for what they leave out, of the configuration file. Any of the flags turns TLS on,
 * except `--tls=false`, which turns it off whatever the file says (server/opts.go ConfigureOptions).
 *
 * @throws {NatsError} NATS_ERR_CONFIG; NATS_ERR_OPTION when a file cannot be read or used
 */
export function tlsOf (file: TlsOptions | null, { tls, tlscert, tlskey, tlsverify, tlscacert }: FlagValues): TlsOptions | null {
  if (tls === false) return null
  if (!tls && !tlscert && !tlskey && tlsverify === undefined && !tlscacert) return file
  const { certFile, keyFile, certificates, ...others } = file ?? {}
  const options: TlsOptions = { ...others, ...tlsverify !== undefined && { verify: tlsverify }, ...tlscacert && { caFile: tlscacert } }
  if (!tlscert && !tlskey && certificates != null) {
    options.certificates = certificates
  } else {
    options.certFile = tlscert || certFile || null
    options.keyFile = tlskey || keyFile || null
    if (options.certFile === null || options.keyFile === null) throw new NatsError('NATS_ERR_CONFIG', 'TLS needs a certificate with its key: --tlscert <file> --tlskey <file>')
  }
  loadIdentities(resolveTls(options))
  return options
}
