import net from 'node:net'
import type { Attempt } from '../../lib/auth/attempt.ts'
import type { Authenticator } from '../../lib/auth/authenticator.ts'
import type { Permissions } from '../../lib/auth/permissions.ts'
import { NatsError } from '../../lib/errors.ts'
import { defaultConnectOptions, parseConnect } from '../../lib/wire/connect.ts'
import type { Teardown } from '../helper/brokers.ts'
import { RawClient } from '../helper/raw.ts'
import { tcp } from './attempts.ts'

// What nats-server and the authenticator say to the same CONNECT.

/** A client of nats-server that has read INFO. */
export async function open (t: Teardown, port: number): Promise<RawClient & { info: Record<string, unknown> }> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  const client = new RawClient(socket)
  const line = await client.expect(/INFO [^\r\n]*\r\n/)
  return Object.assign(client, { info: JSON.parse(line.slice(5)) as Record<string, unknown> })
}

export type Options = Record<string, unknown>

/** What a client gets for its CONNECT. */
export async function theirs (client: RawClient, options: Options): Promise<string> {
  client.send(`CONNECT ${JSON.stringify({ pedantic: false, ...options, verbose: true })}\r\n`)
  return await client.expect(/(\+OK|-ERR '[^']*')\r\n/)
}

export async function ours (to: Authenticator, options: Options, rest: Partial<Attempt> & Pick<Attempt, 'nonce'>): Promise<{ answer: string, permissions: Permissions | null }> {
  const connect = parseConnect(JSON.stringify(options), defaultConnectOptions) ?? defaultConnectOptions
  const result = await to.authenticate({ listener: tcp, certificate: null, address: '127.0.0.1', meetsHooks: false, before: null, isOpen: () => true, options: connect, ...rest })
  return result instanceof NatsError ? { answer: `-ERR '${result.wire}'\r\n`, permissions: null } : { answer: '+OK\r\n', permissions: result.permissions }
}
