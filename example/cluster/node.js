// One node of a cluster: Aedes and the gateway, joined to the other nodes by Redis.
import net from 'node:net'
import { once } from 'node:events'
import { Aedes } from 'aedes'
import aedesPersistenceRedis from 'aedes-persistence-redis'
import { createGateway } from 'aedes-nats'
import { Redis } from 'ioredis'
import mqemitterRedis from 'mqemitter-redis'

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'

// Connections of our own: mqemitter-redis must not be asked for anything before they are ready.
const [subConn, pubConn, connection] = [1, 2, 3].map(() => new Redis(url))
await Promise.all([subConn, pubConn, connection].map((each) => once(each, 'ready')))

const broker = await Aedes.createBroker({
  mq: mqemitterRedis({ subConn, pubConn }),
  persistence: aedesPersistenceRedis({ conn: connection })
})
const mqtt = net.createServer(broker.handle)
await new Promise((resolve) => { mqtt.listen(0, '127.0.0.1', resolve) })

const gateway = await createGateway(broker, {
  host: '127.0.0.1',
  port: 0,
  redis: { connection }, // durable queue groups span the nodes
  plainNodes: false // every node has the gateway: requests that nobody serves are answered at once
})
process.send({ nats: gateway.port, mqtt: mqtt.address().port })

process.on('message', async () => {
  await gateway.close()
  mqtt.close()
  broker.close(() => { process.exit() })
})
