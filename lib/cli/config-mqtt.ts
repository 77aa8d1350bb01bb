import { Authenticator } from '../auth/authenticator.ts'
import type { AuthorizationOption } from '../options/authorization.ts'
import { readListenerAuthorization } from './config-authorization.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { type MqttAccessOption, mqttRules } from './mqtt-access.ts'

/** What a configuration file says of MQTT. */
export interface MqttSettings {
  readonly host: string | null
  /** Null is MQTT's usual one. */
  readonly port: number | null
  readonly access: MqttAccessOption
}

const known = { listen: [], host: ['net'], port: [], authorization: ['authentication'], no_auth_user: [] } as const

const ignored = [
  'tls', 'ack_wait', 'ackwait', 'max_ack_pending', 'max_pending', 'max_inflight', 'js_domain', 'stream_replicas', 'consumer_replicas',
  'consumer_memory_storage', 'consumer_inactive_threshold', 'consumer_auto_cleanup', 'reject_qos2_publish', 'downgrade_qos2_subscribe'
]

function readAccess (reader: ConfigReader, at: Partial<Record<keyof typeof known, ConfigNode>>): MqttAccessOption {
  const { timeout, ...credentials } = readListenerAuthorization(reader, 'mqtt.authorization.', at)
  const { user, pass, token, noAuthUser } = credentials
  // nats-server then asks for nothing.
  if (at.authorization !== undefined && pass !== null && user === null) reader.problem(at.authorization, 'a password needs a user')
  return { credentials: user === null && token === null && noAuthUser === null ? null : credentials, timeout }
}

/** Reads an `mqtt` block. @param authorization what holds where the block has none of its own */
export function readMqtt (reader: ConfigReader, node: ConfigNode | undefined, authorization: AuthorizationOption | null): MqttSettings | null {
  const block = reader.block(node)
  if (node === undefined || block === null) return null
  const at = reader.keys(block, 'mqtt.', known, ignored)
  const listen = reader.listen(at.listen)
  const port = reader.port(at.port)
  const access = readAccess(reader, at)
  if (access.credentials !== null && !reader.isFaulty) check(reader, at.authorization ?? at.no_auth_user ?? node, authorization, access)
  return { host: listen?.host ?? (reader.text(at.host) || null), port: listen?.port ?? port, access }
}

function check (reader: ConfigReader, node: ConfigNode, authorization: AuthorizationOption | null, access: MqttAccessOption): Authenticator | null {
  try {
    return new Authenticator(authorization, [mqttRules(access)])
  } catch (error) {
    return reader.problem(node, (error as Error).message)
  }
}
