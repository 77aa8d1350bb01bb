// The process that the hostile tests attack: Aedes and a gateway, on free ports, with a collector that can be called.
//
// Options (JSON in the first argument): those of the gateway. Tells its ports; a message { update } changes options, and
// { clients, others } asks for a report, once no more connections than those to NATS and to MQTT are there.
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Aedes } from 'aedes'
import { createGateway } from '../../dist/index.js'

const broker = await Aedes.createBroker()
const gateway = await createGateway(broker, { host: '127.0.0.1', port: 0, ...JSON.parse(process.argv[2]) })
const mqtt = net.createServer({ noDelay: true }, broker.handle)

function sockets () {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

process.on('message', async ({ update, clients, others = 0 }) => {
  if (update !== undefined) {
    gateway.update(update)
    return
  }
  while (gateway.clients.size > clients || sockets() > clients + others) await delay(10)
  // Twice: what the first call finalizes is freed by the second.
  globalThis.gc()
  await delay(0)
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  const { slowConsumers, staleConnections, totalConnections } = gateway.counters
  process.send({ bytes: heapUsed + external, rss, clients: gateway.clients.size, subscriptions: gateway.subscriptions, slowConsumers, staleConnections, totalConnections })
})
process.on('disconnect', () => { process.exit() })

mqtt.listen(0, '127.0.0.1', () => { process.send({ natsPort: gateway.port, mqttPort: mqtt.address().port }) })
