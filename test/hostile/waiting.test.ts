import t from 'tap'
import { startHost } from '../helper/brokers.ts'
import { connect } from '../helper/raw.ts'

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
