import t from 'tap'
import { QueueGroup } from '../../lib/routing/queue-group.ts'
import { Route } from '../../lib/routing/route.ts'
import type { Node, Receiver, RemoteReceiver } from '../../lib/routing/receiver.ts'
import { type Message, messageOf } from '../../lib/wire/message.ts'

class FakeNode implements Node {
  readonly id: string
  /** The subjects that it was sent, with the number of groups that chose it. */
  readonly sent: string[] = []
  isAlive = true
  isLate = false
  isCongested = false
  chosen = 0

  constructor (id: string) {
    this.id = id
  }

  get isChosen (): boolean { return this.chosen > 0 }
  choose (): void { this.chosen++ }
  send ({ subject }: Message): void {
    this.sent.push(`${subject} ${this.chosen}`)
    this.chosen = 0
  }

  whenRelieved (callback: () => void): void { callback() }
}

function member (takes = true): Receiver & { got: number } {
  const receiver = { filter: 'a', queue: 'q', got: 0, deliver: () => { if (takes) receiver.got++; return takes } }
  return receiver
}

function remote (node: Node, members: number): RemoteReceiver {
  return { filter: 'a', queue: 'q', node, mountpoint: '', members, deliver: () => false }
}

/** The group as a node sees it that has some members, beside others. */
function groupOf (here: readonly Receiver[], others: readonly RemoteReceiver[], prefersHere = false): QueueGroup {
  const group = new QueueGroup('q', prefersHere)
  for (const each of [...here, ...others]) group.add(each)
  return group
}

/** As a route does: here, or named to another node. */
function deliver (group: QueueGroup): boolean {
  return group.deliver(message, null) || group.choose()
}

const message = messageOf('a', '', '')
const count = 20_000

t.test('members get even shares, wherever they are', async (t) => {
  const [b, c] = [new FakeNode('B'), new FakeNode('C')]
  const own = [member(), member()]
  const group = groupOf(own, [remote(b, 1), remote(c, 1), remote(c, 2)])
  for (let i = 0; i < count; i++) deliver(group)
  for (const got of [...own.map((each) => each.got), b.chosen, c.chosen / 3]) t.ok(Math.abs(got / count - 1 / 6) < 0.02, String(got))
})

t.test('a node of its own is preferred where asked, and others get what its members do not take', async (t) => {
  const b = new FakeNode('B')
  const own = member()
  for (let i = 0; i < 100; i++) deliver(groupOf([own], [remote(b, 50)], true))
  t.strictSame([own.got, b.chosen], [100, 0])
  t.ok(deliver(groupOf([member(false)], [remote(b, 1)], true)))
  t.equal(b.chosen, 1)
  t.notOk(deliver(groupOf([member(false)], [])))
})

t.test('a node that may be gone gets nothing while there is another one', async (t) => {
  const [b, c] = [new FakeNode('B'), new FakeNode('C')]
  b.isLate = true
  const own = member()
  for (let i = 0; i < 200; i++) deliver(groupOf([own], [remote(b, 5), remote(c, 1)]))
  t.equal(b.chosen, 0)
  t.ok(c.chosen > 0 && own.got > 0)
  t.ok(deliver(groupOf([], [remote(b, 1)])), 'it is better than nobody')
  t.equal(b.chosen, 1)
})

t.test('where every node chooses for itself, exactly one does, by members; a new member changes its own share alone', async (t) => {
  const counts: Record<string, number> = { A: 2, B: 1, C: 3 }
  const seenBy = (id: string, all: Record<string, number>): QueueGroup => groupOf(Array.from({ length: all[id] ?? 0 }, () => member()),
    Object.entries(all).filter(([other]) => other !== id).map(([other, members]) => remote(new FakeNode(other), members)))
  const chosen = (all: Record<string, number>, key: number): string[] => Object.keys(all).filter((id) => seenBy(id, all).isChosenByAll(key, id))
  const shares: Record<string, number> = { A: 0, B: 0, C: 0 }
  let moved = 0
  for (let key = 0; key < 6000; key++) {
    const ids = chosen(counts, key + 2 ** 50)
    if (ids.length !== 1) t.fail(`${ids.join()} for ${key}`)
    shares[ids[0] as string] = (shares[ids[0] as string] ?? 0) + 1
    if (chosen({ ...counts, B: 2 }, key + 2 ** 50)[0] !== ids[0]) moved++
  }
  for (const [id, members] of Object.entries(counts)) t.ok(Math.abs((shares[id] as number) / 6000 - members / 6) < 0.03, `${id} ${shares[id]}`)
  t.ok(moved / 6000 < 1 / 6, `${moved} moved`)
  t.strictSame(chosen({ A: 0, B: 1 }, 5), ['B'], 'a node without members never')
})

t.test('a message that the host publishes while another one is delivered takes nothing from it', async (t) => {
  const node = new FakeNode('B')
  const inner = new Route('inner', undefined, [remote(node, 1)])
  const publishing: Receiver = { filter: 'a', queue: 'other', deliver: () => inner.deliver(messageOf('inner', '', ''), null) >= 0 }
  const outer = new Route('outer', undefined, [remote(node, 1), publishing])
  t.equal(outer.deliver(messageOf('outer', '', ''), null), 2)
  t.strictSame(node.sent, ['inner 1', 'outer 1'])
  outer.deliverNamed(messageOf('outer', '', ''), false, ['q', 'other'], true, null)
  t.strictSame(node.sent.slice(2), ['inner 1', 'outer 1'])
})
