import t from 'tap'
import { versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { framesOf, got, library, startTenants } from './tenants.ts'

for (const { name, mqtt5, create } of versions) {
  t.test(`${name}: devices that see no reply subject answer their own tenant`, async (t) => {
    const host = await startTenants(t, create, { replies: { 'devices/+/cmd': 'devices/+/cmd/reply' } })
    const [ann, bob] = await Promise.all([library(t, host.natsPort, 'ann'), library(t, host.natsPort, 'bob')])
    for (const [user, client] of [['ann', ann], ['bob', bob]] as const) {
      const device = await connectMqtt(t, host.mqttUrl)
      await device.subscribe(`${user}/devices/1/cmd`)
      device.client.on('message', (topic, payload) => { device.client.publish(`${topic}/reply`, `${user} ${payload.toString()}`) })
      client.subscribe('spare', { callback: (_error, message) => { message.respond() } })
    }
    const watcher = await connect(t, host.natsPort, { user: 'ann' })
    watcher.send('SUB devices.> 1\r\n')
    await watcher.fence()
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, i) => (await (i % 2 === 0 ? ann : bob).request('devices.1.cmd', String(i))).string()))
    t.strictSame(answers, Array.from({ length: 20 }, (_, i) => `${i % 2 === 0 ? 'ann' : 'bob'} ${i}`))
    t.strictSame((await got(watcher)).filter((line) => line.includes('reply')).map((line) => line.split(' ').at(-2)), Array.from({ length: 10 }, () => 'ann'), 'others see the answers, as what they are')
    await t.rejects(bob.request('devices.2.cmd'), { message: /no responders/ })
  })

  t.test(`${name}: an MQTT 5 device of a tenant answers, and asks`, { skip: mqtt5 ? false : 'no MQTT 5' }, async (t) => {
    const host = await startTenants(t, create)
    const device = await connectMqtt(t, host.mqttUrl, { protocolVersion: 5 })
    await device.subscribe(['ann/dev', 'ann/answers', 'bob/answers'], { qos: 0 })
    device.client.on('message', (topic, payload, { properties }) => {
      const to = properties?.responseTopic ?? ''
      if (topic === 'ann/dev') device.client.publish(to, `${to.split('/_INBOX/')[0] ?? ''} ${payload.toString()}`)
    })
    const [ann, bob, open] = await Promise.all([library(t, host.natsPort, 'ann'), library(t, host.natsPort, 'bob'), library(t, host.openPort)])
    t.equal((await ann.request('dev', 'x')).string(), 'ann x', 'the response topic has the mountpoint')
    t.match((await open.request('ann.dev', 'y')).string(), /^_INBOX\/\S+ y$/)
    await t.rejects(bob.request('dev', 'x'), { message: /no responders/ })
    await device.take(2)

    ann.subscribe('ask', { callback: (_error, message) => { message.respond(`ann: ${message.reply ?? ''}`) } })
    open.subscribe('bob.ask', { callback: (_error, message) => { message.respond(`open: ${message.reply ?? ''}`) } })
    const witness = await connect(t, host.natsPort, { user: 'ann' })
    witness.send('SUB ask 1\r\n')
    await Promise.all([ann.flush(), open.flush(), witness.fence()])
    const ask = async (topic: string, responseTopic: string): Promise<void> => {
      await device.publish(topic, 'x', { qos: 1, properties: { responseTopic, correlationData: Buffer.from([0, 255]) } })
    }
    for (const [who, by] of [['ann', 'ann: _MQTT_REPLY.AP8.answers'], ['bob', 'open: _MQTT_REPLY.AP8.bob.answers']] as const) {
      await ask(`${who}/ask`, `${who}/answers`)
      const [answer] = await device.take()
      t.equal(answer?.topic, `${who}/answers`)
      t.equal(answer?.payload.toString(), by)
      t.same(answer?.properties?.['correlationData'], Buffer.from([0, 255]))
    }
    await ask('ann/ask', 'bob/answers')
    t.strictSame(framesOf(await witness.fence()).map(({ reply }) => reply), ['_MQTT_REPLY.AP8.answers', ''], 'a response topic of another tenant is no reply subject')
  })
}
