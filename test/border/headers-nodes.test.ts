import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { HostBroker, PublishPacket } from '../../lib/broker/host.ts'
import { type Host, versions } from '../helper/brokers.ts'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { startServer } from '../helper/server.ts'

// Header blocks between two nodes: NATS clients get them byte for byte, MQTT 5 clients as user properties.

const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const hpub = (subject: string, header: string): string => `HPUB ${subject} ${header.length} ${header.length + 1}\r\n${header}x\r\n`
const hmsg = (subject: string, header: string): string => `HMSG ${subject} 1 ${header.length} ${header.length + 1}\r\n${header}x\r\n`

const odd: [string, object][] = [
  [block('A: 1', 'B: 2', 'A:3', 'a:  4 \t'), { userProperties: { A: ['1', '3'], B: '2', a: '4' } }],
  ['NATS/1.0 503\r\n\r\n', {}],
  ['NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 3\r\n\r\n', { userProperties: { 'Nats-Last-Consumer': '3' } }],
  [block('Nmqtt-QoS: 1', 'Nmqtt-Content-Type: text/plain', 'Nmqtt-Id: x', 'B: b'), { contentType: 'text/plain', userProperties: { B: 'b' } }],
  [block('A: \xff\xfe', 'B: \xc3\xa4', 'C:\0', 'no colon', ': no name'), { userProperties: { B: 'ä' } }],
  ['A: 1', {}],
  ['\r\n\r\n\r\n', {}],
  ['\x00\x80\xff', {}]
]

interface Node { readonly natsPort: number, readonly mqttUrl: string }

async function subscribeAt (t: Test, { natsPort, mqttUrl }: Node, mqtt5: boolean): Promise<{ near: RawClient, device: MqttPeer }> {
  const near = await connect(t, natsPort)
  near.send('SUB h.> 1\r\n')
  await near.fence()
  const device = await connectMqtt(t, mqttUrl, { protocolVersion: mqtt5 ? 5 : 4 })
  await device.subscribe('h/#')
  return { near, device }
}

/** Publishes blocks at the first node, and sees that they are at both as they should be. */
async function check (t: Test, nodes: readonly [Node, Node], mqtt5: boolean): Promise<void> {
  const publisher = await connect(t, nodes[0].natsPort)
  const receivers = [await subscribeAt(t, nodes[0], mqtt5), await subscribeAt(t, nodes[1], mqtt5)]
  for (const subject of ['h.zero', 'h.one']) {
    for (const [header, properties] of odd) {
      const sent = subject === 'h.one' && !header.includes('Nmqtt-QoS') && header.startsWith('NATS/1.0\r\n') ? header.replace('\r\n', '\r\nNmqtt-QoS: 1\r\n') : header
      publisher.send(hpub(subject, sent))
      for (const { near, device } of receivers) {
        await near.expect(hmsg(subject, sent))
        const [message] = await device.take()
        t.same(message?.properties ?? {}, mqtt5 ? properties : {}, JSON.stringify(sent))
      }
    }
  }
  // Without headers there are none.
  publisher.send('PUB h.plain 1\r\nx\r\n')
  for (const { near, device } of receivers) {
    await near.expect('MSG h.plain 1 1\r\nx\r\n')
    t.equal((await device.take())[0]?.properties, undefined)
  }
  const anything = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const [headers] = fc.sample(fc.array(fc.oneof(anything, fc.array(anything).map((lines) => block(...lines))), { minLength: 200, maxLength: 200 }), { numRuns: 1 })
  publisher.send((headers ?? []).map((header) => hpub('h.any', header)).join(''))
  for (const { near } of receivers) {
    for (const header of headers ?? []) await near.expect(hmsg('h.any', header))
  }
}

for (const { name, mqtt5, create } of versions) {
  t.test(name, async (t) => {
    const { port } = await startRedis(t)
    const start = (): Promise<Host> => startRedisHost(t, port, { create, nats: { redis: { url: `redis://127.0.0.1:${port}` } } })
    const nodes = [await start(), await start()] as const

    t.test('header blocks cross byte for byte', async (t) => { await check(t, nodes, mqtt5) })

    t.test('the block is in no packet that the host or a store sees', async (t) => {
      const stored: PublishPacket[] = []
      const { persistence } = nodes[0].broker as unknown as HostBroker
      const { outgoingEnqueueCombi } = persistence
      persistence.outgoingEnqueueCombi = function (subscriptions, packet) {
        stored.push({ ...packet })
        return outgoingEnqueueCombi.call(this, subscriptions, packet)
      }
      t.teardown(() => { persistence.outgoingEnqueueCombi = outgoingEnqueueCombi })
      // Aedes shows it once Redis has answered, which may be after the PONG.
      const shown = new Promise<object>((resolve) => {
        nodes[0].broker.on('publish', (packet) => { if (packet.topic === 'stored') resolve(packet) })
      })
      const publisher = await connect(t, nodes[0].natsPort)
      publisher.send(hpub('stored', block('Nmqtt-QoS: 1', 'A: 1')))
      await publisher.fence()
      t.match(stored, [{ topic: 'stored', qos: 1, clientId: /^nats:/, natsHeader: undefined }])
      t.match(await shown, { topic: 'stored', natsHeader: undefined })
    })

    t.test('a property that came twice, or was cut off, ends no node', async (t) => {
      const far = await connect(t, nodes[1].natsPort)
      far.send('SUB odd 1\r\n')
      await far.fence()
      const properties = { responseTopic: ['a', 'b'], contentType: null, correlationData: [Buffer.from('a')], userProperties: { 'a b': 'c\r\nd', e: [null, 'f'] } }
      nodes[0].broker.publish({ cmd: 'publish', topic: 'odd', payload: Buffer.from('x'), qos: 0, retain: false, dup: false, properties } as never, () => {})
      await far.expect(hmsg('odd', block('Nmqtt-Pub: 0', 'a%20b: c  d', 'e: f')))
    })
  })
}

t.test('through the queue of the stand-alone server', async (t) => {
  const { url } = await startRedis(t)
  const nodes = [await startServer(t, ['--redis', url]), await startServer(t, ['--redis', url])] as const
  await check(t, nodes, true)
})
