// The gateway as a Fastify plugin, on the Aedes broker of this process.
import net from 'node:net'
import { Aedes } from 'aedes'
import natsGateway from 'aedes-nats'
import Fastify from 'fastify'

const broker = await Aedes.createBroker()
const mqtt = net.createServer(broker.handle)
await new Promise((resolve) => { mqtt.listen(Number(process.env.MQTT_PORT ?? 1883), resolve) })

const fastify = Fastify()
await fastify.register(natsGateway, { broker, port: Number(process.env.NATS_PORT ?? 4222) })
fastify.get('/', async () => ({ natsConnections: fastify.nats.clients.size }))
await fastify.listen({ port: Number(process.env.PORT ?? 3000) })

console.log(`NATS on port ${fastify.nats.port}, MQTT on port ${mqtt.address().port}, HTTP on port ${fastify.server.address().port}`)

process.on('SIGTERM', async () => {
  await fastify.close()
  mqtt.close()
  broker.close()
})
