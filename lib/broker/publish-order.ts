import type { Done, HostBroker, MessageQueue, PublishPacket, StoredSubscription } from './host.ts'
import { counterStart, laneId } from './identity.ts'
import { Place } from './place.ts'

type Publish = HostBroker['publish']
type Emit = MessageQueue['emit']

/** Stores a packet for subscriptions; calls come in the order of counters. */
export interface EnqueueStore {
  /** Whether every call is answered in the end. */
  readonly answers: boolean
  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown>
}

// How many places are forgotten at once.
const slack = 1024
const nothingToStore = Promise.resolve()

/**
 * Keeps the packets of a broker in the order of its counter, into the store and out to the queue. Aedes counts a packet
 * at its publish and emits it once it is stored; at each client it drops a packet whose counter is not above the last
 * one seen from that broker (`dedupe` in lib/client.js). So a packet that is being stored is overtaken by one that is
 * not, and thrown away (moscajs/aedes #955, #994).
 *
 *                 forgotten | emitted once the head is    | wait for their turn at the store
 *     places      ----------+-----------------------------+---------------------------------
 *                           head                          toEnqueue
 *
 * QoS 0 packets have a broker id and a counter of their own, so they wait for nothing.
 */
export class PublishOrder {
  private readonly broker: HostBroker
  private readonly lane: string
  private laneCounter = counterStart()
  private readonly store: EnqueueStore
  private readonly deadline: number
  private readonly emitNow: Emit
  private readonly places: Place[] = []
  /** The first place that is not emitted. */
  private head = 0
  /** The first place that has not come to the store. */
  private toEnqueue = 0
  private timer: NodeJS.Timeout | null = null
  private expected: PublishPacket | null = null
  private expectedStored: Done | null = null
  /** Stored QoS 0 packets that somebody waits for, by their counter: retained ones. */
  private readonly retained = new Map<number, Done>()
  private readonly finish = (place: Place, error?: Error | null): void => { this.finished(place, error) }
  private readonly giveUp = (before: number): void => { this.expire(before) }

  /**
   * @param emit the queue's own `emit`
   * @param deadline how long a packet is waited for that does not come, in milliseconds: this long, up to twice
   */
  constructor (broker: HostBroker, store: EnqueueStore, emit: Emit, deadline: number) {
    this.broker = broker
    this.lane = laneId(broker.id)
    this.store = store
    this.emitNow = emit
    this.deadline = deadline
  }

  /** The next publish, if it is of this packet, calls `stored` once it is stored, or with what kept it from that. */
  expect (packet: PublishPacket, stored: Done): void {
    this.expected = packet
    this.expectedStored = stored
  }

  // hot: once per publish
  /** Wraps `broker.publish`; `run` is the wrapped function. */
  publish (run: Publish, packet: Partial<PublishPacket>, client: object | null, done: Done | undefined): void {
    const stored = packet === this.expected ? this.expectedStored : null
    if (this.expected !== null) this.expected = this.expectedStored = null
    // Aedes publishes the wills of a broker that is gone under the id of that one, in the count of this one (aedes.js
    // _clearWills). Counts begin with the time, so whoever saw a packet of a younger broker would drop them.
    if (packet.brokerId && packet.brokerId !== this.broker.id && !packet.brokerCounter) packet = { ...packet, brokerId: this.broker.id }
    const ordered = (packet.qos as number) > 0 && !packet.brokerCounter && (!packet.brokerId || packet.brokerId === this.broker.id)
    if (!ordered) {
      if (stored === null) run.call(this.broker, packet, client, done as Done)
      else this.publishRetained(run, packet, client, done, stored)
      return
    }
    // `publish` makes the packet, and so counts it, before it returns.
    const place = new Place(this.broker.counter + 1, stored, this.finish, done)
    this.places.push(place)
    run.call(this.broker, packet, client, place.finished)
    if (this.broker.counter < place.counter) this.retract(place)
  }

  /** Aedes refused the packet before it counted it: the next one gets the number. */
  private retract (place: Place): void {
    if (this.places.at(-1) === place) this.places.pop()
    this.toEnqueue = Math.min(this.toEnqueue, this.places.length)
    this.leave(place)
  }

  /** A QoS 0 packet is stored when it is emitted. */
  private publishRetained (run: Publish, packet: Partial<PublishPacket>, client: object | null, done: Done | undefined, stored: Done): void {
    const counter = this.broker.counter + 1
    this.retained.set(counter, stored)
    run.call(this.broker, packet, client, (error) => {
      if (this.retained.delete(counter)) stored(error ?? null)
      done?.(error)
    })
  }

  // hot: once per packet with a QoS above 0
  /** Wraps `persistence.outgoingEnqueueCombi`. */
  enqueue (subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown> {
    const place = packet.brokerId === this.broker.id ? this.find(this.toEnqueue, packet.brokerCounter as number) : null
    if (place === null || place.enqueued || place.gone) return this.write(null, subscriptions, packet)
    if (place === this.places[this.toEnqueue]) {
      this.toEnqueue++
      const result = this.write(place, subscriptions, packet)
      this.proceedToStore()
      return result
    }
    if (subscriptions.length === 0) {
      place.enqueued = true
      return nothingToStore
    }
    return new Promise((resolve, reject) => {
      place.heldEnqueue = { subscriptions, packet, resolve, reject }
      this.watch()
    })
  }

  private write (place: Place | null, subscriptions: readonly StoredSubscription[], packet: PublishPacket): Promise<unknown> {
    if (place !== null) place.enqueued = true
    if (subscriptions.length === 0) return nothingToStore
    if (place !== null) place.storing = this.store.answers
    return this.store.enqueue(subscriptions, packet)
  }

  private proceedToStore (): void {
    for (let place = this.places[this.toEnqueue]; place !== undefined; place = this.places[this.toEnqueue]) {
      const held = place.heldEnqueue
      if (held !== null) {
        place.heldEnqueue = null
        this.toEnqueue++
        this.write(place, held.subscriptions, held.packet).then(held.resolve, held.reject)
      } else if (place.enqueued || place.gone) {
        this.toEnqueue++
      } else {
        return
      }
    }
  }

  // hot: once per packet
  /** Wraps `mq.emit`. */
  emit (packet: PublishPacket, done: Done | undefined): unknown {
    const { mq } = this.broker
    if (packet.brokerId !== this.broker.id) return this.emitNow.call(mq, packet, done)
    if (packet.qos === 0) {
      const stored = this.retained.size > 0 ? this.takeRetained(packet.brokerCounter as number) : null
      // What brokers tell each other keeps their id while there is nothing to overtake.
      if (this.head < this.places.length || !packet.topic.startsWith('$SYS/')) {
        packet.brokerId = this.lane
        packet.brokerCounter = ++this.laneCounter
      }
      this.emitNow.call(mq, packet, done)
      // Whoever waits for it publishes the next one at once.
      if (stored !== null) stored(null)
      return mq
    }
    const place = this.find(this.head, packet.brokerCounter as number)
    if (place === null || place.gone) return this.emitNow.call(mq, packet, done)
    if (place === this.places[this.head]) {
      this.pass(place, packet, done)
      this.proceedToQueue()
    } else {
      place.heldPacket = packet
      place.heldDone = done
      this.watch()
    }
    return mq
  }

  private takeRetained (counter: number): Done | null {
    const stored = this.retained.get(counter) ?? null
    this.retained.delete(counter)
    return stored
  }

  private pass (place: Place, packet: PublishPacket, done: Done | undefined): void {
    place.gone = true
    this.head++
    if (this.toEnqueue < this.head) this.toEnqueue = this.head
    this.emitNow.call(this.broker.mq, packet, done)
    if (place.stored !== null) place.settle(null)
  }

  private proceedToQueue (): void {
    const { places } = this
    for (let place = places[this.head]; place !== undefined; place = places[this.head]) {
      if (place.gone) {
        this.head++
      } else if (place.heldPacket !== null) {
        const packet = place.heldPacket
        place.heldPacket = null
        this.pass(place, packet, place.heldDone)
      } else {
        break
      }
    }
    if (this.head === places.length) {
      places.length = 0
      this.head = this.toEnqueue = 0
    } else if (this.head >= slack) {
      places.splice(0, this.head)
      this.toEnqueue = Math.max(0, this.toEnqueue - this.head)
      this.head = 0
    }
  }

  /** The publish is over. Where the packet was not emitted, it never will be. */
  private finished (place: Place, error: Error | null | undefined): void {
    if (!place.gone) this.leave(place)
    if (place.stored !== null) place.settle(error ?? null)
  }

  private leave (place: Place): void {
    place.gone = true
    this.proceedToStore()
    this.proceedToQueue()
  }

  /** The place of a counter; `likely` is where it probably is. */
  private find (likely: number, counter: number): Place | null {
    const { places } = this
    const first = places[likely]
    if (first !== undefined && first.counter === counter) return first
    let low = this.head
    let high = places.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const place = places[middle] as Place
      if (place.counter === counter) return place
      if (place.counter < counter) low = middle + 1
      else high = middle - 1
    }
    return null
  }

  /** Waits no longer than the deadline for what holds others up. */
  private watch (): void {
    if (this.timer !== null) return
    this.timer = setTimeout(this.giveUp, this.deadline, this.broker.counter)
    this.timer.unref()
  }

  private expire (before: number): void {
    this.timer = null
    let held = false
    for (let at = this.head; at < this.places.length; at++) {
      const place = this.places[at] as Place
      const waits = place.heldEnqueue !== null || place.heldPacket !== null
      held ||= waits
      if (place.counter <= before && !waits && !place.storing) place.gone = true
    }
    this.proceedToStore()
    this.proceedToQueue()
    if (held && this.head < this.places.length) this.watch()
  }

  /** Lets everything go that waits, in order. */
  close (): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    for (let at = this.head; at < this.places.length; at++) {
      const place = this.places[at] as Place
      if (place.heldEnqueue === null && place.heldPacket === null) place.gone = true
    }
    this.proceedToStore()
    for (let at = this.head; at < this.places.length; at++) {
      const place = this.places[at] as Place
      if (place.heldPacket === null) place.gone = true
    }
    this.proceedToQueue()
  }
}
