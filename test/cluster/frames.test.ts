import fc from 'fast-check'
import t from 'tap'
import { completeFrame, FrameReader, type FrameTaker, headOf, joinedFrame, listenedFrame, messageFrame, publisherFrame, readHead, resetFrame, wakeFrame, wantedFrame, type Wanted } from '../../lib/cluster/frames.ts'
import { presenceText, readPresence } from '../../lib/cluster/presence.ts'
import { messageWith } from '../../lib/wire/message.ts'

/** Keeps what it takes, as something to compare. */
class Kept implements FrameTaker {
  readonly all: unknown[] = []

  message (...[{ subject, reply, header, body, tail, qos }, ...rest]: Parameters<FrameTaker['message']>): void {
    this.all.push(['message', { subject, reply, header, body, tail, qos }, ...rest])
  }

  publisher (clientId: string): void { this.all.push(['publisher', clientId]) }
  wanted (wanted: Wanted, members: number): void { this.all.push(['wanted', wanted, members]) }
  listened (filter: string, isListened: boolean): void { this.all.push(['listened', filter, isListened]) }
  wakeUp (mountpoint: string, queue: string): void { this.all.push(['wake', mountpoint, queue]) }
  reset (): void { this.all.push(['reset']) }
  complete (): void { this.all.push(['complete']) }
  joined (): void { this.all.push(['joined']) }
}

function read (text: string, start = 0): unknown[] {
  const kept = new Kept()
  new FrameReader().read(text, start, kept)
  return kept.all
}

// Bytes as latin1 text: of payloads any, of names those that NATS has in names.
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'))
const name = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((array) => Buffer.from(array.map((byte) => byte <= 0x20 || byte === 0x7f ? 0x61 : byte)).toString('latin1'))

const message = fc.record({
  subject: name,
  reply: fc.oneof(fc.constant(''), name),
  header: fc.oneof(fc.constant(''), bytes.map((text) => `NATS/1.0\r\nA:${text}\r\n\r\n`)),
  payload: bytes,
  qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
  mountpoint: bytes,
  queues: fc.array(name, { maxLength: 3 }),
  marks: fc.nat({ max: 63 })
}).map(({ subject, reply, header, payload, qos, mountpoint, queues, marks }) => {
  const sent = messageWith(subject, reply, header, payload)
  sent.qos = qos
  const { tail } = sent
  return { text: messageFrame(sent, mountpoint, queues.join(' '), marks), means: ['message', { subject, reply, header, body: payload, tail, qos }, mountpoint, queues, marks] }
})
const wanted = fc.record({ filter: name, queue: fc.oneof(fc.constant(null), name), mountpoint: bytes, isStored: fc.boolean(), members: fc.nat() })
  .map(({ members, ...each }) => ({ text: wantedFrame(each, members), means: ['wanted', each, members] }))
const others = fc.oneof(
  fc.tuple(name, fc.boolean()).map(([filter, isListened]) => ({ text: listenedFrame(filter, isListened), means: ['listened', filter, isListened] })),
  bytes.map((clientId) => ({ text: publisherFrame(clientId), means: ['publisher', clientId] })),
  fc.tuple(bytes, name).map(([mountpoint, queue]) => ({ text: wakeFrame(mountpoint, queue), means: ['wake', mountpoint, queue] })),
  fc.constantFrom({ text: resetFrame, means: ['reset'] }, { text: completeFrame, means: ['complete'] }, { text: joinedFrame, means: ['joined'] })
)
const frame = fc.oneof(message, wanted, others)

t.test('frames say what they were made of, however many there are in a batch', async (t) => {
  fc.assert(fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
    const head = headOf('N1', 5, 7, 3, 2, true, true)
    const text = head + frames.map((each) => each.text).join('')
    t.strictSame(readHead(text), { node: 'N1', epoch: 5, number: 7, ackEpoch: 3, ackNumber: 2, isUrgent: true, goesOn: true, end: head.length })
    t.strictSame(read(text, head.length), frames.map((each) => each.means))
  }), { numRuns: 300 })
})

t.test('a batch that breaks off anywhere is an error or fewer frames, never other ones', async (t) => {
  const sent = messageWith('a.b', 'inbox', 'NATS/1.0\r\nA: b\r\n\r\n', 'x'.repeat(20))
  const frames = [messageFrame(sent, 'mount/', 'q1 q2', 5), wantedFrame({ filter: 'a.>', queue: 'q', mountpoint: 'm/', isStored: true }, 12), listenedFrame('x.*', false), wakeFrame('', 'acked.q'), publisherFrame('device'), joinedFrame]
  const text = frames.join('')
  const all = read(text)
  t.equal(all.length, 6)
  for (let end = 0; end < text.length; end++) {
    const kept = new Kept()
    try {
      new FrameReader().read(text.slice(0, end), 0, kept)
    } catch (error) {
      t.match((error as Error).message, /^a frame /)
    }
    t.strictSame(kept.all, all.slice(0, kept.all.length), `cut at ${end}`)
  }
})

t.test('what is no batch and no frame is told apart', async (t) => {
  for (const text of ['', 'x', 'N 1 2 3 4\n', 'N 1 2 3 4 4\n', 'N 1 2 3 4 5\n', 'N 1 2 x 4 0\n', '1 2 3 4 0\n', 'N 1 2 3 4 0']) t.equal(readHead(text), null, text)
  for (const text of ['Z\n', 'M@ a x 0 0 0 0 0\n', 'S@ a 1 5 5\nabc']) t.throws(() => { read(text) }, { message: /^a frame / }, text)
})

t.test('presence says what it was made of, and nothing else is taken for it', async (t) => {
  const presence = { node: 'N', broker: 'b/1', urls: ['a:1'], wsUrls: ['a:2'], isLameDuck: true, isLeaving: false, received: { M: [1, 2], ['__proto__']: [3, 4] } as Record<string, [number, number]> }
  const text = presenceText(presence)
  t.match(readPresence(text), { node: 'N', broker: 'b/1', urls: ['a:1'], wsUrls: ['a:2'], isLameDuck: true, isLeaving: false })
  t.strictSame(readPresence(text)?.received['M'], [1, 2])
  t.equal(readPresence(text)?.received['constructor'], undefined)
  for (const wrong of ['', 'x', 'null', '1', '{}', text.replace('"version":1', '"version":2'), text.replace('["a:1"]', '1'), text.replace('"N"', '1')]) t.equal(readPresence(wrong), null, wrong)
})
