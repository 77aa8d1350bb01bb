import { BatchStore, type StoreRedis } from './batch-store.ts'
import { Confirmer } from './confirm.ts'
import { DeafListeners } from './deaf-listeners.ts'
import type { Done, HostBroker, HostHooks, MessageQueue, MqListener, PacketProperties, Persistence, PublishPacket, StoredSubscription } from './host.ts'
import { counterStart, ownIdPrefix } from './identity.ts'
import { type EnqueueStore, PublishOrder } from './publish-order.ts'
import { QueueOrder } from './queue-order.ts'
import { DirectStore, SerialStore } from './serial-store.ts'
import { tellOfTakeovers } from './takeovers.ts'
import { wrap, wrapHook } from './wrap.ts'

// Everything of the host that the gateway wraps, and why. All of it is undone when the gateway closes.
//
//   mq.on, mq.removeListener, mq.removeAllListeners   to know who listens besides us, to keep their order, and what
//                                                     gateways say to each other from who listens to `$SYS/#`
//   mq.emit                                           to emit what is stored in the order of the broker's counter,
//                                                     header blocks as they were published, to see on a shared queue
//                                                     what this node publishes, and to keep from it what nobody wants
//   Aedes' listener to `$SYS/+/new/clients`           to tell a NATS client why it is closed whose id a client of another
//                                                     node has now
//   broker.preConnect                                 to refuse MQTT clients whose id begins with `nats:`
//   broker.publish                                    to know what is under way, and in which order
//   broker.authorizePublish                           to have QoS 1 publishes stored before PUBACK (`confirm`)
//   persistence.outgoingEnqueueCombi                  to store in that order, many messages at a time
//
// `broker.counter` is raised, for good.

/** How messages are stored. */
export interface WrapOptions {
  /** Whether QoS 1 publishes of MQTT clients are stored before their PUBACK. */
  readonly confirm: boolean
  /** The Redis of the host's persistence, where known. */
  readonly redis: StoreRedis | null
  /** How long a packet is waited for that others wait for, in milliseconds. */
  readonly deadline: number
}

/** What the wrapped functions report. */
export interface WrapReports {
  /**
   * A listener was handed to the queue; what is returned is to be called when the queue says that it is registered, and
   * calls back once whoever asked for it may know.
   */
  added (topicFilter: string, listener: MqListener): (done: () => void) => void
  /** A listener is gone. */
  removed (topicFilter: string, listener: MqListener): void
  /** All listeners of a filter are gone. */
  removedAll (topicFilter: string): void
  /** An MQTT client asks for an id of ours. */
  refused (client: object, id: string): void
  /** Whether a listener is the gateway's own. */
  isOwn (listener: MqListener): boolean
  /** A packet is handed to a shared queue. @returns whether somebody may listen there */
  emitted (packet: PublishPacket): boolean
}

/** The wraps, once installed. */
export interface Wraps {
  readonly order: PublishOrder
  /** The header blocks that properties stand for: Aedes hands them from packet to packet. Other nodes get them with the packet. */
  readonly headers: WeakMap<PacketProperties, string>
  /** The host's hook, guarded or not. */
  readonly authorizePublish: HostHooks['authorizePublish']
  /** The queue's own `emit`. */
  emit (packet: PublishPacket, done: Done): void
  undo (): void
  /** Resolves when Redis has answered all that it was asked to store. */
  settled (): Promise<void>
}

function wrapQueue (mq: MessageQueue, queueOrder: QueueOrder | null, order: PublishOrder, headers: WeakMap<PacketProperties, string>, reports: WrapReports, active: () => boolean): (() => unknown)[] {
  const { on, emit, removeListener, removeAllListeners } = mq
  const deaf = new DeafListeners()
  if (queueOrder !== null) deaf.takeOver(mq)

  function wrappedOn (this: MessageQueue, topic: string, listener: MqListener, done?: () => void): unknown {
    if (!active()) return on.call(this, topic, listener, done)
    const live = reports.added(topic, listener)
    const given = queueOrder === null || reports.isOwn(listener) ? listener : deaf.add(topic, listener)
    const run = (): unknown => on.call(this, topic, given, () => { live(done ?? nothing) })
    if (queueOrder === null) return run()
    queueOrder.add(run)
    return this
  }

  function wrappedRemove (this: MessageQueue, topic: string, listener: MqListener, done?: () => void): unknown {
    if (!active()) return removeListener.call(this, topic, listener, done)
    const given = deaf.remove(topic, listener)
    const run = (removed?: () => void): unknown => removeListener.call(this, topic, given, () => {
      // mqemitter removes a tick later, just before it says so.
      if (active()) reports.removed(topic, listener)
      removed?.()
      done?.()
    })
    if (queueOrder === null) return run()
    queueOrder.remove(run)
    return this
  }

  function wrappedRemoveAll (this: MessageQueue, topic: string, done?: () => void): unknown {
    const result = removeAllListeners?.call(this, topic, done)
    if (active()) reports.removedAll(topic)
    deaf.removeAll(topic)
    return result
  }

  function wrappedEmit (this: MessageQueue, packet: PublishPacket, done?: Done): unknown {
    if (!active()) return emit.call(this, packet, done)
    if (packet.properties !== undefined) {
      const header = headers.get(packet.properties)
      if (header !== undefined) packet.natsHeader = header
    }
    return order.emit(packet, done)
  }

  const undo: (() => unknown)[] = [wrap(mq, 'on', wrappedOn), wrap(mq, 'removeListener', wrappedRemove), wrap(mq, 'emit', wrappedEmit)]
  if (removeAllListeners !== undefined) undo.push(wrap(mq, 'removeAllListeners', wrappedRemoveAll))
  undo.push(() => { deaf.undo(mq) })
  return undo
}

function wrapPublish (broker: HostBroker, order: PublishOrder, confirmer: Confirmer | null, active: () => boolean): () => unknown {
  const { publish } = broker

  function wrappedPublish (this: HostBroker, packet: Partial<PublishPacket>, client: object | null | Done, done?: Done): void {
    if (typeof client === 'function') {
      done = client as Done
      client = null
    }
    if (confirmer !== null && confirmer.take(publish, packet, client, done)) return
    if (active()) order.publish(publish, packet, client, done)
    else publish.call(this, packet, client, done as Done)
  }

  return wrap(broker, 'publish', wrappedPublish)
}

function wrapPersistence (persistence: Persistence, order: PublishOrder, active: () => boolean): () => unknown {
  const { outgoingEnqueueCombi } = persistence

  // aedes-persistence takes a callback too, which Aedes does not use.
  function wrappedEnqueue (this: Persistence, subscriptions: readonly StoredSubscription[], packet: PublishPacket, done?: unknown): Promise<unknown> {
    if (active() && done === undefined) return order.enqueue(subscriptions, packet)
    return (outgoingEnqueueCombi as (...args: unknown[]) => Promise<unknown>).call(this, subscriptions, packet, done)
  }

  return wrap(persistence, 'outgoingEnqueueCombi', wrappedEnqueue)
}

// CONNACK: identifier rejected (MQTT 3.1.1, 3.2.2.3) and Client Identifier not valid (MQTT 5, 3.2.2.2).
const connack = { 4: Buffer.from([0x20, 2, 0, 2]), 5: Buffer.from([0x20, 3, 0, 0x85, 0]) }

function guardPreConnect (hook: HostHooks['preConnect'], reports: WrapReports, active: () => boolean): HostHooks['preConnect'] {
  return function preConnect (this: unknown, client, packet, callback) {
    const ours = (client as { protocol?: string }).protocol === 'nats'
    if (!active() || ours || !packet.clientId?.startsWith(ownIdPrefix)) {
      hook.call(this as HostHooks, client, packet, callback)
      return
    }
    const { conn } = client as { conn?: { write? (bytes: Buffer): void } }
    conn?.write?.(packet.protocolVersion === 5 ? connack[5] : connack[4])
    reports.refused(client, packet.clientId)
    callback(new Error(`client ids that begin with '${ownIdPrefix}' are reserved for NATS`), false)
  }
}

/** Whether a persistence has stored when its method returns: that of aedes-persistence, in memory. */
function isSynchronous (persistence: Persistence): boolean {
  const { asyncPersistence = persistence } = persistence as { asyncPersistence?: object }
  return asyncPersistence.constructor.name === 'MemoryPersistence' && !Object.hasOwn(persistence, 'outgoingEnqueueCombi')
}

function storeOf (persistence: Persistence, deadline: number): EnqueueStore {
  return isSynchronous(persistence) ? new DirectStore(persistence) : new SerialStore(persistence, deadline)
}

/**
 * Installs all wraps.
 *
 * @param shared whether the queue is one that other nodes share
 */
export function installWraps (broker: HostBroker, shared: boolean, { confirm, redis, deadline }: WrapOptions, reports: WrapReports): Wraps {
  let installed = true
  const active = (): boolean => installed
  // A broker with a fixed id would store over what it has stored in its last life.
  broker.counter = Math.max(broker.counter, counterStart())
  const batches = redis === null ? null : new BatchStore(redis)
  const { emit } = broker.mq
  const seen: MessageQueue['emit'] = !shared
    ? emit
    : function (this: MessageQueue, packet, done) {
      // In front of the queue, so that nothing overtakes it there.
      if (!installed || reports.emitted(packet)) return emit.call(this, packet, done)
      if (done !== undefined) process.nextTick(done)
      return this
    }
  const order = new PublishOrder(broker, batches ?? storeOf(broker.persistence, deadline), seen, deadline)
  const confirmer = confirm ? new Confirmer(broker, order) : null
  const queueOrder = shared ? new QueueOrder() : null
  const headers = new WeakMap<PacketProperties, string>()
  const undoPublish = wrapPublish(broker, order, confirmer, active)
  const preConnect = wrapHook(broker, 'preConnect', (hook) => guardPreConnect(hook, reports, active))
  const authorizePublish = confirmer === null ? null : wrapHook(broker, 'authorizePublish', (hook) => confirmer.guard(hook))
  const undoTelling = shared ? tellOfTakeovers(broker) : nothing
  const undo = [...wrapQueue(broker.mq, queueOrder, order, headers, reports, active), wrapPersistence(broker.persistence, order, active), undoTelling]
  return {
    order,
    headers,
    get authorizePublish () { return authorizePublish?.hook ?? broker.authorizePublish },
    emit: (packet, done) => { emit.call(broker.mq, packet, done) },
    undo: () => {
      for (const each of undo) each()
      preConnect.undo()
      authorizePublish?.undo()
      if (confirmer === null) undoPublish()
      else confirmer.close(undoPublish)
      order.close()
      installed = false
      queueOrder?.release()
    },
    settled: () => batches === null ? Promise.resolve() : batches.settled()
  }
}

function nothing (): void {}
