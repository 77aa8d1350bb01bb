import t from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import { versions, startHost } from './helper/brokers.ts'
import { connectMqtt } from './helper/mqtt.ts'
import { connect } from './helper/raw.ts'

for (const { name, create, mqtt5 } of versions) {
  for (const protocolVersion of mqtt5 ? [4, 5] as const : [4] as const) {
    t.test(`${name}, MQTT ${protocolVersion}: NATS to MQTT and back`, async (t) => {
      const host = await startHost(t, { create })
      const mqtt = await connectMqtt(t, host.mqttUrl, { protocolVersion })
      const nats = await connectNats({ servers: host.natsUrl })
      t.teardown(() => nats.close())

      await mqtt.subscribe('sensor/data/temperature')
      nats.publish('sensor.data.temperature', '{"device_id": "sensor_001", "temp": 25.5}')
      const [toMqtt] = await mqtt.take()
      t.equal(toMqtt?.topic, 'sensor/data/temperature')
      t.equal(toMqtt?.payload.toString(), '{"device_id": "sensor_001", "temp": 25.5}')

      const subscription = nats.subscribe('command.device.light_001', { max: 1 })
      await nats.flush()
      await mqtt.publish('command/device/light_001', '{"action": "turn_on", "brightness": 80}')
      for await (const message of subscription) {
        t.equal(message.subject, 'command.device.light_001')
        t.equal(message.string(), '{"action": "turn_on", "brightness": 80}')
      }
    })
  }

  t.test(`${name}: raw`, async (t) => {
    const host = await startHost(t, { create })
    const client = await connect(t, host.natsPort)
    client.send('SUB foo 1\r\nPUB foo 5\r\nhello\r\n')
    t.equal(await client.fence(), 'MSG foo 1 5\r\nhello\r\n')
  })
}
