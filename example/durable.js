// A service that misses nothing. Needs the server: npm start, with --redis to survive restarts of the server too.
//
//   node example/durable.js                     the service; stop it with Ctrl-C
//   node example/durable.js publish 5           a device sends five messages with QoS 1, service or not
//   node example/durable.js                     the service again: it gets what it has missed
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'

const [command, count = '1'] = process.argv.slice(2)

if (command === 'publish') {
  const device = await mqtt.connectAsync(process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883')
  for (let i = 1; i <= Number(count); i++) {
    await device.publishAsync('sensors/thermometer', `{"reading": ${i}}`, { qos: 1 })
    console.log(`stored: reading ${i}`)
  }
  await device.endAsync()
} else {
  const service = await connect({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' })
  // The name of the queue group makes it durable.
  const messages = service.subscribe('sensors.>', { queue: 'acked.billing' })
  await service.flush()
  console.log('waiting for sensors.>')
  for await (const message of messages) {
    const again = message.headers?.get('Nmqtt-Delivered')
    console.log(`${message.subject}: ${message.string()}${again ? ` (delivery ${again})` : ''}`)
    // Handled: the server may forget it. Without this it comes again.
    message.respond()
  }
}
