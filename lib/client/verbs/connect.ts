import { NatsError } from '../../errors.ts'
import { parseConnect } from '../../wire/connect.ts'
import { OK } from '../../wire/serializer.ts'
import type { Client } from '../client.ts'
import { logIn, mount } from '../login.ts'

/** CONNECT (server/client.go processConnect); a client may send it again, with other options. */
export function connect (client: Client, json: string): void {
  const options = parseConnect(json, client.options)
  if (options === null) {
    client.fail(new NatsError('NATS_ERR_MALFORMED', 'CONNECT'))
    return
  }
  client.apply(options)
  admit(client, conflict, () => {
    if (options.verbose) client.outbox.write(OK)
  })
}

/** Lets a client in that does not send CONNECT, as anonymous, and then does what it sent (server/parser.go, OP_START). */
export function enter (client: Client, operation: () => void): void {
  if (client.services.authenticator.isAnnounced(client.arrival.rules)) {
    client.fail(new NatsError('NATS_ERR_AUTHORIZATION', 'an operation in front of CONNECT'))
    return
  }
  admit(client, () => null, operation)
}

const C = 0x43
const lowerCase = 0x20

/**
 * Looks at the first byte of a client that has to say who it is: with anything but CONNECT it is asked no further, and
 * nothing is kept of what it sends (server/parser.go, OP_START). The hooks of the host may let it in as anonymous.
 */
export function begin (client: Client, first: number): void {
  if (client.clock.isWaiting && (first & ~lowerCase) !== C) enter(client, () => {})
}

/** Asks who it is; lets the client in, or tells it why not. */
function admit (client: Client, conflict: (client: Client) => NatsError | null, then: () => void): void {
  client.clock.stopWaiting()
  client.gate.await<NatsError | null>((done) => { logIn(client, done) }, (error) => {
    const refused = error ?? conflict(client) ?? mount(client)
    if (refused === null) then()
    else client.fail(refused)
  })
}

/** What nats-server refuses whoever asks for it. */
function conflict (client: Client): NatsError | null {
  const { options } = client
  if (options.account !== '' || options.new_account) return new NatsError('NATS_ERR_AUTHORIZATION', 'CONNECT names an account')
  if (options.protocol !== 0 && options.protocol !== 1) return new NatsError('NATS_ERR_CLIENT_PROTOCOL', String(options.protocol))
  if (options.no_responders && !client.headers) return new NatsError('NATS_ERR_NO_RESPONDERS')
  return null
}
