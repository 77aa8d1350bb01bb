import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import { NatsError } from '../errors.ts'
import type { ConnectOptions } from '../wire/connect.ts'
import type { Done, HostBroker, PublishPacket } from './host.ts'

/** The NATS connection behind a facade, as far as the host can reach it. */
export interface FacadeTarget {
  /** Ends the connection; `takenOver` when another one has its id now. */
  end (takenOver: boolean): void
  /** Delivers a packet of the host to the subscriptions of this connection alone that match it. */
  deliver (packet: PublishPacket): void
  /** Ends the subscriptions of these topic filters. */
  unsubscribe (topicFilters: readonly string[]): void
}

interface FacadeSubscription {
  readonly qos: 0
  /** How many sids there are with this filter. */
  count: number
}

type Unsubscriptions = string | readonly string[] | { unsubscriptions: readonly string[] }

/**
 * A NATS connection as the host sees it: in hooks, events and `broker.clients`. It has the shape of an Aedes client,
 * and the options of CONNECT (`nats`).
 */
export class Facade extends EventEmitter {
  readonly protocol = 'nats'
  /** Fixed once the host has seen it. */
  id: string
  readonly broker: HostBroker
  readonly conn: Duplex
  readonly req: IncomingMessage | undefined
  /** What CONNECT said, credentials included. */
  nats: Readonly<ConnectOptions>
  /** As far as it is known; null for nobody. */
  username: string | null = null
  // NATS connections have no session; 4 is MQTT 3.1.1, the version that every policy knows.
  readonly clean = true
  readonly version = 4
  readonly will = null
  connecting = false
  connected = false
  closed = false
  errored = false
  readonly subscriptions: Record<string, FacadeSubscription> = Object.create(null)
  // Aedes empties it at the birth of another node.
  readonly duplicates: Record<string, number> = Object.create(null)
  private readonly target: FacadeTarget
  private registered = false

  constructor (broker: HostBroker, id: string, conn: Duplex, req: IncomingMessage | undefined, nats: Readonly<ConnectOptions>, target: FacadeTarget) {
    super()
    this.broker = broker
    this.id = id
    this.conn = conn
    this.req = req
    this.nats = nats
    this.target = target
    // As in Aedes: an 'error' that nobody listens to must not end the process.
    this.on('error', () => { this.close() })
  }

  /** Ends a client whose id is another one's now, where it is a NATS connection. */
  static takeOver (client: unknown): void {
    if (client instanceof Facade) client.target.end(true)
  }

  /** Makes the connection one of the broker's clients. */
  register (): void {
    // Aedes 1 closes who has the id as the host does, without a word why.
    Facade.takeOver(this.broker.clients[this.id])
    this.registered = true
    this.broker.registerClient(this)
    this.connecting = false
    this.connected = true
    this.broker.emit('clientReady', this)
    this.emit('connected')
  }

  /** Takes it out again, once. */
  unregister (): void {
    this.closed = true
    this.connected = false
    this.connecting = false
    if (!this.registered) return
    this.registered = false
    // Another connection may have taken the id over.
    if (this.broker.clients[this.id] === (this as object)) this.broker.unregisterClient(this)
  }

  /** Tells the host of an error of this connection. */
  report (error: Error): void {
    this.errored = true
    this.broker.emit(this.registered ? 'clientError' : 'connectionError', this, error)
  }

  subscribed (topics: readonly string[], queue: string | null): void {
    for (const topic of topics) {
      const known = this.subscriptions[topic]
      if (known === undefined) this.subscriptions[topic] = { qos: 0, count: 1 }
      else known.count++
    }
    this.broker.emit('subscribe', topics.map((topic) => queue === null ? { topic, qos: 0 } : { topic, qos: 0, queue }), this)
  }

  unsubscribed (topics: readonly string[]): void {
    for (const topic of topics) {
      const known = this.subscriptions[topic]
      if (known !== undefined && --known.count === 0) delete this.subscriptions[topic]
    }
    this.broker.emit('unsubscribe', topics, this)
  }

  // What hosts call.

  publish (packet: PublishPacket, done: Done = nothing): void {
    if (!this.closed) this.target.deliver(packet)
    setImmediate(done)
  }

  subscribe (_subscriptions: unknown, done: Done = nothing): void {
    setImmediate(done, new NatsError('NATS_ERR_SUBSCRIBE'))
  }

  unsubscribe (topics: Unsubscriptions, done: Done = nothing): void {
    const list = typeof topics === 'object' && 'unsubscriptions' in topics ? topics.unsubscriptions : topics
    this.target.unsubscribe(typeof list === 'string' ? [list] : list)
    setImmediate(done)
  }

  /** Ends the connection; it is unregistered when `done` is called. */
  close (done: () => void = nothing): void {
    this.target.end(false)
    done()
  }

  disconnect (options?: object | (() => void), done?: () => void): void {
    this.close(typeof options === 'function' ? options as () => void : done)
  }

  emptyOutgoingQueue (done: Done = nothing): void {
    setImmediate(done)
  }
}

function nothing (): void {}
