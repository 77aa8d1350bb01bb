// A NATS service sends commands to two MQTT devices and waits for their answers.
import net from 'node:net'
import { connect } from '@nats-io/transport-node'
import { Aedes } from 'aedes'
import { createGateway } from 'aedes-nats'
import mqtt from 'mqtt'

const broker = await Aedes.createBroker()
const server = net.createServer(broker.handle)
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
const gateway = await createGateway(broker, {
  host: '127.0.0.1',
  port: 0,
  // Where MQTT 3.1.1 devices answer, which cannot be told. MQTT 5 devices need no rule.
  replies: { 'devices/+/cmd': 'devices/+/cmd/reply' }
})
const url = `mqtt://127.0.0.1:${server.address().port}`

const lamp = await mqtt.connectAsync(url, { protocolVersion: 4 })
lamp.on('message', (topic, command) => {
  lamp.publish('devices/lamp/cmd/reply', `lamp: ${command} done`)
})
await lamp.subscribeAsync('devices/lamp/cmd')

const heater = await mqtt.connectAsync(url, { protocolVersion: 5 })
heater.on('message', (topic, command, { properties: { responseTopic, correlationData } }) => {
  heater.publish(responseTopic, `heater: ${command} done`, { properties: { correlationData } })
})
await heater.subscribeAsync('heaters/1')

const service = await connect({ servers: `127.0.0.1:${gateway.port}` })
console.log('MQTT 3.1.1', (await service.request('devices.lamp.cmd', 'turn on', { timeout: 5000 })).string())
console.log('MQTT 5', (await service.request('heaters.1', 'heat to 21', { timeout: 5000 })).string())

await service.close()
await Promise.all([lamp.endAsync(), heater.endAsync()])
await gateway.close()
server.close()
broker.close()
