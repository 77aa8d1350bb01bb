// What it costs to take messages out of the store and to acknowledge them, by how many are waiting: the store alone, by
// its own interface, in this process. Aedes fills it.
import { Aedes } from 'aedes'
import mqemitter from 'mqemitter'
import persistenceRedis from 'aedes-persistence-redis'

const group = 'nats:/bench.depth'
const batch = 10
const topic = 'bench/subject'
// As many publishes at once when a lot is stored.
const together = 500

// Microseconds a message.
export async function depth ({ redis, few, many, size = 128, rounds = 500 }, fail) {
  // Not before it is needed: there is no build where another server is measured.
  const { RedisStore } = await import('../../dist/durable/redis-store.js')
  const persistence = persistenceRedis({ host: '127.0.0.1', port: redis })
  const broker = await Aedes.createBroker({ mq: mqemitter(), persistence })
  const store = new RedisStore({
    redis: { url: `redis://127.0.0.1:${redis}` },
    persistence,
    log: { debug () {}, info () {}, warn () {}, error () {} },
    options: { maxDurables: 10, maxDepth: 10 * many, expiry: 3_600_000 }
  })
  const bad = (what) => () => fail(new Error(`the store ${what}`))
  await store.open({ work () {}, trouble: bad('is in trouble'), dropped: bad('dropped messages'), lost: bad('lost its lease') })
  await store.register(group, [topic])
  store.present(group, [topic])
  const payload = Buffer.alloc(size, 'x')

  await fill(few)
  await measure(rounds / 5)
  const atFew = await measure(rounds)
  await fill(many - few)
  await measure(rounds / 5)
  const atMany = await measure(rounds)
  const { waiting } = await store.depth(group)
  if (waiting !== many) throw new Error(`${waiting} messages are waiting, not ${many}`)
  await store.close()
  return { figures: { few: atFew, many: atMany, flat: atFew / atMany } }

  async function fill (count) {
    for (let left = count; left > 0; left -= together) {
      await Promise.all(Array.from({ length: Math.min(left, together) }, () => new Promise((resolve, reject) => {
        broker.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, (error) => { error ? reject(error) : resolve() })
      })))
    }
  }

  // Each round leaves as many messages as it found.
  async function measure (rounds) {
    let took = 0n
    for (let i = 0; i < rounds; i++) {
      const began = process.hrtime.bigint()
      const claimed = await store.claim(group, batch)
      const acknowledged = await store.ack(group, claimed.map(({ id }) => id))
      took += process.hrtime.bigint() - began
      if (acknowledged !== batch) throw new Error(`${acknowledged} of ${batch} messages were claimed and acknowledged`)
      await fill(batch)
    }
    return Number(took) / 1000 / (rounds * batch)
  }
}
