import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { FrameReader, readHead, wantedFrame } from '../../lib/cluster/frames.ts'
import { OwnInterest } from '../../lib/cluster/own-interest.ts'
import { Peer } from '../../lib/cluster/peer.ts'
import type { Presence } from '../../lib/cluster/presence.ts'
import type { Receiver } from '../../lib/routing/receiver.ts'
import type { Spaces } from '../../lib/routing/spaces.ts'
import { Trie } from '../../lib/subject/trie.ts'
import { messageOf } from '../../lib/wire/message.ts'

/** One end of two nodes: what it knows of the other one, and what reaches it. */
class End {
  readonly name: string
  readonly received: string[] = []
  readonly remote: Receiver[] = []
  readonly wanted = new Map<string, number>()
  /** Batches on their way to the other end. */
  out: Buffer[] = []
  peer: Peer
  stamp = 0
  readonly failures: string[] = []
  lost = 0

  constructor (name: string, other: string) {
    this.name = name
    this.peer = this.meet(other)
  }

  meet (other: string): Peer {
    const router = {
      subscribe: (receiver: Receiver) => { this.remote.push(receiver) },
      unsubscribe: (receiver: Receiver) => { this.remote.splice(this.remote.indexOf(receiver), 1) }
    }
    const spaces = {
      receiveNamed: ({ body }: { body: string }) => {
        if (body === 'throw') throw new Error('as asked')
        this.received.push(body)
      },
      enter: () => ({ router }),
      leave: () => {}
    } as unknown as Spaces
    this.peer = new Peer(presenceOf(other, {}), {
      node: this.name,
      spaces,
      listeners: new Trie<object>(),
      transmit: (_topic, bytes) => { this.out.push(bytes) },
      interest: this,
      wake: () => {},
      lost: (_peer, count) => { this.lost += count },
      joined: () => {},
      failed: (_peer, what, { message }) => { this.failures.push(`${what}: ${message}`) },
      changed: () => {}
    }, new FrameReader())
    return this.peer
  }

  /** All that it wants, as frames. */
  state (): string[] {
    return [...this.wanted].map(([filter, members]) => wantedFrame({ filter, queue: 'q', mountpoint: '', isStored: false }, members))
  }

  want (filter: string, members: number): void {
    this.stamp++
    if (members === 0) this.wanted.delete(filter)
    else this.wanted.set(filter, members)
    this.peer.tell(wantedFrame({ filter, queue: 'q', mountpoint: '', isStored: false }, members))
  }

  send (text: string): void {
    this.peer.send(messageOf('s', '', text), '', true, false, null)
  }

  /** The end of a turn of the event loop. */
  turn (): void {
    this.peer.link.flush()
  }

  take (bytes: Buffer): void {
    const text = bytes.toString('latin1')
    const head = readHead(text)
    if (head !== null) this.peer.take(text, head)
  }

  get presence (): Presence {
    return presenceOf(this.name, { [this.peer.id]: this.peer.received })
  }

  /** What the other end wants, as this one knows it. */
  get known (): string[] {
    return this.remote.map((receiver) => `${receiver.filter} ${(receiver as unknown as { members: number }).members}`).sort()
  }

  get own (): string[] {
    return [...this.wanted].map(([filter, members]) => `${filter} ${members}`).sort()
  }
}

function presenceOf (node: string, received: Presence['received']): Presence {
  return { node, broker: node, urls: [], wsUrls: [], isLameDuck: false, isLeaving: false, received }
}

type Step = { readonly kind: 'send', readonly by: 0 | 1, readonly size: number } | { readonly kind: 'want', readonly by: 0 | 1, readonly filter: string, readonly members: number } |
  { readonly kind: 'turn' } | { readonly kind: 'beat' } | { readonly kind: 'deliver', readonly by: 0 | 1, readonly lose: boolean, readonly twice: boolean }

const by = fc.constantFrom(0 as const, 1 as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), by, size: fc.constantFrom(0, 10, 30_000, 70_000) }),
  fc.record({ kind: fc.constant('want' as const), by, filter: fc.constantFrom('a', 'b.*', 'c.>'), members: fc.nat(3) }),
  fc.record({ kind: fc.constant('turn' as const) }),
  fc.record({ kind: fc.constant('beat' as const) }),
  fc.record({ kind: fc.constant('deliver' as const), by, lose: fc.boolean(), twice: fc.boolean() })
)

/** Everything that is under way arrives, and is asked for again where it was lost. */
function settle (ends: readonly [End, End]): void {
  for (let round = 0; round < 6; round++) {
    for (let moved = true; moved;) {
      moved = false
      for (const [i, end] of ends.entries()) {
        end.turn()
        for (const bytes of end.out.splice(0)) {
          moved = true
          ends[1 - i]?.take(bytes)
        }
      }
    }
    ends[0].peer.heard(ends[1].presence)
    ends[1].peer.heard(ends[0].presence)
  }
}

t.test('two nodes on a queue that loses and repeats batches get all, once, in order, and agree on what they want', async (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const ends = [new End('A', 'B'), new End('B', 'A')] as const
    const sent: [string[], string[]] = [[], []]
    for (const each of steps) {
      if (each.kind === 'send') {
        const text = `${sent[each.by].length}:${'x'.repeat(each.size)}`
        sent[each.by].push(text)
        ends[each.by].send(text)
      } else if (each.kind === 'want') {
        ends[each.by].want(each.filter, each.members)
      } else if (each.kind === 'turn') {
        for (const end of ends) end.turn()
      } else if (each.kind === 'beat') {
        ends[0].peer.heard(ends[1].presence)
        ends[1].peer.heard(ends[0].presence)
      } else {
        const bytes = ends[each.by].out.shift()
        if (bytes === undefined || each.lose) continue
        ends[1 - each.by]?.take(bytes)
        if (each.twice) ends[1 - each.by]?.take(bytes)
      }
    }
    settle(ends)
    const lost = ends[0].lost + ends[1].lost
    // A node that heard beats of one that does not know it begins anew, which gives up what it had sent.
    if (lost === 0) t.ok(ends[1].received.join() === sent[0].join() && ends[0].received.join() === sent[1].join())
    for (const i of [0, 1] as const) t.ok(isSubsequence(ends[1 - i]?.received ?? [], sent[i]), 'never twice, never in another order')
    t.strictSame(ends[1].known, ends[0].own)
    t.strictSame(ends[0].known, ends[1].own)
    t.ok(ends[0].peer.isJoined && ends[1].peer.isJoined)
    t.equal(ends[0].peer.link.knownStamp, ends[0].stamp)
    t.ok(ends[0].peer.link.isIdle && ends[1].peer.link.isIdle)
  }), { numRuns: 300 })
})

function isSubsequence (part: readonly string[], all: readonly string[]): boolean {
  let at = 0
  for (const each of all) if (each === part[at]) at++
  return at === part.length
}

/** Two nodes that know each other. */
function joined (): readonly [End, End] {
  const ends = [new End('A', 'B'), new End('B', 'A')] as const
  settle(ends)
  return ends
}

t.test('a lost batch is asked for as soon as the next one comes', async (t) => {
  const [a, b] = joined()
  a.send('lost')
  a.turn()
  a.out.length = 0
  a.send('next')
  a.turn()
  b.take(a.out.splice(0)[0] as Buffer)
  t.strictSame(b.received, [])
  a.take(b.out.splice(0)[0] as Buffer)
  for (const bytes of a.out.splice(0)) b.take(bytes)
  t.strictSame(b.received, ['lost', 'next'])
})

t.test('the last batch is sent again after two heartbeats that do not know of it', async (t) => {
  const [a, b] = joined()
  a.send('lost')
  a.turn()
  a.out.length = 0
  a.peer.heard(b.presence)
  t.equal(a.out.length, 0, 'it may have been said before')
  a.peer.heard(b.presence)
  for (const bytes of a.out.splice(0)) b.take(bytes)
  t.strictSame(b.received, ['lost'])
})

t.test('a node that forgot the other is told everything anew, and what it had not acknowledged is counted as lost', async (t) => {
  const [a, b] = joined()
  a.want('a', 2)
  settle([a, b])
  a.send('lost')
  a.turn()
  a.out.length = 0
  b.peer.close()
  t.strictSame(b.known, [])
  b.meet('A')
  for (let i = 0; i < 3; i++) a.peer.heard(b.presence)
  t.equal(a.lost, 0, 'they may have been said at once')
  a.peer.beats = 3
  a.peer.heard(b.presence)
  settle([a, b])
  t.strictSame(b.known, ['a 2'])
  t.equal(a.lost, 1)
  a.send('next')
  settle([a, b])
  t.strictSame(b.received, ['next'])
})

/** Sends messages until so many bytes of them are under way. */
function pour (end: End, bytes: number): void {
  for (let sum = 0; sum < bytes; sum += 65_536) {
    end.send(''.padEnd(65_536))
    end.turn()
  }
}

/** What `performance.now` says can be moved on. */
function movableClock (t: Test): (milliseconds: number) => void {
  const { now } = performance
  let moved = 0
  performance.now = () => now.call(performance) + moved
  t.teardown(() => { performance.now = now })
  return (milliseconds) => { moved += milliseconds }
}

const MiB = 1024 * 1024

t.test('what a node does not take is bounded: publishers wait, then it is cut, and begins anew when it takes something', async (t) => {
  const move = movableClock(t)
  const [a, b] = joined()
  pour(a, 4 * MiB + 65_536)
  t.ok(a.peer.isCongested)
  let relieved = 0
  a.peer.whenRelieved(() => { relieved++ })
  const inFlight = a.out.reduce((sum, { length }) => sum + length, 0)
  t.ok(inFlight <= 4.2 * MiB, `${inFlight} bytes in flight`)
  pour(a, 60 * MiB)
  t.equal(a.lost, 0, 'what all connections have begun to send')
  move(3000)
  pour(a, MiB)
  t.equal(a.lost, 0)
  move(2100)
  t.notOk(a.peer.isCongested)
  pour(a, 65_536)
  t.equal(relieved, 1, 'nobody waits for what was given up')
  t.ok(a.lost > 1000, `${a.lost} given up`)
  t.ok(a.peer.link.unacknowledged < MiB, 'and not held')
  a.out.length = 0
  const lost = a.lost
  a.send('more')
  t.equal(a.lost, lost + 1)
  settle([a, b])
  a.send('after')
  settle([a, b])
  t.strictSame(b.received, ['after'])
})

t.test('what waits while publishers are held up is bounded, too', async (t) => {
  const [a] = joined()
  pour(a, 130 * MiB)
  t.equal(a.lost, 0)
  pour(a, 4 * MiB)
  t.ok(a.lost > 2000, `${a.lost} given up`)
  t.ok(a.peer.link.unacknowledged < 5 * MiB)
})

t.test('publishers are held up for as long as the other node takes much', async (t) => {
  const move = movableClock(t)
  const [a, b] = joined()
  pour(a, 60 * MiB)
  t.ok(a.peer.isCongested)
  for (let round = 0; round < 5; round++) {
    move(4000)
    for (const bytes of a.out.splice(0)) b.take(bytes)
    for (const bytes of b.out.splice(0)) a.take(bytes)
    t.ok(a.peer.isCongested, `after ${round}`)
  }
  move(5100)
  t.notOk(a.peer.isCongested)
})

t.test('a large message comes in parts, and a part that is lost is sent again', async (t) => {
  const [a, b] = joined()
  a.send('before')
  const large = 'x'.repeat(3 * MiB)
  a.send(large)
  a.send('after')
  a.turn()
  const batches = a.out.splice(0)
  t.ok(batches.every(({ length }) => length < MiB + 200), String(batches.map(({ length }) => length)))
  t.equal(batches.length, 5)
  for (const bytes of [batches[0], ...batches.slice(2)]) b.take(bytes as Buffer)
  t.strictSame(b.received, [])
  settle([a, b])
  t.ok(b.received.join() === ['before', large, 'after'].join())
})

t.test('a message in parts that nothing follows is forgotten once the node begins anew', async (t) => {
  const [a, b] = joined()
  a.send('x'.repeat(3 * MiB))
  a.turn()
  b.take(a.out.splice(0)[0] as Buffer)
  a.peer.close()
  a.meet('B')
  a.send('next')
  settle([a, b])
  t.strictSame(b.received, ['next'])
})

t.test('a node that wants more than may wait tells it all', async (t) => {
  const [a, b] = joined()
  a.peer.close()
  for (let i = 0; i < 200_000; i++) a.wanted.set(`${i}`.padStart(200, 'x'), 1)
  a.meet('B')
  settle([a, b])
  t.equal(a.lost, 0)
  t.equal(b.known.length, 200_000)
})

t.test('a node that is met gets nothing until all that it wants is known: the queue brings it everything so far', async (t) => {
  const a = new End('A', 'B')
  a.peer.close()
  a.out.length = 0
  for (let i = 0; i < 5000; i++) a.wanted.set(`filter.${i}`, 1)
  a.meet('B')
  const b = new End('B', 'A')
  const batches = a.out.splice(0)
  for (const bytes of batches.slice(0, -1)) b.take(bytes)
  t.strictSame(b.known, [])
  b.take(batches.at(-1) as Buffer)
  t.equal(b.known.length, 5000)
})

t.test('what a node wants does not keep the messages that it was told beside', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const [a, b] = joined()
  gc()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 500; i++) {
    a.send('x'.repeat(60_000))
    a.want(`_INBOX.abcdefghijklmnopqrst.${i}`, 1)
    a.turn()
    for (const bytes of a.out.splice(0)) b.take(bytes)
    b.received.length = 0
    for (const bytes of b.out.splice(0)) a.take(bytes)
  }
  gc()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown < 5_000_000, `${grown} bytes grown`)
  t.equal(b.known.length, 500)
})

t.test('whoever is not alive holds nobody up', async (t) => {
  const [a] = joined()
  for (let i = 0; i < 80; i++) {
    a.send('x'.repeat(65_536))
    a.turn()
  }
  let relieved = 0
  a.peer.whenRelieved(() => { relieved++ })
  t.ok(a.peer.isCongested)
  a.peer.setAlive(false)
  t.equal(relieved, 1)
  t.notOk(a.peer.isCongested)
})

t.test('a change that others need not know of has no number that somebody would wait for', async (t) => {
  const told: string[] = []
  const interest = new OwnInterest(() => [], (frame) => { told.push(frame) })
  const receiver = (queue: string | null): Receiver => ({ filter: 'a', queue, deliver: () => true })
  const one = receiver(null)
  for (const each of [one, receiver(null)]) interest.subscribed('', each)
  t.strictSame([interest.stamp, told.length], [1, 1])
  interest.unsubscribed('', one)
  t.strictSame([interest.stamp, told.length], [1, 1])
  interest.unsubscribed('', one)
  t.strictSame([interest.stamp, told.length], [2, 2])
  for (const each of [receiver('q'), receiver('q')]) interest.subscribed('', each)
  t.strictSame([interest.stamp, told.length], [4, 4])
})

t.test('what a node wants it gets while it says all of it anew, and only that afterwards', async (t) => {
  const [a, b] = joined()
  // More than a batch holds.
  for (let i = 0; i < 5000; i++) a.want(`filter.${i}`, 1)
  settle([a, b])
  t.equal(b.known.length, 5000)
  a.wanted.delete('filter.0')
  a.peer.close()
  a.meet('B')
  const batches = a.out.splice(0)
  t.ok(batches.length > 1, `${batches.length} batches`)
  for (const bytes of batches.slice(0, -1)) {
    b.take(bytes)
    t.equal(b.known.length, 5000)
    t.ok(b.peer.isJoined, 'the queue is not heard beside the batches')
  }
  b.take(batches.at(-1) as Buffer)
  t.strictSame(b.known, a.own)
})

t.test('a batch that cannot be read is said, and the node begins anew', async (t) => {
  const [a, b] = joined()
  a.want('a', 1)
  a.turn()
  const text = (a.out.splice(0)[0] as Buffer).toString('latin1')
  b.take(Buffer.from(text.replace(/\nS/, '\nZ'), 'latin1'))
  t.match(b.failures, [/a batch cannot be read: a frame of an unknown kind: "Z"/])
  a.peer.beats = 3
  for (let i = 0; i < 3; i++) a.peer.heard(b.presence)
  settle([a, b])
  t.strictSame(b.known, ['a 1'])
})

t.test('a hook of the host that throws at one message loses no other', async (t) => {
  const [a, b] = joined()
  for (const text of ['1', 'throw', '3']) a.send(text)
  settle([a, b])
  t.strictSame([b.received, b.failures], [['1', '3'], ['a message cannot be delivered: as asked']])
})
