import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import { NatsError } from '../errors.ts'
import { type Done, type HostBroker, type HostHooks, type MqListener, type PacketProperties, type PublishPacket, defaultHooks } from './host.ts'
import { ForeignInterest } from './foreign.ts'
import { laneId } from './identity.ts'
import { ListenedTopics } from './listened-topics.ts'
import { isForMqttAlone } from './mqtt-hooks.ts'
import { installWraps, type WrapOptions, type Wraps } from './wraps.ts'

// A second gateway would take the packets of the first for its own.
const taken = new WeakSet<HostBroker>()

/** What is known of who listens on other nodes. */
export interface OtherNodes {
  /** Grows whenever the answer of `mayListen` may have changed. */
  readonly generation: number
  /** Whether something besides gateways may listen to a subject there. @param isAlive leaves out nodes that count as dead */
  mayListen (subject: string, isAlive: boolean): boolean
  /** Calls back once they know what is listened to here by now. */
  whenTold (callback: () => void): void
  /** Whether what a broker publishes comes another way than by the queue. */
  isCovered (brokerId: string): boolean
}

interface Waiting {
  readonly registration: number
  readonly callback: () => void
}

/**
 * The tie to one broker: which of its hooks are the host's, who listens to a topic besides us, and what became of
 * the listeners and publishes that we handed to it.
 */
export class HostLink {
  readonly broker: HostBroker
  readonly laneId: string
  /** Whether other nodes may share the queue: then nobody here can know who listens. */
  readonly shared: boolean
  /** Null while nothing is known of other nodes. */
  others: OtherNodes | null = null
  /** Told of each filter, as a subject, that something besides the gateway begins to listen to here, or ends. */
  onListened: ((filter: string, isListened: boolean) => void) | null = null
  /** Told of each packet that this broker hands to a shared queue. */
  onEmit: ((packet: PublishPacket) => void) | null = null
  /** Told of each packet of a client on a topic where gateways talk to each other. */
  onForged: ((client: string) => void) | null = null
  private readonly defaults: Partial<HostHooks>
  /** Null where the queue does not tell. */
  private readonly foreign: ForeignInterest | null
  private readonly own = new WeakSet<MqListener>()
  private readonly topics = new ListenedTopics((subject) => this.hasListener(subject))
  private readonly wraps: Wraps
  private registrations = 0
  private readonly pending = new Set<number>()
  private waiting: Waiting[] = []

  /**
   * @param options `deadline` is 5,000 unless told
   * @throws {NatsError} NATS_ERR_BROKER when the broker has a gateway
   */
  constructor (broker: HostBroker, { confirm = false, redis = null, deadline = 5000 }: Partial<WrapOptions> = {}) {
    if (taken.has(broker)) throw new NatsError('NATS_ERR_BROKER', 'the Aedes broker has a NATS gateway already: close it first')
    taken.add(broker)
    this.broker = broker
    this.laneId = laneId(broker.id)
    this.shared = broker.mq.constructor.name !== 'MQEmitter'
    this.foreign = typeof broker.mq._matcher?.visit !== 'function' ? null : new ForeignInterest(broker.mq._matcher)
    if (this.foreign !== null) this.foreign.onChange = (filter, isListened) => { this.onListened?.(filter, isListened) }
    this.defaults = defaultHooks(broker)
    this.wraps = installWraps(broker, this.shared, { confirm, redis, deadline }, {
      added: (topicFilter, listener) => {
        const live = this.register()
        if (this.own.has(listener)) {
          return (done) => {
            live()
            done()
          }
        }
        this.foreign?.add(topicFilter, listener)
        return (done) => {
          live()
          // What nobody is known to listen to does not leave the other nodes.
          if (this.others === null) done()
          else this.others.whenTold(done)
        }
      },
      removed: (topicFilter, listener) => { this.foreign?.remove(topicFilter, listener) },
      removedAll: (topicFilter) => { this.foreign?.removeAll(topicFilter) },
      refused: () => {},
      isOwn: (listener) => this.own.has(listener),
      emitted: (packet) => {
        this.onEmit?.(packet)
        return this.others === null || this.topics.has(packet.topic, this.generation)
      }
    })
  }

  close (): void {
    this.wraps.undo()
    taken.delete(this.broker)
  }

  /**
   * Resolves when Redis has answered all that it was asked to store; after `close`, nothing more comes.
   *
   * @param patience how long that may take, in milliseconds: a Redis that is away never answers
   */
  async settled (patience: number): Promise<void> {
    // mqemitter forgets a listener in the next turn: whoever looks who listens to `$SYS/#` then finds the host's alone.
    if (this.shared) await setImmediate()
    await Promise.race([this.wraps.settled(), delay(patience, undefined, { ref: false })])
  }

  // Whether the host left a hook as Aedes has it for NATS clients; it may set one at any time.

  get authenticatesByDefault (): boolean {
    const { authenticate } = this.broker
    return authenticate === this.defaults.authenticate || isForMqttAlone(authenticate)
  }

  get publishesByDefault (): boolean {
    const { authorizePublish } = this.wraps
    return authorizePublish === this.defaults.authorizePublish || isForMqttAlone(authorizePublish)
  }

  get subscribesByDefault (): boolean {
    const { authorizeSubscribe } = this.broker
    return authorizeSubscribe === this.defaults.authorizeSubscribe || isForMqttAlone(authorizeSubscribe)
  }

  get forwardsByDefault (): boolean {
    const { authorizeForward } = this.broker
    return authorizeForward === this.defaults.authorizeForward || isForMqttAlone(authorizeForward)
  }

  /** Whether something wants to see every publish, whatever its topic. */
  get isObserved (): boolean {
    return this.broker.listenerCount('publish') > 0 || this.broker.published !== this.defaults.published
  }

  /** Grows whenever the answer of `hasListener` may have changed. */
  get generation (): number {
    return (this.foreign === null ? 0 : this.foreign.generation) + (this.others === null ? 0 : this.others.generation)
  }

  /**
   * Whether somebody besides gateways may listen to a subject: MQTT clients, the host, other nodes.
   *
   * @param isAlive leaves out nodes that count as dead
   */
  hasListener (subject: string, isAlive = false): boolean {
    if (this.foreign === null || this.foreign.matches(subject)) return true
    return this.shared && (this.others === null || this.others.mayListen(subject, isAlive))
  }

  /** The filters, as subjects, that something besides the gateway listens to here; all where the queue does not tell. */
  listenedSubjects (): Iterable<string> {
    return this.foreign === null ? ['>'] : this.foreign.subjects()
  }

  /** Hands the queue what no client is to hear, past Aedes. */
  emitReserved (topic: string, payload: Buffer, done: Done): void {
    this.wraps.emit({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false, brokerId: this.laneId }, done)
  }

  listen (topicFilter: string, listener: MqListener): void {
    this.own.add(listener)
    this.broker.subscribe(topicFilter, listener, nothing)
  }

  unlisten (topicFilter: string, listener: MqListener): void {
    this.broker.unsubscribe(topicFilter, listener, nothing)
  }

  // Registrations with a shared queue take effect when it says so, and mqemitter-redis says so too early for a
  // channel that it has asked for just before. It asks in order, so one is live when all before it are.

  /** The latest registration, for `isLive` and `whenLive`. */
  get registration (): number {
    return this.registrations
  }

  isLive (registration: number): boolean {
    if (!this.shared) return true
    const [oldest] = this.pending
    return oldest === undefined || oldest > registration
  }

  whenLive (registration: number, callback: () => void): void {
    if (this.isLive(registration)) callback()
    else this.waiting.push({ registration, callback })
  }

  private register (): () => void {
    const registration = ++this.registrations
    this.pending.add(registration)
    return () => {
      this.pending.delete(registration)
      if (this.waiting.length === 0) return
      const ready = this.waiting.filter((each) => this.isLive(each.registration))
      this.waiting = this.waiting.filter((each) => !this.isLive(each.registration))
      for (const each of ready) each.callback()
    }
  }

  /**
   * Publishes with a QoS above 0, or retained. `done` is called as soon as the message is stored, delivered or not, or
   * with the error that kept it from being stored.
   */
  publishStored (packet: PublishPacket, client: object | null, done: (error: Error | null) => void): void {
    let settled = false
    const settle: Done = (error) => {
      if (settled) return
      settled = true
      done(error ?? null)
    }
    // Aedes names the client when it emits; what is stored before is to tell where it came from, too.
    if (client !== null) packet.clientId = (client as { id: string }).id
    const { messageExpiryInterval = 0 } = packet.properties ?? {}
    // Aedes 1 keeps no time of its own.
    if (messageExpiryInterval > 0) packet.messageExpiry ??= Date.now() + messageExpiryInterval * 1000
    this.wraps.order.expect(packet, settle)
    this.broker.publish(packet, client, settle)
  }

  /** Remembers the header block that properties stand for, as long as they live, where other nodes are to have it. */
  keepHeader (properties: PacketProperties, header: string): void {
    if (this.shared) this.wraps.headers.set(properties, header)
  }

  /** Whether a session has subscribed to a topic with a QoS above 0, so that messages wait for it. */
  async isStoredFor (topic: string): Promise<boolean> {
    return (await this.broker.persistence.subscriptionsByTopic(topic)).length > 0
  }

  /** Shows the host a message that does not enter the broker, as Aedes shows those that do (aedes.js callPublished). */
  show (packet: PublishPacket, client: object, done: Done): void {
    this.broker.published(packet, client, done)
    this.broker.emit('publish', packet, client)
  }
}

function nothing (): void {}
