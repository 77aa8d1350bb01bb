import { Authenticator } from '../auth/authenticator.ts'
import type { Client } from '../client/client.ts'
import { awaitLogIn } from '../client/login.ts'
import type { Services } from '../client/services.ts'
import { recheck } from '../client/standing.ts'
import { NatsError } from '../errors.ts'
import { type GatewayOptions, optionTable, type OptionRow, type ResolvedOptions, resolveOptions } from '../options.ts'
import { checkListeners, type Listeners, type ListenerSettings } from './listeners.ts'

/** Whoever tells who clients are, by the options. @throws {NatsError} NATS_ERR_OPTION */
export function createAuthenticator ({ authorization, logger }: ResolvedOptions, { tcpRules, websocketRules }: ListenerSettings): Authenticator {
  const authenticator = new Authenticator(authorization, [tcpRules, websocketRules])
  for (const warning of authenticator.warnings) logger.warn({}, warning)
  return authenticator
}

/** The options with some changed. @throws {NatsError} NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN */
function changed (before: ResolvedOptions, changes: GatewayOptions): ResolvedOptions {
  const table: Record<string, OptionRow> = optionTable
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    if (Object.hasOwn(table, name) && table[name]?.live === undefined && value !== before[name as keyof ResolvedOptions]) {
      throw new NatsError('NATS_ERR_OPTION', name, 'fixed while the gateway runs', Object.keys(table).filter((key) => table[key]?.live).join(', '))
    }
  }
  return resolveOptions({ ...before, ...Object.fromEntries(given) })
}

/**
 * Puts changed options into effect for all connections. Where they change who may connect, whoever is not let in any
 * more is closed, and subscriptions that are not allowed any more end.
 *
 * @throws {NatsError} NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN; nothing has changed then
 */
export function reload (services: Services, listeners: Listeners, clients: ReadonlyMap<number, Client>, changes: GatewayOptions): void {
  const options = changed(services.options, changes)
  const settings = checkListeners(options)
  const isAnother = changes.authorization !== undefined || listeners.changesRules(settings)
  const authenticator = isAnother ? createAuthenticator(options, settings) : null
  listeners.reconfigure(options, services.options, settings)
  services.options = options
  const { replies } = services.spaces
  if (replies !== null) replies.timeout = options.replyTimeout
  for (const client of clients.values()) client.reconfigure()
  if (authenticator === null) return
  services.authenticator = authenticator
  for (const client of [...clients.values()]) {
    recheck(client)
    awaitLogIn(client)
  }
}
