import t, { type Test } from 'tap'
import { type Setting, settings } from '../durable/hosts.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { got, next, openPortOf, pub, tenants } from './tenants.ts'

let groups = 0

/** A name that no other test has, since all on one Redis share it. */
function fresh (): string {
  return `acked.tenants${++groups}`
}

function suite (t: Test, setting: Setting): void {
  t.test('groups of the same name are one for each mountpoint', async (t) => {
    const queue = fresh()
    const host = await setting.start(t, { nats: tenants })
    const device = await connectMqtt(t, host.mqttUrl)
    const ports = { 'ann/': host.natsPort, 'bob/': host.natsPort, '': openPortOf(host) }
    const join = async (mountpoint: keyof typeof ports, filter = 's.>'): Promise<RawClient> => {
      const client = await connect(t, ports[mountpoint], { user: mountpoint.slice(0, -1) })
      client.send(`SUB ${filter} ${queue} 1\r\n`)
      await client.fence()
      return client
    }
    for (const client of [await join('ann/'), await join('bob/'), await join('', '*.s.>')]) {
      client.socket.end()
      await client.end()
    }
    for (const topic of ['ann/s/1', 'ann/s/2', 'bob/s/1', 's/1', 'cleo/s/1']) await device.publish(topic, topic, { qos: 1 })
    const { durables } = host.gateway
    const own = async (): Promise<string[]> => (await durables.list()).filter((info) => info.name === queue)
      .map(({ mountpoint, filters, waiting }) => `${mountpoint}: ${filters.join()} ${waiting}`).sort()
    t.strictSame(await own(), [': +/s/# 4', 'ann/: ann/s/# 2', 'bob/: bob/s/# 1'])
    t.match(await durables.inspect(queue, 'bob/'), { mountpoint: 'bob/', waiting: 1 })
    t.match(await durables.inspect(queue), { mountpoint: '', waiting: 4 })
    t.equal(await durables.inspect(queue, 'cleo/'), null)

    const ann = await join('ann/')
    for (const payload of ['ann/s/1', 'ann/s/2']) {
      const frame = await next(ann)
      t.match(frame, { subject: `s.${payload.at(-1) ?? ''}`, payload })
      ann.send(pub(frame.reply))
    }
    t.equal(await durables.purge(queue), 4)
    t.match(await durables.inspect(queue, 'bob/'), { waiting: 1 })
    await t.rejects(durables.remove(queue, 'ann/'), { code: 'NATS_ERR_DURABLE_IN_USE' })
    await durables.remove(queue)
    await durables.remove(queue, 'bob/')
    t.strictSame((await own()).map((line) => line.split(' ')[0]), ['ann/:'])
    ann.send(`UNSUB 1\r\nSUB s.> ${queue} 2\r\n`)
    await ann.fence()
    await device.publish('ann/s/3', '', { qos: 1 })
    t.match(await next(ann), { subject: 's.3', sid: '2' })
  })

  t.test('nobody acknowledges for another tenant', async (t) => {
    const queue = fresh()
    const host = await setting.start(t, { nats: tenants })
    const device = await connectMqtt(t, host.mqttUrl)
    const [ann, bob, open] = await Promise.all([connect(t, host.natsPort, { user: 'ann' }), connect(t, host.natsPort, { user: 'bob' }), connect(t, openPortOf(host))])
    ann.send(`SUB s ${queue} 1\r\n`)
    await ann.fence()
    await device.publish('ann/s', 'x', { qos: 1 })
    const { reply } = await next(ann)
    t.match(reply, /^\$JS\.ACK\./)
    for (const other of [bob, open]) {
      other.send(`SUB answer 1\r\n${pub(reply, '', 'answer')}${pub(`ann.${reply}`)}`)
      t.equal(await other.fence(), '')
    }
    t.match(await host.gateway.durables.inspect(queue, 'ann/'), { pending: 1, claimed: 1 })
    const other = await connect(t, host.natsPort, { user: 'ann' })
    other.send(`SUB answer 1\r\n${pub(reply, '', 'answer')}`)
    await other.expect('MSG answer 1 0\r\n\r\n')
    t.match(await host.gateway.durables.inspect(queue, 'ann/'), { pending: 0, claimed: 0 })
  })

  t.test('dead letters stay with the tenant', async (t) => {
    const queue = `${fresh()}\xc3\xa9`
    const host = await setting.start(t, { nats: { ...tenants, maxDeliver: 1 } })
    const device = await connectMqtt(t, host.mqttUrl)
    await device.subscribe('#')
    const [ann, bob, watcher] = await Promise.all(['ann', 'bob', 'ann'].map(async (user): Promise<RawClient> => await connect(t, host.natsPort, { user }))) as [RawClient, RawClient, RawClient]
    bob.send('SUB > 1\r\n')
    watcher.send('SUB dead-letter.> 1\r\n')
    ann.send(`SUB s ${queue} 1\r\n`)
    await Promise.all([ann.fence(), bob.fence(), watcher.fence()])
    await device.publish('ann/s', 'poison', { qos: 1 })
    ann.send(pub((await next(ann)).reply, '-NAK'))
    const name = Buffer.from(queue, 'latin1').toString()
    t.strictSame((await device.take(2)).map(({ topic }) => topic), ['ann/s', `ann/dead-letter/${name.replace('.', '/')}/s`])
    t.match(await next(watcher), { subject: `dead-letter.${queue}.s`, payload: 'poison' })
    t.strictSame(await got(bob), [])
  })
}

t.test('durable groups of tenants', async (t) => {
  for (const setting of await settings(t)) t.test(setting.name, async (t) => { suite(t, setting) })
})

t.test('dead letters have topics', async (t) => {
  const [setting] = await settings(t)
  const message = /option 'deadLetter' is "dead-letter", below which the option mapping has no topics: allowed is/
  for (const nats of [{ mapping: { 'iot.': '' } }, { mapping: { 'a.': 'b/' }, mappingOnly: true }, { mappingOnly: true }]) {
    await t.rejects((setting as Setting).start(t, { nats: { ...nats, maxDeliver: 1 } }), { code: 'NATS_ERR_OPTION', message })
    await (setting as Setting).start(t, { nats })
    await (setting as Setting).start(t, { nats: { ...nats, maxDeliver: 1, durable: false } })
  }
  await (setting as Setting).start(t, { nats: { mapping: { 'iot.': '' }, maxDeliver: 1, deadLetter: 'iot.dead' } })
  await (setting as Setting).start(t, { nats: { mapping: { 'dead-letter.': 'dead/' }, mappingOnly: true, maxDeliver: 1 } })
})
