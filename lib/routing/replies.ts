import type { PublishPacket } from '../broker/host.ts'
import { topicFilterToFilter, topicToSubject } from '../subject/mapping.ts'
import { Trie } from '../subject/trie.ts'
import { detach } from '../wire/text.ts'
import type { Requester } from './requester.ts'
import type { Interest } from './router.ts'

/** Where the answers to requests go: levels of topics, with `+` for those that a request leaves open. */
interface Rule {
  readonly order: number
  readonly request: readonly string[]
  readonly answer: readonly string[]
}

/** A request that a device has not answered, or several in a row whose answers nobody here is to get. */
export interface Awaited {
  readonly answerTopic: string
  /** Null where the answers are for nobody here. */
  readonly requester: Requester | null
  /** The reply subject; empty where nobody here is to get an answer. */
  readonly reply: string
  count: number
  /** When it stops waiting, in milliseconds since 1970. */
  deadline: number
}

// Requests to one device that wait for an answer at a time, and to all devices; a later one is not answered. Their names
// may be long: all of them together are bounded by bytes, too.
export const maxAwaited = 1024
export const maxAwaitedByAll = 65_536
export const maxAwaitedBytes = 33_554_432
// What a request takes besides its names, about.
const awaitedBytes = 256
// How often requests are looked for that nobody will answer, in milliseconds; those of such a time wait as one where nobody
// here is to get their answers.
const sweepInterval = 1000

/**
 * Answers of devices that cannot see a reply subject (MQTT 3): the next message on the answer topic is for the oldest
 * request to that device. A request that has waited too long keeps its place for as long again, so that its late answer
 * is not taken for that of the next one. So do requests of other nodes, of which two that cross on their way are in
 * another order there.
 */
export class Replies {
  /** Milliseconds. */
  timeout: number
  /** Requests that wait, or have waited in vain. */
  size = 0
  /** What they take, about. */
  bytes = 0
  private readonly rules = new Trie<Rule>()
  private readonly awaited = new Map<string, Awaited[]>()
  private sweeper: NodeJS.Timeout | null = null

  /**
   * @param rules topic filters of requests with a topic for answers each, both below the mountpoint; the first that fits
   * counts
   * @param mountpoints those of all listeners, with placeholders
   * @param interest is told where answers come from, and requests of other nodes
   * @param shared whether there may be other nodes
   */
  constructor (rules: Readonly<Record<string, string>>, timeout: number, mountpoints: readonly string[], interest: Interest, shared: boolean) {
    this.timeout = timeout
    const prefixes = mountpoints.map((mountpoint) => mountpoint.split('/').map((level) => level.includes('${') ? '+' : level).join('/'))
    for (const [order, [request, answer]] of Object.entries(rules).entries()) {
      for (const prefix of new Set(prefixes)) {
        this.rules.insert(topicFilterToFilter(prefix + request) as string, { order, request: (prefix + request).split('/'), answer: (prefix + answer).split('/') })
        interest.add(prefix + answer)
        if (shared) interest.add(prefix + request)
      }
    }
  }

  /** A request goes to a topic: its answer is for `reply`. Null when no device is to answer it. */
  expect (requester: Requester, topic: string, reply: string): Awaited | null {
    const answerTopic = this.answerTopicOf(topic)
    return answerTopic === null ? null : this.add(answerTopic, requester, detach(reply))
  }

  /** The request did not get to a device. */
  withdraw (awaited: Awaited): void {
    const queue = this.awaited.get(awaited.answerTopic)
    const at = queue?.indexOf(awaited) ?? -1
    if (queue !== undefined && at !== -1) this.take(queue, at)
  }

  // hot: once per message from the broker, where there are rules
  /** A message of a device may be an answer, one from a NATS client of another node a request. */
  receive (packet: PublishPacket, natsBorn: boolean): void {
    if (!natsBorn) {
      if (this.size > 0) this.answer(packet)
    } else if (packet.properties?.responseTopic !== undefined) {
      const answerTopic = this.answerTopicOf(packet.topic)
      if (answerTopic !== null) this.add(answerTopic, null, '')
    }
  }

  private answerTopicOf (topic: string): string | null {
    const subject = topicToSubject(topic)
    if (subject === null) return null
    const found: Rule[] = []
    this.rules.match(subject, found)
    const [first, ...others] = found
    return first === undefined ? null : answerTo(others.reduce((best, each) => each.order < best.order ? each : best, first), topic)
  }

  private add (answerTopic: string, requester: Requester | null, reply: string): Awaited | null {
    let queue = this.awaited.get(answerTopic)
    const isFull = this.size >= maxAwaitedByAll || this.bytes >= maxAwaitedBytes
    if (queue === undefined) {
      if (isFull) return null
      this.awaited.set(answerTopic, queue = [])
    }
    const heard = queue.length < maxAwaited && !isFull ? requester : null
    const deadline = Date.now() + this.timeout
    const last = queue.at(-1)
    this.size++
    if (heard === null && last !== undefined && last.requester === null && (isFull || deadline - last.deadline < sweepInterval)) {
      last.count++
      if (isFull) last.deadline = deadline
      return last
    }
    const awaited: Awaited = { answerTopic, requester: heard, reply: heard === null ? '' : reply, count: 1, deadline }
    queue.push(awaited)
    this.bytes += bytesOf(awaited)
    this.sweeper ??= setInterval(() => { this.sweep() }, sweepInterval).unref()
    return awaited
  }

  private take (queue: Awaited[], at: number): void {
    const awaited = queue[at] as Awaited
    this.size--
    if (--awaited.count > 0) return
    queue.splice(at, 1)
    this.bytes -= bytesOf(awaited)
    if (queue.length === 0) this.awaited.delete(awaited.answerTopic)
  }

  private answer (packet: PublishPacket): void {
    const queue = this.awaited.get(packet.topic)
    if (queue === undefined) return
    this.dropForgotten(packet.topic, queue)
    const [oldest] = queue
    if (oldest === undefined) return
    this.take(queue, 0)
    const { requester, reply } = oldest
    if (requester === null || oldest.deadline < Date.now()) return
    const { bridge, names } = requester.space
    // Hooks see it under the name that the requester gets it by.
    const message = bridge.messageOf({ ...packet, topic: names.hookTopic(reply) }, reply)
    message.qos = 0
    requester.answer(message)
  }

  private dropForgotten (answerTopic: string, queue: Awaited[]): void {
    const before = Date.now() - this.timeout
    while (queue[0] !== undefined && queue[0].deadline < before) {
      const forgotten = queue.shift() as Awaited
      this.size -= forgotten.count
      this.bytes -= bytesOf(forgotten)
    }
    if (queue.length === 0) this.awaited.delete(answerTopic)
  }

  private sweep (): void {
    for (const [answerTopic, queue] of this.awaited) this.dropForgotten(answerTopic, queue)
    if (this.size === 0) this.close()
  }

  close (): void {
    if (this.sweeper !== null) clearInterval(this.sweeper)
    this.sweeper = null
  }
}

/** Two bytes a character of a topic, which may be any. */
function bytesOf ({ answerTopic, reply }: Awaited): number {
  return awaitedBytes + 2 * answerTopic.length + reply.length
}

function answerTo ({ request, answer }: Rule, topic: string): string {
  const levels = topic.split('/')
  const open = levels.filter((_, i) => request[i] === '+')
  return answer.map((level) => level === '+' ? open.shift() : level).join('/')
}
