import type { Teardown } from '../helper/brokers.ts'
import { type Counts, Ledger } from './ledger.ts'
import { type Kind, Node, Publisher, Redis, Subscriber } from './parties.ts'

/** How hard a scenario is run. */
export interface Dose {
  readonly messages: number
  readonly kills: number
  readonly seed: number
  /** What receives: our durable groups, persistent MQTT sessions beside our gateway, or such sessions of stock Aedes. */
  readonly peer: 'aedes-nats' | 'session' | 'aedes'
}

export interface Outcome {
  readonly counts: Counts
  /** What else was seen, in words. */
  readonly notes: readonly string[]
  /** What was not as it has to be, in words. */
  readonly broken: readonly string[]
  /** What the brokers said last, when something was not. */
  readonly log: string
}

export interface Scenario {
  readonly name: string
  readonly text: string
  /** For a full run and for the short form in `npm test`. */
  readonly messages: number
  readonly kills: number
  readonly short: { readonly messages: number, readonly kills: number }
  run (t: Teardown, dose: Dose): Promise<Outcome>
}

const topics = ['sensors/a', 'sensors/b', 'sensors/c/d']

// Nothing reported for so long, in seconds, is the end of a run. Longer than `ackWait` and all leases.
const patience = 40

// A handler that works 5 ms is slower than this publisher (messages a second), so both go on together.
const work = 5
const pace = 300

/** Random numbers from 0 to below 1 that a seed repeats (mulberry32). */
function randomFrom (seed: number): () => number {
  let state = seed
  return () => {
    state = state + 0x6d2b79f5 | 0
    let x = Math.imul(state ^ state >>> 15, 1 | state)
    x = x + Math.imul(x ^ x >>> 7, 61 | x) ^ x
    return ((x ^ x >>> 14) >>> 0) / 2 ** 32
  }
}

/** Random moments of a run, in order: as many messages published, or delivered, in turn. */
function moments (ledger: Ledger, { messages, kills, seed }: Dose, of: 'both' | 'delivered' = 'both'): (() => boolean)[] {
  const random = randomFrom(seed)
  const counts = Array.from({ length: kills }, () => Math.floor(messages * (0.03 + 0.77 * random()))).sort((a, b) => a - b)
  return counts.map((count, i) => of === 'both' && i % 2 === 0
    ? () => ledger.published >= count
    : () => ledger.counts.delivered + ledger.buried >= count)
}

function times (count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

interface Run extends Dose {
  readonly ledger: Ledger
  readonly redis: Redis
  readonly nodes: Node[]
}

async function begin (t: Teardown, dose: Dose, appendfsync: 'always' | 'everysec' = 'everysec'): Promise<Run> {
  return { ...dose, ledger: new Ledger(dose.messages), redis: await Redis.start(t, appendfsync), nodes: [] }
}

async function startNode (t: Teardown, { redis, peer, nodes }: Run, { id = 'node', fixed = false } = {}): Promise<Node> {
  const node = peer === 'aedes'
    ? await Node.host(t, redis, fixed ? id : `${id}-${Date.now()}`, true)
    : await (fixed ? Node.host(t, redis, id) : Node.standAlone(t, redis, id))
  nodes.push(node)
  return node
}

function kindFor ({ peer }: Dose, kind: Kind): Kind {
  return peer === 'aedes-nats' ? kind : 'session'
}

/** Everything acknowledged has been handled, or nothing has happened for long. */
async function settle ({ ledger, messages }: Run, publishers: readonly Publisher[], stalled = false): Promise<string[]> {
  const isOver = (): boolean => publishers.every(({ isDone }) => isDone)
  const isSettled = await ledger.until(() => isOver() && ledger.counts.lost === 0, stalled ? 1 : patience)
  if (isSettled) return ledger.published < messages ? ['not all were published'] : []
  return [isOver() ? 'messages did not come' : 'the publisher did not end']
}

/** What holds for every run: nothing acknowledged is lost, and what comes twice has one id. */
function judge (run: Run, broken: string[], notes: string[] = []): Outcome {
  const { counts, renamed } = run.ledger
  if (counts.lost > 0) broken.push(`${counts.lost} acknowledged messages were lost`)
  if (counts.acknowledged < run.messages / 2) broken.push('too few were acknowledged to prove anything')
  if (renamed > 0) broken.push(`${renamed} messages came again with another id`)
  return outcome(run, notes, broken)
}

function outcome ({ ledger, nodes }: Run, notes: readonly string[], broken: readonly string[]): Outcome {
  return { counts: ledger.counts, notes, broken, log: broken.length === 0 ? '' : nodes.map(({ lastWords }) => lastWords).join('\n') }
}

/** 1: the broker is killed and started again, the subscriber comes back by itself. */
async function killBroker (t: Teardown, dose: Dose, kind: Kind, fixed: boolean): Promise<Outcome> {
  const run = await begin(t, dose)
  const { ledger } = run
  const node = await startNode(t, run, { fixed })
  await Subscriber.start(t, ledger, { kind: kindFor(run, kind), nodes: [node] })
  const publisher = new Publisher(t, ledger, { ports: [node.mqttPort], to: run.messages, topics })
  let killed = 0
  for (const moment of moments(ledger, run)) {
    if (!await ledger.until(moment, patience)) break
    await node.kill()
    killed++
    await node.start()
  }
  return judge(run, await settle(run, [publisher], killed < run.kills), [`broker killed ${times(killed)}`])
}

/** 2: the subscriber process is killed in the middle of its work, and another one is started. */
async function killSubscriber (t: Teardown, dose: Dose, kind: Kind): Promise<Outcome> {
  const run = await begin(t, dose)
  const { ledger } = run
  const node = await startNode(t, run)
  const options = { kind: kindFor(run, kind), nodes: [node], work } as const
  let subscriber = await Subscriber.start(t, ledger, options)
  const publisher = new Publisher(t, ledger, { ports: [node.mqttPort], to: run.messages, topics, pace })
  let killed = 0
  for (const moment of moments(ledger, run, 'delivered')) {
    if (!await ledger.until(moment, patience)) break
    await subscriber.kill()
    // An acknowledgement by reply comes after the work, so that those come again.
    if (kind === 'durable') ledger.bury()
    killed++
    subscriber = await Subscriber.start(t, ledger, options)
  }
  const notes = [`subscriber killed ${times(killed)}`]
  if (kind !== 'durable') return judge(run, await settle(run, [publisher], killed < run.kills), notes)
  return await settleByPong(run, publisher, notes)
}

/** A PONG proves that the client library has read a message: what dies in it is lost, and nothing else may be. */
async function settleByPong (run: Run, publisher: Publisher, notes: string[]): Promise<Outcome> {
  const { ledger } = run
  const isOver = await ledger.until(() => publisher.isDone && ledger.counts.lost === ledger.buried, patience)
  const { counts: { lost }, buried } = ledger
  notes.push(`${buried} lost by the client library, which had read them`)
  const broken = isOver ? [] : ['messages did not come']
  if (lost > buried) broken.push(`${lost - buried} were lost that no client library had read`)
  return outcome(run, notes, broken)
}

/** 2, with Redis: it is killed and started again, on appendfsync always. */
async function killRedis (t: Teardown, dose: Dose, kind: Kind): Promise<Outcome> {
  const run = await begin(t, dose, 'always')
  const { ledger } = run
  const node = await startNode(t, run)
  await Subscriber.start(t, ledger, { kind: kindFor(run, kind), nodes: [node], work })
  const publisher = new Publisher(t, ledger, { ports: [node.mqttPort], to: run.messages, topics, pace })
  let killed = 0
  for (const moment of moments(ledger, run)) {
    if (!await ledger.until(moment, patience)) break
    await run.redis.kill()
    killed++
    await run.redis.start()
  }
  return judge(run, await settle(run, [publisher], killed < run.kills), [`Redis killed ${times(killed)}`])
}

/** 2, with two nodes: the one that the members are on is killed, they move to the other. */
async function killNode (t: Teardown, dose: Dose, kind: Kind): Promise<Outcome> {
  const run = await begin(t, dose)
  const { ledger } = run
  const nodes = [await startNode(t, run, { id: 'one' }), await startNode(t, run, { id: 'two' })]
  for (const name of ['first', 'second']) {
    await Subscriber.start(t, ledger, { name, kind: kindFor(run, kind), nodes, queue: run.peer === 'aedes-nats' ? 'billing' : name, work })
  }
  const publisher = new Publisher(t, ledger, { ports: nodes.map(({ mqttPort }) => mqttPort).reverse(), to: run.messages, topics, pace })
  let killed = 0
  for (const moment of moments(ledger, run, 'delivered')) {
    if (!await ledger.until(moment, patience)) break
    const node = nodes[killed++ % 2] as Node
    await node.kill()
    // The other one has to go on alone, whatever the dead one had in hand.
    const { delivered } = ledger.counts
    if (!await ledger.until(() => ledger.counts.delivered >= delivered + 50, patience)) break
    await node.start()
  }
  return judge(run, await settle(run, [publisher], killed < run.kills), [`nodes killed ${times(killed)}`])
}

// What a backlog may cost, for any number of messages up to 100,000.
const mostSeconds = 10
const mostGrowth = 150

/** 3: messages are stored while the subscriber is away and other sessions overlap in part; then it returns. */
async function returnToBacklog (t: Teardown, dose: Dose): Promise<Outcome> {
  const run = await begin(t, dose)
  const { ledger } = run
  const node = await startNode(t, run)
  const options = { kind: kindFor(run, 'acked'), nodes: [node] } as const
  const away = await Subscriber.start(t, ledger, options)
  await away.leave()
  // Stored session by session, messages would come 1 3 5 ... then 0 2 4 ...
  for (const [queue, subject] of [['left', 'sensors.a'], ['right', 'sensors.b']] as const) {
    const session = await Subscriber.start(t, new Ledger(run.messages), { kind: 'session', nodes: [node], queue, subject })
    await session.leave()
  }
  const base = node.resident
  node.forgetPeak()
  const publisher = new Publisher(t, ledger, { ports: [node.mqttPort], to: run.messages, topics })
  const began = Date.now()
  await ledger.until(() => publisher.isDone, patience)
  const stored = (Date.now() - began) / 1000
  const storing = node.peak - base
  node.forgetPeak()
  const returned = Date.now()
  await Subscriber.start(t, ledger, options)
  const broken = await settle(run, [publisher])
  const seconds = (ledger.lastDelivery - returned) / 1000
  const draining = node.peak - base
  if (seconds > mostSeconds) broken.push(`took more than ${mostSeconds} s`)
  if (Math.max(storing, draining) > mostGrowth) broken.push(`grew by more than ${mostGrowth} MiB`)
  if (ledger.disordered > 0) broken.push(`${ledger.disordered} came out of order`)
  return judge(run, broken, [
    `stored in ${stored.toFixed(1)} s`,
    `drained in ${seconds.toFixed(2)} s (${Math.round(run.messages / seconds)} msg/s, the process that connects included)`,
    `memory ${base.toFixed(0)} MiB, at most +${storing.toFixed(0)} while storing, +${draining.toFixed(0)} while draining`,
    `${ledger.disordered} out of order`
  ])
}

/** 4: three members on two nodes share the work. */
async function shareWork (t: Teardown, dose: Dose): Promise<Outcome> {
  const run = await begin(t, dose)
  const { ledger } = run
  const near = await startNode(t, run, { id: 'one' })
  const far = await startNode(t, run, { id: 'two' })
  const members: Subscriber[] = []
  for (const [name, node] of [['first', near], ['second', near], ['third', far]] as const) {
    members.push(await Subscriber.start(t, ledger, { name, kind: kindFor(run, 'acked'), nodes: [node], queue: run.peer === 'aedes-nats' ? 'billing' : name }))
  }
  // From both nodes, so that messages enter on the side of each member.
  const half = run.messages >> 1
  const publishers = [
    new Publisher(t, ledger, { ports: [near.mqttPort], to: half, topics }),
    new Publisher(t, ledger, { ports: [far.mqttPort], from: half, to: run.messages, topics })
  ]
  const broken = await settle(run, publishers)
  for (const member of members) await member.fence()
  const { counts, shares } = ledger
  if (counts.duplicated > 0) broken.push(`${counts.duplicated} came to more than one member`)
  const parts = ['first', 'second', 'third'].map((name) => (shares.get(name) ?? 0) / counts.delivered)
  if (Math.min(...parts) < 0.2) broken.push('a member got less than a fifth')
  return judge(run, broken, [`shares ${parts.map((part) => `${(100 * part).toFixed(1)} %`).join(', ')}`])
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'broker-acked',
    text: 'the broker is killed, acked.*',
    messages: 20_000,
    kills: 5,
    short: { messages: 3000, kills: 2 },
    run: (t, dose) => killBroker(t, dose, 'acked', false)
  },
  {
    name: 'broker-durable',
    text: 'the broker is killed, durable.*',
    messages: 20_000,
    kills: 5,
    short: { messages: 3000, kills: 1 },
    run: (t, dose) => killBroker(t, dose, 'durable', false)
  },
  {
    name: 'broker-fixed-id',
    text: 'the broker is killed, a host with a fixed Aedes id, acked.*',
    messages: 20_000,
    kills: 5,
    short: { messages: 3000, kills: 2 },
    run: (t, dose) => killBroker(t, dose, 'acked', true)
  },
  {
    name: 'broker-fixed-id-durable',
    text: 'the broker is killed, a host with a fixed Aedes id, durable.*',
    messages: 20_000,
    kills: 5,
    short: { messages: 3000, kills: 1 },
    run: (t, dose) => killBroker(t, dose, 'durable', true)
  },
  {
    name: 'subscriber-acked',
    text: 'the subscriber is killed at work (5 ms a message), acked.*',
    messages: 3000,
    kills: 5,
    short: { messages: 400, kills: 2 },
    run: (t, dose) => killSubscriber(t, dose, 'acked')
  },
  {
    name: 'subscriber-durable',
    text: 'the subscriber is killed at work (5 ms a message), durable.*',
    messages: 3000,
    kills: 5,
    short: { messages: 400, kills: 1 },
    run: (t, dose) => killSubscriber(t, dose, 'durable')
  },
  {
    name: 'redis-acked',
    text: 'Redis is killed (appendfsync always), acked.*, 5 ms a message',
    messages: 3000,
    kills: 5,
    short: { messages: 400, kills: 1 },
    run: (t, dose) => killRedis(t, dose, 'acked')
  },
  {
    name: 'redis-durable',
    text: 'Redis is killed (appendfsync always), durable.*, 5 ms a message',
    messages: 3000,
    kills: 5,
    short: { messages: 400, kills: 1 },
    run: (t, dose) => killRedis(t, dose, 'durable')
  },
  {
    name: 'node-acked',
    text: 'of two nodes the one with the members is killed, acked.*, 5 ms a message',
    messages: 5000,
    kills: 4,
    short: { messages: 600, kills: 1 },
    run: (t, dose) => killNode(t, dose, 'acked')
  },
  {
    name: 'node-durable',
    text: 'of two nodes the one with the members is killed, durable.*, 5 ms a message',
    messages: 5000,
    kills: 4,
    short: { messages: 600, kills: 1 },
    run: (t, dose) => killNode(t, dose, 'durable')
  },
  {
    name: 'backlog',
    text: 'stored while the subscriber is away, beside two other sessions',
    messages: 100_000,
    kills: 0,
    short: { messages: 10_000, kills: 0 },
    run: returnToBacklog
  },
  {
    name: 'shares',
    text: 'three members on two nodes',
    messages: 50_000,
    kills: 0,
    short: { messages: 6000, kills: 0 },
    run: shareWork
  }
]
