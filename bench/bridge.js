// What people write today: a script that subscribes to everything on either side and publishes it on the other.
//
//   node bench/bridge.js --nats-port N --mqtt-port N
//
// No message comes back: the NATS server does not echo to the connection that published (noEcho), the MQTT broker
// not to a subscription with No Local (nl, MQTT 5).
import { parseArgs } from 'node:util'
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'

const { values: options } = parseArgs({
  options: { 'nats-port': { type: 'string' }, 'mqtt-port': { type: 'string' } }
})

const nats = await connect({ servers: `127.0.0.1:${options['nats-port']}`, noEcho: true })
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${options['mqtt-port']}`, { protocolVersion: 5 })

client.on('message', (topic, payload) => {
  nats.publish(topic.replaceAll('/', '.'), payload)
})
await client.subscribeAsync('#', { qos: 0, nl: true })

nats.subscribe('>', {
  callback: (error, message) => {
    if (error) throw error
    const { data } = message
    client.publish(message.subject.replaceAll('.', '/'), Buffer.from(data.buffer, data.byteOffset, data.length))
  }
})
await nats.flush()
console.log('ready')
