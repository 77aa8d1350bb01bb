// A NATS client publishes, an MQTT device receives. Needs the server: npm start
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'

const device = await mqtt.connectAsync(process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883')
const service = await connect({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' })

await device.subscribeAsync('sensor/data/temperature', { qos: 1 })
const received = new Promise((resolve) => {
  device.on('message', (topic, payload) => { resolve(`MQTT received on ${topic}: ${payload}`) })
})

service.publish('sensor.data.temperature', '{"device_id": "sensor_001", "temp": 25.5}')
console.log(await received)

await device.endAsync()
await service.close()
