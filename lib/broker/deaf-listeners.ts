import type { MessageQueue, MqListener } from './host.ts'
import { listenersOf } from './foreign.ts'
import { isReserved, mayHearReserved } from './reserved-topics.ts'

/** Keeps what gateways say to each other from listeners of others whose topic filter would match it: `$SYS/#`. */
export class DeafListeners {
  private readonly deaf = new WeakMap<MqListener, MqListener>()
  private registered: (readonly [topicFilter: string, listener: MqListener])[] = []

  /** The listener to hand to the queue in place of another one. */
  add (topicFilter: string, listener: MqListener): MqListener {
    if (!mayHearReserved(topicFilter)) return listener
    this.registered.push([topicFilter, listener])
    return this.deafOf(listener)
  }

  /** Takes the place of listeners that the queue has already. */
  takeOver (mq: MessageQueue): void {
    if (typeof mq._matcher?.visit !== 'function') return
    for (const [topicFilter, listener] of [...listenersOf(mq._matcher)]) {
      if (!mayHearReserved(topicFilter)) continue
      mq.on(topicFilter, this.add(topicFilter, listener))
      mq.removeListener(topicFilter, listener)
    }
  }

  /** The queue has none of a topic filter any more. */
  removeAll (topicFilter: string): void {
    this.registered = this.registered.filter(([filter]) => filter !== topicFilter)
  }

  /** The listener that the queue has in place of another one, which is to be removed. */
  remove (topicFilter: string, listener: MqListener): MqListener {
    const at = this.registered.findIndex(([filter, each]) => filter === topicFilter && each === listener)
    if (at === -1) return listener
    this.registered.splice(at, 1)
    return this.deafOf(listener)
  }

  private deafOf (listener: MqListener): MqListener {
    let deaf = this.deaf.get(listener)
    if (deaf === undefined) {
      deaf = function (this: unknown, packet, done) {
        if (isReserved(packet.topic)) done()
        else listener.call(this, packet, done)
      }
      this.deaf.set(listener, deaf)
    }
    return deaf
  }

  /** Hands the queue the listeners themselves again. */
  undo (mq: MessageQueue): void {
    for (const [topicFilter, listener] of this.registered.splice(0)) {
      mq.on(topicFilter, listener)
      mq.removeListener(topicFilter, this.deafOf(listener))
    }
  }
}
