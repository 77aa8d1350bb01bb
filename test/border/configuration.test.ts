import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { connectMqtt } from '../helper/mqtt.ts'
import { scratch } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startServer } from '../helper/server.ts'
import { block, msg } from './frames.ts'

t.test('the stand-alone server does what its configuration says of subjects and topics', async (t) => {
  const file = path.join(scratch(t), 'nats.conf')
  writeFileSync(file, `
    mqtt { port: -1 }
    replies { "devices/+/cmd": "devices/+/cmd/reply" }
    publish { "state.*" { retain: true } }
    mapping { "iot.": "things/" }
    retained: true
    listeners [ { listen: "127.0.0.1:-1", mountpoint: "factory/" } ]
  `)
  const server = await startServer(t, ['-c', file])
  const [, second] = [...server.process.output.matchAll(/Listening for client connections on 127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
  const device = await connectMqtt(t, server.mqttUrl)
  await device.subscribe(['devices/1/cmd', 'things/+', 'factory/a'], { qos: 0 })
  const client = await connect(t, server.natsPort)
  const tenant = await connect(t, second as number)
  client.send('SUB inbox 1\r\nPUB devices.1.cmd inbox 2\r\non\r\nPUB iot.x 1\r\n2\r\nPUB state.x 1\r\n3\r\n')
  await client.fence()
  tenant.send('PUB a 1\r\n4\r\n')
  t.strictSame((await device.take(3)).map(({ topic, payload }) => `${topic} ${payload.toString()}`), ['devices/1/cmd on', 'things/x 2', 'factory/a 4'])
  await device.publish('devices/1/cmd/reply', 'done', { qos: 0 })
  await client.expect(msg('inbox', '1', 'done'))
  client.send('SUB state.> 2\r\n')
  t.equal(await client.fence(), msg('state.x', '2', '3', block('Nmqtt-Retain: true')))
})
