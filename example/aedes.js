// The gateway on a bare Aedes broker. Its policies hold for NATS clients as they do for MQTT clients.
import net from 'node:net'
import { Aedes } from 'aedes'
import { createGateway } from 'aedes-nats'

const broker = await Aedes.createBroker({
  authorizePublish: (client, packet, callback) => {
    callback(packet.topic.startsWith('secret/') ? new Error(`${client?.id} may not publish to ${packet.topic}`) : null)
  }
})
const mqtt = net.createServer(broker.handle)
await new Promise((resolve) => { mqtt.listen(Number(process.env.MQTT_PORT ?? 1883), resolve) })

const gateway = await createGateway(broker, { port: Number(process.env.NATS_PORT ?? 4222) })
console.log(`NATS on port ${gateway.port}, MQTT on port ${mqtt.address().port}`)

process.on('SIGTERM', async () => {
  await gateway.close()
  mqtt.close()
  broker.close()
})
