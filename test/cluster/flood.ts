import net, { type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Teardown } from '../helper/brokers.ts'
import { Ledger } from './ledger.ts'
import type { Node, Nodes } from './nodes.ts'
import { judge, type Outcome } from './scenario.ts'

// Messages: their size, how many a second at most, and how many go with one write.
const size = 128
const rate = 150_000
const burst = 200

async function open (t: Teardown, { natsPort }: Node): Promise<Socket> {
  const socket = net.connect({ port: natsPort, host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => { resolve() })
  })
  socket.write('CONNECT {"verbose":false,"protocol":0}\r\nPING\r\n')
  await new Promise<void>((resolve) => { socket.once('data', () => { resolve() }) })
  return socket
}

/** Publishes numbered messages as fast as it may, and notes how long it was kept from that. */
class FloodPublisher {
  sent = 0
  /** In milliseconds. */
  longestPause = 0
  private readonly socket: Socket
  private readonly began = performance.now()
  private lastWrite = performance.now()
  private isStopped = false

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => { if (chunk.includes('PING\r\n')) socket.write('PONG\r\n') })
    this.run()
  }

  private readonly run = (): void => {
    while (!this.isStopped && this.sent < (performance.now() - this.began) * rate / 1000) {
      const now = performance.now()
      this.longestPause = Math.max(this.longestPause, now - this.lastWrite)
      this.lastWrite = now
      let text = ''
      for (let i = 0; i < burst; i++) text += `PUB flood ${size}\r\n${String(this.sent++).padStart(size, '0')}\r\n`
      if (!this.socket.write(text, 'latin1')) {
        this.socket.once('drain', this.run)
        return
      }
    }
    if (!this.isStopped) setTimeout(this.run, 1)
  }

  stop (): void {
    this.isStopped = true
  }
}

/** Takes them, and counts. */
class FloodSubscriber {
  received = 0
  duplicated = 0
  skipped = 0
  private next = 0
  private rest: Buffer = Buffer.alloc(0)
  private readonly socket: Socket

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => { this.read(this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])) })
  }

  async subscribe (): Promise<void> {
    this.socket.write('SUB flood 1\r\nPING\r\n')
    await new Promise<void>((resolve) => { this.socket.once('data', () => { resolve() }) })
  }

  private read (bytes: Buffer): void {
    let at = 0
    for (;;) {
      const end = bytes.indexOf('\r\n', at)
      if (end === -1) break
      if (bytes[at] !== 0x4d /* M */) {
        if (bytes[at] === 0x50 /* P */ && bytes[at + 1] === 0x49 /* I */) this.socket.write('PONG\r\n')
        at = end + 2
        continue
      }
      const payload = end + 2
      if (payload + size + 2 > bytes.length) break
      this.take(Number(bytes.toString('latin1', payload + size - 12, payload + size)))
      at = payload + size + 2
    }
    this.rest = bytes.subarray(at)
  }

  private take (number: number): void {
    this.received++
    if (number < this.next) {
      this.duplicated++
      return
    }
    this.skipped += number - this.next
    this.next = number + 1
  }
}

// MiB that the node of the publisher may hold besides.
const mostHeld = 50
// How long messages are published before and after, in milliseconds.
const around = 1500

/** A flood from one node to the others, and what happens in the middle of it. */
async function flood (t: Teardown, nodes: Nodes, happens: () => Promise<void>, seconds: number): Promise<Outcome> {
  const [one, two, three] = nodes.all
  const subscribers = [new FloodSubscriber(await open(t, two)), new FloodSubscriber(await open(t, three))]
  for (const subscriber of subscribers) await subscriber.subscribe()
  const base = await one.ask('memory')
  const publisher = new FloodPublisher(await open(t, one))
  await delay(around)
  const before = publisher.sent / around * 1000
  publisher.longestPause = 0
  const happened = happens()
  await delay(1000 * seconds - 400)
  const held = await one.ask('memory') - base
  await happened
  await delay(around)
  publisher.stop()
  for (let last = -1, sum = 0; last !== sum || sum < 2 * publisher.sent;) {
    last = sum
    await delay(2000)
    sum = subscribers.reduce((total, { received }) => total + received, 0)
    if (sum === 2 * publisher.sent || sum === last) break
  }
  const total = (count: (subscriber: FloodSubscriber) => number): number => subscribers.reduce((sum, subscriber) => sum + count(subscriber), 0)
  const received = total((subscriber) => subscriber.received)
  const duplicated = total((subscriber) => subscriber.duplicated)
  const lost = 2 * publisher.sent - (received - duplicated)
  const broken: string[] = []
  if (lost > 0) broken.push(`${lost} lost`)
  if (duplicated > 0) broken.push(`${duplicated} duplicated or out of order`)
  if (held > mostHeld) broken.push(`held ${held.toFixed(0)} MiB`)
  if (publisher.longestPause < 500 * seconds) broken.push(`the publisher was paused for ${publisher.longestPause.toFixed(0)} ms only`)
  const { notes, broken: more } = await judge(nodes, new Ledger())
  return {
    counts: { sent: publisher.sent, received, duplicated, lost },
    notes: [
      `${Math.round(before / 1000)},000 msg/s`,
      `held ${held.toFixed(0)} MiB more`,
      `paused for ${publisher.longestPause.toFixed(0)} ms`,
      ...notes
    ],
    broken: [...broken, ...more]
  }
}

/** Redis does nothing for three seconds. */
export async function redisAsleep (t: Teardown, nodes: Nodes): Promise<Outcome> {
  return await flood(t, nodes, () => nodes.redis.sleep(3), 3)
}

/** A receiving node is stopped for three seconds. */
export async function receiverStopped (t: Teardown, nodes: Nodes): Promise<Outcome> {
  const [, two] = nodes.all
  return await flood(t, nodes, async () => {
    two.signal('SIGSTOP')
    await delay(3000)
    two.signal('SIGCONT')
  }, 3)
}
