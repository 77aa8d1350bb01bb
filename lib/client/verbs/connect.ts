import { NatsError } from '../../errors.ts'
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
  const { policy } = client.services
  client.gate.await<NatsError | null>((done) => {
    if (client.state === 'new') policy.connect(client.facade, done)
    else policy.authenticate(client.facade, done)
  }, (error) => {
    const refused = error ?? conflict(client)
    if (refused !== null) {
      client.fail(refused)
      return
    }
    if (client.state === 'new') client.admit()
    if (options.verbose) client.outbox.write(OK)
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

/** Lets a client in that does not send CONNECT, as anonymous, and then does what it sent. */
export function enter (client: Client, operation: () => void): void {
  const { policy } = client.services
  client.gate.await<NatsError | null>((done) => { policy.connect(client.facade, done) }, (error) => {
    if (error !== null) {
      client.fail(error)
      return
    }
    client.admit()
    operation()
  })
}
