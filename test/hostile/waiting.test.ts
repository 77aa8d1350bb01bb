import t from 'tap'
import { startHost } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { startVictim } from './victim.ts'

// What waits for somebody else: a store to read.

t.test('live messages that wait for retained ones count against maxPending, empty ones too', async (t) => {
  const { broker, gateway, natsPort } = await startHost(t, { nats: { retained: true, maxPayload: 1000, maxPending: 100_000 } })
  let isRead = (): void => {}
  // A store that does not answer.
  const { persistence } = broker as unknown as { persistence: { createRetainedStreamCombi (): AsyncGenerator<never> } }
  persistence.createRetainedStreamCombi = async function * (): AsyncGenerator<never> {
    await new Promise<void>((resolve) => { isRead = resolve })
  }
  const reader = await connect(t, natsPort)
  const publisher = await connect(t, natsPort)
  reader.send('SUB a 1\r\n')
  while (gateway.subscriptions === 0) await publisher.fence()
  let sent = 0
  while (gateway.clients.size === 2 && sent < 10_000) {
    publisher.send('PUB a 0\r\n\r\n'.repeat(10))
    await publisher.fence()
    sent += 10
  }
  t.equal(await reader.end(), '')
  t.ok(sent <= 100_000 / 256 + 10, `${sent} messages`)
  t.equal(gateway.counters.slowConsumers, 1)
  isRead()
})

t.test('a filter that comes and goes is one listener at the queue, which looks through all of them to forget one', async (t) => {
  const { broker, natsPort } = await startHost(t)
  const calls = { listen: 0, unlisten: 0 }
  const { subscribe, unsubscribe } = broker
  broker.subscribe = (...args) => {
    calls.listen++
    subscribe.apply(broker, args)
  }
  broker.unsubscribe = (...args) => {
    calls.unlisten++
    unsubscribe.apply(broker, args)
  }
  const client = await connect(t, natsPort)
  client.send('SUB a 1\r\nUNSUB 1\r\n'.repeat(10_000))
  t.equal(await client.fence(), '')
  // As many turns as chunks, perhaps.
  t.ok(calls.listen < 1000, `${calls.listen} times`)
  while (calls.unlisten < calls.listen) await new Promise((resolve) => { setImmediate(resolve) })
  client.send('SUB a 1\r\nUNSUB 1\r\nSUB a 2\r\n')
  await client.fence()
  broker.publish({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, retain: false, dup: false }, () => {})
  await client.expect('MSG a 2 1\r\nx\r\n')
  t.equal(calls.listen, calls.unlisten + 1)
})

t.test('requests that a device does not answer are kept up to so many bytes, their reply subjects included', async (t) => {
  const victim = await startVictim(t, { replies: { 'devices/+/cmd': 'devices/+/reply' }, durable: false })
  const device = await connectMqtt(t, `mqtt://127.0.0.1:${victim.mqttPort}`, { protocolVersion: 4, clientId: 'device' })
  await device.subscribe('devices/+/cmd', { qos: 0 })
  const client = await connect(t, victim.natsPort)
  const before = await victim.report(1, 1)
  client.send('SUB inbox.> 1\r\n')
  const reply = `inbox.${'x'.repeat(4000)}`
  for (let i = 0; i < 20_000; i++) {
    client.send(`PUB devices.${i}.cmd ${reply} 0\r\n\r\n`)
    if (i % 1000 === 0) t.equal(await client.fence(), '')
  }
  await client.fence()
  const { bytes } = await victim.report(1, 1)
  t.ok(bytes - before.bytes < 56 * 1024 * 1024, `${bytes - before.bytes} bytes for 80 MB`)
  await device.publish('devices/0/reply', 'done', { qos: 0 })
  await client.expect(`MSG ${reply} 1 4\r\ndone\r\n`)
})
