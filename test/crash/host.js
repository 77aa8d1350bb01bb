// A process of the crash tests: a host program of somebody's own, an Aedes with a fixed id on Redis.
//
// Options (JSON in the first argument): { id, redis: port, natsPort, mqttPort, bare }; `bare` without a gateway, to
// see what Aedes does by itself. Prints `ready`.
import { once } from 'node:events'
import net from 'node:net'
import { Aedes } from 'aedes'
import persistenceRedis from 'aedes-persistence-redis'
import mqemitterRedis from 'mqemitter-redis'

const { id, redis, natsPort, mqttPort, bare } = JSON.parse(process.argv[2])
const place = { host: '127.0.0.1', port: redis }
const mq = mqemitterRedis({ ...place, maxRetriesPerRequest: null })
mq.state.on('error', () => {})
// mq.on() during ioredis' ready check ends in an error.
await Promise.all([mq.subConn, mq.pubConn].map((connection) => connection.status === 'ready' || once(connection, 'ready')))
const broker = await Aedes.createBroker({ id, mq, persistence: persistenceRedis({ ...place, maxRetriesPerRequest: null }) })
broker.on('error', () => {})
if (!bare) {
  const { createGateway } = await import('../../dist/index.js')
  await createGateway(broker, { host: '127.0.0.1', port: natsPort, redis: { url: `redis://127.0.0.1:${redis}` }, confirm: true })
}
net.createServer(broker.handle).listen(mqttPort, '127.0.0.1', () => console.log('ready'))
