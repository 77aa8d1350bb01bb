// An MQTT device publishes with QoS 1, a NATS service receives. Needs the server: npm start
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'

const device = await mqtt.connectAsync(process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883')
const service = await connect({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' })

const subscription = service.subscribe('command.device.light_001', { max: 1 })
await service.flush()

await device.publishAsync('command/device/light_001', '{"action": "turn_on", "brightness": 80}', { qos: 1 })
for await (const message of subscription) console.log(`NATS received on ${message.subject}: ${message.string()}`)

await device.endAsync()
await service.close()
