import type { Bridge, Destination } from '../broker/bridge.ts'
import type { Facade } from '../broker/facade.ts'
import type { ConnectPacket, HostSubscription, PublishPacket } from '../broker/host.ts'
import type { HostLink } from '../broker/link.ts'
import { NatsError } from '../errors.ts'

// The policies of the host: its Aedes hooks, asked for NATS clients with the arguments they get for MQTT clients.

type Answer<T> = (error: Error | null, value: T) => void

/** Calls a hook of the host: one answer, and a throw is a refusal. */
function ask<T> (call: (answer: (error?: Error | null, value?: T) => void) => void, none: T, done: Answer<T>): void {
  let answered = false
  const answer = (error?: Error | null, value?: T): void => {
    if (answered) return
    answered = true
    done(error ?? null, value ?? none)
  }
  try {
    call(answer)
  } catch (error) {
    answer(error instanceof Error ? error : new Error(String(error)))
  }
}

export class HostHookPolicy {
  private readonly link: HostLink

  constructor (link: HostLink) {
    this.link = link
  }

  /** Whether the host asks for credentials. */
  get authenticates (): boolean {
    return !this.link.authenticatesByDefault
  }

  /** Whether `mayPublish` has to be asked; otherwise Aedes' own rule holds, `isReserved`. */
  get checksPublish (): boolean {
    return !this.link.publishesByDefault
  }

  /** Whether `forward` has to be asked. */
  get checksForward (): boolean {
    return !this.link.forwardsByDefault
  }

  /** `preConnect` and `authenticate`, in this order; `done` gets the error that refuses the connection. */
  connect (client: Facade, done: (error: NatsError | null) => void): void {
    const { broker } = this.link
    const { username, nats: { pass } } = client
    const packet: ConnectPacket = {
      cmd: 'connect', protocolId: 'NATS', protocolVersion: client.version, clean: true, clientId: client.id, keepalive: 0
    }
    if (username !== null) packet.username = username
    if (pass !== '') packet.password = Buffer.from(pass)
    ask<boolean>((answer) => { broker.preConnect(client, packet, answer) }, false, (error, ok) => {
      if (error !== null || !ok) done(refusal(error, 'preConnect'))
      else this.authenticate(client, done)
    })
  }

  /** `authenticate` alone, for a connection that sends CONNECT again. */
  authenticate (client: Facade, done: (error: NatsError | null) => void): void {
    const { username, nats: { pass } } = client
    const password = pass === '' ? undefined : Buffer.from(pass)
    ask<boolean | null>((answer) => { this.link.broker.authenticate(client, username ?? undefined, password, answer) }, false, (error, ok) => {
      done(error !== null || ok !== true ? refusal(error, 'authenticate') : null)
    })
  }

  /** `authorizePublish`. It may change the packet. */
  mayPublish (client: Facade, packet: PublishPacket, done: (error: Error | null) => void): void {
    ask<null>((answer) => { this.link.broker.authorizePublish(client, packet, answer) }, null, (error) => { done(error) })
  }

  // hot: once per message
  /** Aedes' own rule for publishes (lib defaultAuthorizePublish): nothing below `$SYS/`. */
  isReserved (bridge: Bridge, destination: Destination): boolean {
    if (bridge.isPlain) return destination.subject.startsWith('$SYS.')
    const topic = bridge.destinationTopic(destination)
    return topic !== null && topic.startsWith('$SYS/')
  }

  /** `authorizeSubscribe`; `done` gets null for a refusal, else the subscription, which may be another one. */
  maySubscribe (client: Facade, subscription: HostSubscription, done: (subscription: HostSubscription | null) => void): void {
    if (this.link.subscribesByDefault) {
      done(subscription)
      return
    }
    ask<HostSubscription | null>((answer) => { this.link.broker.authorizeSubscribe(client, subscription, answer) }, null, (error, granted) => {
      done(error === null && typeof granted === 'object' ? granted : null)
    })
  }

  /** `authorizeForward`, with a packet of its own; null when the client must not have it. */
  forward (client: Facade, packet: PublishPacket): PublishPacket | null {
    try {
      return this.link.broker.authorizeForward(client, packet) ?? null
    } catch {
      return null
    }
  }
}

function refusal (error: Error | null, hook: string): NatsError {
  return new NatsError('NATS_ERR_AUTHORIZATION', error?.message ?? `refused by ${hook}`)
}
