// A broker made by a host program: stock Aedes 2 beta over a bare net.Server, and, when asked, our gateway on it.
//
//   node bench/host.js --mqtt-port N [--redis-port N] [--nats-port N [--listener]]
//
// With --redis-port it stores and emits on a Redis; a gateway there does not confirm.
// With --listener the program itself wants every message (broker.on('publish')), so the gateway cannot skip the
// broker; asked over IPC, it tells how many it saw.
import { once } from 'node:events'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { Aedes } from 'aedes'

const { values: options } = parseArgs({
  options: {
    'mqtt-port': { type: 'string' },
    'redis-port': { type: 'string' },
    'nats-port': { type: 'string' },
    listener: { type: 'boolean', default: false }
  }
})

const redis = options['redis-port'] === undefined ? null : { host: '127.0.0.1', port: Number(options['redis-port']) }
const broker = await Aedes.createBroker(redis === null ? {} : await storeOn(redis))

if (options.listener) {
  let seen = 0
  broker.on('publish', (packet) => {
    if (packet.topic === 'bench/subject') seen++
  })
  process.on('message', () => process.send(seen))
}

if (options['nats-port'] !== undefined) {
  const { createGateway } = await import('../dist/index.js')
  await createGateway(broker, {
    host: '127.0.0.1',
    port: Number(options['nats-port']),
    ...(redis !== null && { redis: { url: `redis://${redis.host}:${redis.port}` } })
  })
}

net.createServer(broker.handle).listen(Number(options['mqtt-port']), '127.0.0.1')

async function storeOn (redis) {
  const { default: mqemitterRedis } = await import('mqemitter-redis')
  const { default: persistenceRedis } = await import('aedes-persistence-redis')
  const mq = mqemitterRedis(redis)
  // mq.on() during ioredis' ready check ends in an error.
  await Promise.all([mq.subConn, mq.pubConn].map((connection) => connection.status === 'ready' || once(connection, 'ready')))
  return { mq, persistence: persistenceRedis(redis) }
}
