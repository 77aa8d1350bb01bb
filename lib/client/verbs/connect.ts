import { connectionId } from '../../broker/identity.ts'
import { NatsError } from '../../errors.ts'
import { mountpointOf } from '../../subject/mountpoint.ts'
import { fillPlaceholders } from '../../subject/placeholders.ts'
import { parseConnect } from '../../wire/connect.ts'
import { OK } from '../../wire/serializer.ts'
import type { Client } from '../client.ts'

/** CONNECT (server/client.go processConnect); a client may send it again, with other options. */
export function connect (client: Client, json: string): void {
  const options = parseConnect(json, client.options)
  if (options === null) {
    client.fail(new NatsError('NATS_ERR_MALFORMED', 'CONNECT'))
    return
  }
  client.apply(options)
  if (client.state === 'new') identify(client)
  admit(client, conflict, () => {
    if (options.verbose) client.outbox.write(OK)
  })
}

/** Gives the client the id that the option `clientId` makes of what it says; one that says nothing keeps its random one. */
function identify (client: Client): void {
  const { clientId } = client.services.options
  if (clientId === '') return
  const { user: username, name } = client.options
  const id = fillPlaceholders(clientId, { username, name })
  if (id !== null) client.facade.id = connectionId(id)
}

/** Lets a client in that does not send CONNECT, as anonymous, and then does what it sent. */
export function enter (client: Client, operation: () => void): void {
  admit(client, () => null, operation)
}

/** Asks the host; lets the client in, or tells it why not. */
function admit (client: Client, conflict: (client: Client) => NatsError | null, then: () => void): void {
  const { policy } = client.services
  client.gate.await<NatsError | null>((done) => {
    if (client.state === 'new') policy.connect(client.facade, done)
    else policy.authenticate(client.facade, done)
  }, (error) => {
    const refused = error ?? conflict(client) ?? mount(client)
    if (refused === null) then()
    else client.fail(refused)
  })
}

/** Puts the client where its subjects are. It stays there. */
function mount (client: Client): NatsError | null {
  const { options: { user, name }, address, facade } = client
  const mountpoint = mountpointOf(client.mountpoint, { username: user, clientid: facade.id, name, host: address })
  if (mountpoint === null) return new NatsError('NATS_ERR_AUTHORIZATION', `nothing to fill ${client.mountpoint} with`)
  if (client.state === 'new') client.admit(mountpoint)
  else if (mountpoint !== client.space.mountpoint) return new NatsError('NATS_ERR_AUTHORIZATION', `another CONNECT leads from ${client.space.mountpoint} to ${mountpoint}`)
  return null
}

/** What nats-server refuses whoever asks for it. */
function conflict (client: Client): NatsError | null {
  const { options } = client
  if (options.account !== '' || options.new_account) return new NatsError('NATS_ERR_AUTHORIZATION', 'CONNECT names an account')
  if (options.protocol !== 0 && options.protocol !== 1) return new NatsError('NATS_ERR_CLIENT_PROTOCOL', String(options.protocol))
  if (options.no_responders && !client.headers) return new NatsError('NATS_ERR_NO_RESPONDERS')
  return null
}
