import type { PublishPacket } from '../broker/host.ts'
import { topicFilterToFilter, topicToSubject } from '../subject/mapping.ts'
import { Trie } from '../subject/trie.ts'
import { detach } from '../wire/text.ts'
import type { Interest } from './router.ts'
import type { Space } from './spaces.ts'

/** Where the answers to requests go: topics with `+` for the levels that a request's topic filter left open. */
interface Rule {
  readonly request: readonly string[]
  readonly answer: readonly string[]
}

/** A request that a device has not answered. */
interface Pending {
  readonly space: Space
  /** The reply subject. */
  readonly reply: string
  /** When it stops waiting, in milliseconds since 1970. */
  readonly deadline: number
  /** What it takes, about. */
  readonly bytes: number
}

// Requests to one device that wait at a time, and bytes of those to all devices, about; the oldest gives way.
const maxPending = 1024
const maxBytes = 16_777_216
// What a request takes besides names, about.
const pendingBytes = 256
// How often requests are looked for that nobody will answer, in milliseconds.
const sweepInterval = 1000

/**
 * Answers of devices that cannot see a reply subject (MQTT 3): the next message on the answer topic is for the oldest
 * request to that device. A request that has waited too long keeps its place for as long again, so that its late answer
 * is not taken for that of the next one.
 */
export class Replies {
  /** Milliseconds. */
  timeout: number
  private readonly rules = new Trie<Rule>()
  private readonly pending = new Map<string, Pending[]>()
  private bytes = 0
  private sweeper: NodeJS.Timeout | null = null

  /**
   * @param rules topic filters of requests with a topic for answers each, both below the mountpoint
   * @param mountpoints those of all listeners, with placeholders
   * @param interest is told where answers come from
   */
  constructor (rules: Readonly<Record<string, string>>, timeout: number, mountpoints: readonly string[], interest: Interest) {
    this.timeout = timeout
    const prefixes = mountpoints.map((mountpoint) => mountpoint.split('/').map((level) => level.includes('${') ? '+' : level).join('/'))
    for (const [request, answer] of Object.entries(rules)) {
      this.rules.insert(topicFilterToFilter(request) as string, { request: request.split('/'), answer: answer.split('/') })
      for (const prefix of prefixes) interest.add(prefix + answer)
    }
  }

  /** A request goes to a topic: its answer is for `reply`. */
  expect (space: Space, topic: string, reply: string): void {
    const below = topic.slice(space.mountpoint.length)
    const [rule] = this.rulesOf(below)
    if (rule === undefined) return
    const answerTopic = space.mountpoint + answerTo(rule, below)
    let queue = this.pending.get(answerTopic)
    if (queue === undefined) this.pending.set(answerTopic, queue = [])
    const bytes = pendingBytes + 2 * answerTopic.length + reply.length
    this.bytes += bytes
    queue.push({ space, reply: detach(reply), deadline: Date.now() + this.timeout, bytes })
    if (queue.length > maxPending) this.shift(queue)
    if (this.bytes > maxBytes) this.makeRoom()
    if (this.sweeper === null) this.sweeper = setInterval(() => { this.sweep() }, sweepInterval).unref()
  }

  private shift (queue: Pending[]): Pending | undefined {
    const request = queue.shift()
    this.bytes -= request?.bytes ?? 0
    return request
  }

  /**
   * Requests to the devices that have been asked for longest give way, a quarter at a time: to find the first entry of a
   * Map takes V8 past those that were deleted in front of it.
   */
  private makeRoom (): void {
    for (const [answerTopic, queue] of this.pending) {
      while (this.bytes > maxBytes * 3 / 4 && queue.length > 0) this.shift(queue)
      if (queue.length > 0) return
      this.pending.delete(answerTopic)
    }
  }

  private rulesOf (topic: string): Rule[] {
    const found: Rule[] = []
    const subject = topicToSubject(topic)
    if (subject !== null) this.rules.match(subject, found)
    return found
  }

  // hot: once per message from the broker, where there are rules
  /** A message of a device, which may be an answer. */
  answer (packet: PublishPacket): void {
    if (this.pending.size === 0) return
    const queue = this.pending.get(packet.topic)
    if (queue === undefined) return
    this.dropForgotten(packet.topic, queue)
    const request = this.shift(queue)
    if (queue.length === 0) this.pending.delete(packet.topic)
    if (request === undefined || request.deadline < Date.now()) return
    const { space: { bridge, router }, reply } = request
    const message = bridge.messageOf(packet, reply)
    message.qos = 0
    router.route(reply).deliver(message, null)
  }

  private dropForgotten (answerTopic: string, queue: Pending[]): void {
    const before = Date.now() - this.timeout
    while (queue[0] !== undefined && queue[0].deadline < before) this.shift(queue)
    if (queue.length === 0) this.pending.delete(answerTopic)
  }

  private sweep (): void {
    for (const [answerTopic, queue] of this.pending) this.dropForgotten(answerTopic, queue)
    if (this.pending.size === 0) this.close()
  }

  /** Requests that wait, or have waited in vain. */
  get size (): number {
    let size = 0
    for (const queue of this.pending.values()) size += queue.length
    return size
  }

  close (): void {
    if (this.sweeper !== null) clearInterval(this.sweeper)
    this.sweeper = null
  }
}

function answerTo ({ request, answer }: Rule, topic: string): string {
  const levels = topic.split('/')
  const open = levels.filter((_, i) => request[i] === '+')
  return answer.map((level) => level === '+' ? open.shift() : level).join('/')
}
