// A web page that shows what MQTT devices measure. It speaks NATS itself, in WebSocket messages to the server that it
// came from. Open http://127.0.0.1:3000/
import { createReadStream } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { Aedes } from 'aedes'
import natsGateway from 'aedes-nats'
import Fastify from 'fastify'
import mqtt from 'mqtt'

const broker = await Aedes.createBroker()
const listener = net.createServer(broker.handle)
await new Promise((resolve) => { listener.listen(Number(process.env.MQTT_PORT ?? 1883), resolve) })

// Browsers hold connections ready that they have not used yet; Fastify's close() would wait for them.
const fastify = Fastify({ forceCloseConnections: true })
await fastify.register(natsGateway, {
  broker,
  port: Number(process.env.NATS_PORT ?? 4222),
  // A new page shows the last values of devices at once.
  retained: true,
  websocket: { path: '/nats', sameOrigin: true, authorization: { noAuthUser: 'visitor' } },
  authorization: {
    users: [
      { user: 'service', pass: process.env.NATS_PASS ?? 'secret' },
      // Whoever opens the page may watch, and nothing else.
      { user: 'visitor', pass: 'none is asked', permissions: { subscribe: 'devices.*.telemetry', publish: { deny: '>' } } }
    ]
  }
})

function serve (path, type, file) {
  fastify.get(path, (request, reply) => reply.type(type).send(createReadStream(fileURLToPath(file))))
}

serve('/', 'text/html; charset=utf-8', new URL('telemetry.html', import.meta.url))
// The NATS client is one file that browsers import as it is.
serve('/nats.js', 'text/javascript; charset=utf-8', import.meta.resolve('nats.ws'))
await fastify.listen({ port: Number(process.env.PORT ?? 3000) })

const url = `mqtt://127.0.0.1:${listener.address().port}`

async function startDevice (name, temperature, humidity) {
  const device = await mqtt.connectAsync(url, { clientId: name })
  const drift = (value, by) => Math.round((value + (Math.random() - 0.5) * by) * 10) / 10
  const measure = () => {
    temperature = drift(temperature, 0.8)
    humidity = Math.min(100, Math.max(0, drift(humidity, 2)))
    device.publish(`devices/${name}/telemetry`, JSON.stringify({ temperature, humidity }), { retain: true })
  }
  const timer = setInterval(measure, 1000)
  measure()
  return async () => {
    clearInterval(timer)
    await device.endAsync()
  }
}

const stops = await Promise.all([
  startDevice('boiler', 64, 12),
  startDevice('cold-store', 4, 81),
  startDevice('greenhouse', 23, 68)
])

console.log(`NATS on port ${fastify.nats.port}, MQTT on port ${listener.address().port}, HTTP on port ${fastify.server.address().port}`)

process.on('SIGTERM', async () => {
  await Promise.all(stops.map((stop) => stop()))
  await fastify.close()
  listener.close()
  broker.close()
})
