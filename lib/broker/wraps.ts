import type { Done, HostBroker, HostHooks, MessageQueue, MqListener, PublishPacket } from './host.ts'
import { ownIdPrefix } from './identity.ts'
import { QueueOrder } from './queue-order.ts'

// Everything of the host that the gateway wraps, and why. All of it is undone when the gateway closes.
//
//   mq.on, mq.removeListener, mq.removeAllListeners   to know who listens besides us, and to keep their order
//   mq.emit                                           to learn when a publish of ours is stored: Aedes emits after that
//   broker.preConnect                                 to refuse MQTT clients whose id begins with `nats:`

/** What the wrapped functions report. */
export interface WrapReports {
  /** A listener was handed to the queue; what is returned is to be called when the queue says that it is registered. */
  added (topicFilter: string, listener: MqListener): () => void
  /** A listener is gone. */
  removed (topicFilter: string, listener: MqListener): void
  /** All listeners of a filter are gone. */
  removedAll (topicFilter: string): void
  /** A packet is about to be emitted; Aedes has stored it. */
  emitting (packet: PublishPacket): void
  /** An MQTT client asks for an id of ours. */
  refused (client: object, id: string): void
}

type Method = (...args: never[]) => unknown

/** Replaces a method until the returned function is called. Whoever wraps it later keeps what we leave in between. */
function wrap<T extends object, K extends keyof T> (target: T, name: K, replacement: T[K] & Method): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name)
  target[name] = replacement
  return () => {
    if (target[name] !== replacement) return
    if (before === undefined) delete target[name]
    else Object.defineProperty(target, name, before)
  }
}

function wrapQueue (mq: MessageQueue, order: QueueOrder | null, reports: WrapReports, active: () => boolean): (() => void)[] {
  const { on, emit, removeListener, removeAllListeners } = mq

  function wrappedOn (this: MessageQueue, topic: string, listener: MqListener, done?: () => void): unknown {
    if (!active()) return on.call(this, topic, listener, done)
    const live = reports.added(topic, listener)
    const run = (): unknown => on.call(this, topic, listener, () => {
      live()
      done?.()
    })
    if (order === null) return run()
    order.add(run)
    return this
  }

  function wrappedRemove (this: MessageQueue, topic: string, listener: MqListener, done?: () => void): unknown {
    if (!active()) return removeListener.call(this, topic, listener, done)
    const run = (removed?: () => void): unknown => removeListener.call(this, topic, listener, () => {
      // mqemitter removes a tick later, just before it says so.
      if (active()) reports.removed(topic, listener)
      removed?.()
      done?.()
    })
    if (order === null) return run()
    order.remove(run)
    return this
  }

  function wrappedRemoveAll (this: MessageQueue, topic: string, done?: () => void): unknown {
    const result = removeAllListeners?.call(this, topic, done)
    if (active()) reports.removedAll(topic)
    return result
  }

  function wrappedEmit (this: MessageQueue, packet: PublishPacket, done?: Done): unknown {
    if (active()) reports.emitting(packet)
    return emit.call(this, packet, done)
  }

  const undo = [wrap(mq, 'on', wrappedOn), wrap(mq, 'removeListener', wrappedRemove), wrap(mq, 'emit', wrappedEmit)]
  if (removeAllListeners !== undefined) undo.push(wrap(mq, 'removeAllListeners', wrappedRemoveAll))
  return undo
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

/** An accessor, so that a hook that the host sets later is guarded too; what it reads back calls its own hook. */
function wrapPreConnect (broker: HostBroker, reports: WrapReports, active: () => boolean): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(broker, 'preConnect')
  let hook = broker.preConnect
  let guarded = guardPreConnect(hook, reports, active)
  const get = (): HostHooks['preConnect'] => guarded
  const set = (next: HostHooks['preConnect']): void => {
    if (next === guarded) return
    hook = next
    guarded = guardPreConnect(hook, reports, active)
  }
  Object.defineProperty(broker, 'preConnect', { get, set, configurable: true, enumerable: true })
  return () => {
    if (Object.getOwnPropertyDescriptor(broker, 'preConnect')?.get !== get) return
    Object.defineProperty(broker, 'preConnect', { configurable: true, enumerable: true, writable: true, ...descriptor, value: hook })
  }
}

/**
 * Installs all wraps; the returned function undoes them.
 *
 * @param shared whether the queue is one that other nodes share
 */
export function installWraps (broker: HostBroker, shared: boolean, reports: WrapReports): () => void {
  let installed = true
  const active = (): boolean => installed
  const order = shared ? new QueueOrder() : null
  const undo = [...wrapQueue(broker.mq, order, reports, active), wrapPreConnect(broker, reports, active)]
  return () => {
    installed = false
    for (const each of undo) each()
    order?.release()
  }
}
