import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type RedisQueue, speedUp } from '../../lib/cli/redis-queue.ts'
import { startRedis } from '../helper/processes.ts'

interface Message { topic: string, payload: Buffer, n?: number, properties?: object }

interface Queue extends RedisQueue {
  on (topic: string, listener: (message: Message, done: () => void) => void, done: () => void): void
  close (done: () => void): void
}

const mqemitterRedis = createRequire(import.meta.url)('mqemitter-redis') as (options: { subConn: Redis, pubConn: Redis }) => Queue

async function open (t: Test, port: number, fast: boolean): Promise<{ mq: Queue, pubConn: Redis }> {
  const [subConn, pubConn] = [new Redis(port), new Redis(port)]
  await Promise.all([once(subConn, 'ready'), once(pubConn, 'ready')])
  const mq = mqemitterRedis({ subConn, pubConn })
  if (fast) speedUp(mq, pubConn, subConn)
  t.teardown(() => {
    subConn.disconnect()
    pubConn.disconnect()
  })
  return { mq, pubConn }
}

async function listen (mq: Queue, topic: string, got: Message[]): Promise<void> {
  await new Promise<void>((resolve) => {
    mq.on(topic, (message, done) => {
      got.push(message)
      done()
    }, resolve)
  })
}

async function emit (mq: Queue, message: Message): Promise<Error | null> {
  return await new Promise((resolve) => { mq.emit(message, (error) => { resolve(error ?? null) }) })
}

t.test('the queue of the stand-alone server', async (t) => {
  const redis = await startRedis(t)
  const one = await open(t, redis.port, true)
  const two = await open(t, redis.port, true)
  const stock = await open(t, redis.port, false)

  t.test('each message comes to each process once, as it was sent, in order, whatever it is', async (t) => {
    const got = new Map<Queue, Message[]>()
    for (const { mq } of [one, two, stock]) {
      const mine: Message[] = []
      got.set(mq, mine)
      // Three filters that match: Redis sends three copies.
      for (const topic of ['q/#', 'q/+', 'q/a']) await listen(mq, topic, mine)
    }
    for (const { mq } of [one, two, stock]) {
      for (const mine of got.values()) mine.length = 0
      const sent = Array.from({ length: 5000 }, (_, n): Message => ({ topic: 'q/a', payload: Buffer.from(`ä${n}`), n, properties: { userProperties: { a: ['b'] } } }))
      const results = await Promise.all(sent.map((message) => emit(mq, message)))
      t.ok(results.every((result) => result === null))
      for (const [receiver, mine] of got) {
        // Each of its three listeners has it once.
        while (mine.length < 15_000) await new Promise((resolve) => { setImmediate(resolve) })
        t.same(mine.filter((_, i) => i % 3 === 0).map(({ n }) => n), sent.map(({ n }) => n))
        t.strictSame(mine[0], sent[0])
        if (receiver === mq && mq !== stock.mq) t.equal(mine.at(-1), sent.at(-1), 'not decoded again')
      }
    }
    // Copies too many would come before the next message.
    await emit(stock.mq, { topic: 'q/a', payload: Buffer.from('end') })
    for (const mine of got.values()) {
      while (mine.at(-1)?.payload.toString() !== 'end' || mine.length < 15_003) await new Promise((resolve) => { setImmediate(resolve) })
      t.equal(mine.length, 15_003)
    }
  })

  t.test('what cannot be published is told', async (t) => {
    const { mq, pubConn } = await open(t, redis.port, true)
    const failure = emit(mq, { topic: 'x', payload: Buffer.alloc(0) })
    pubConn.disconnect()
    t.match(await failure, { message: /Connection is closed/ })
    const closing = await open(t, redis.port, true)
    await new Promise<void>((resolve) => { closing.mq.close(resolve) })
    t.match(await emit(closing.mq, { topic: 'x', payload: Buffer.alloc(0) }), { message: 'mqemitter-redis is closed' })
  })
})
