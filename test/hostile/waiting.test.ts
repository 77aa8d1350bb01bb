import t from 'tap'
import type { PublishPacket } from '../../lib/broker/host.ts'
import { Replies } from '../../lib/routing/replies.ts'
import type { Space } from '../../lib/routing/spaces.ts'
import { startHost } from '../helper/brokers.ts'
import { connect } from '../helper/raw.ts'

// What waits for somebody else: a device to answer, a store to read.

/** A space that writes down which requests are answered. */
function spaceWith (answered: string[]): Space {
  return {
    mountpoint: '',
    bridge: { messageOf: (_packet: PublishPacket, reply: string) => ({ reply }) },
    router: { route: (reply: string) => ({ deliver: () => answered.push(reply) }) }
  } as unknown as Space
}

t.test('requests that no device answers hold 16 MiB at most', async (t) => {
  const answered: string[] = []
  const space = spaceWith(answered)
  const replies = new Replies({ 'devices/+/cmd': 'devices/+/cmd/reply' }, 1e9, [''], { add () {}, remove () {} })
  t.teardown(() => { replies.close() })
  const requests = 100_000
  for (let i = 0; i < requests; i++) replies.expect(space, `devices/${i}/cmd`, `_INBOX.${i}`)
  // Each is counted with 256 bytes, its reply subject, and its topic twice.
  t.ok(replies.size < 16_777_216 / 300, `${replies.size} requests`)
  t.ok(replies.size > 10_000, `${replies.size} requests`)
  const answer = (device: number): void => { replies.answer({ topic: `devices/${device}/cmd/reply` } as PublishPacket) }
  answer(0)
  answer(requests - 1)
  t.strictSame(answered, [`_INBOX.${requests - 1}`], 'the oldest gave way')

  for (let i = 0; i < 3000; i++) replies.expect(space, 'devices/same/cmd', `_INBOX.same.${i}`)
  replies.answer({ topic: 'devices/same/cmd/reply' } as PublishPacket)
  t.equal(answered[1], '_INBOX.same.1976', '1,024 wait for one device at most')

  const long = 'x'.repeat(60_000)
  for (let i = 0; i < 300; i++) replies.expect(space, `devices/${long}${i}/cmd`, '_INBOX.long')
  t.ok(replies.size < 16_777_216 / 120_000 + 1, `${replies.size} requests`)
})

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
