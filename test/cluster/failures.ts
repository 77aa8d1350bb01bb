import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Teardown } from '../helper/brokers.ts'
import { type Audience, Ledger } from './ledger.ts'
import { Load } from './load.ts'
import type { Node, Nodes } from './nodes.ts'
import { judge, type Outcome } from './scenario.ts'

// Of each publisher, messages a second.
const rate = 300

interface Parties extends Load {
  readonly workers: Audience
  readonly clients: readonly NatsConnection[]
}

/** A subscriber and a member of one group on each node, and publishers on some. */
async function begin (t: Teardown, nodes: Nodes, publishing: readonly Node[]): Promise<Parties> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const clients = await Promise.all(nodes.all.map((node) => load.nats(node)))
  const workers = ledger.audience('workers')
  for (const [i, nats] of clients.entries()) {
    const { id } = nodes.all[i] as Node
    await load.hear(nats, 'data.>', ledger.audience(`NATS at ${id}`))
    await load.hear(nats, 'data.*', workers, { queue: 'workers', member: id })
  }
  for (const node of publishing) {
    load.publish(await load.nats(node), `data.${node.id}`, `nats ${node.id}`, rate)
    await load.publishMqtt(node, `data/m${node.id}`, `mqtt ${node.id}`, rate)
  }
  return Object.assign(load, { workers, clients })
}

function isAt ({ id }: Node): (audience: Audience) => boolean {
  return ({ name }) => name.endsWith(` ${id}`)
}

// Heartbeats without a word until a node counts as dead, and one for good measure, in seconds.
const untilDead = 5
// The client's own pause between attempts, and what connecting takes, in seconds.
const mostUntilBack = 3

/** SIGKILL. What was named to its members until it counts as dead is lost, and nothing else. */
export async function killed (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const [one, two, three] = nodes.all
  const load = await begin(t, nodes, [one, two])
  await delay(1000 * share)
  const moved = load.clients[2] as NatsConnection
  const server = moved.getServer()
  await three.kill()
  const began = performance.now()
  while (moved.isClosed() || moved.getServer() === server || !await isThere(moved)) await delay(20)
  const back = (performance.now() - began) / 1000
  while ((await one.ask('view')).urls.length > 1 || (await two.ask('view')).urls.length > 1) await delay(50)
  const dead = (performance.now() - began) / 1000
  await delay(1000 * share)
  await load.settled(3)
  const bound = Math.ceil(4 * rate * untilDead / 3)
  const broken: string[] = []
  if (load.workers.lost > bound) broken.push(`workers: ${load.workers.lost} lost, more than ${bound}`)
  if (back > mostUntilBack) broken.push(`the client was back after ${back.toFixed(1)} s only`)
  await three.start()
  return await judge(nodes, load.ledger, {
    broken,
    mayLose: (audience) => audience === load.workers || isAt(three)(audience),
    notes: [
      `its client at another node after ${back.toFixed(1)} s`,
      `dead to the others after ${dead.toFixed(1)} s`,
      `the group lost ${load.workers.lost}, at most ${bound}`
    ]
  })
}

async function isThere (nats: NatsConnection): Promise<boolean> {
  return await Promise.race([nats.flush().then(() => true, () => false), delay(200, false)])
}

/** A clean stop, while its clients are there: they read what was sent to them, and the group goes on elsewhere. */
export async function stopped (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const [one, two, three] = nodes.all
  const load = await begin(t, nodes, [one, two])
  await delay(1000 * share)
  const began = performance.now()
  await three.stop()
  // Its last word is on its way to the others.
  while ((await one.ask('view')).peers.length > 1 && performance.now() - began < 1000) await delay(5)
  const { peers } = await one.ask('view')
  const broken = peers.length === 1 ? [] : [`after it has left, ${peers.map(({ id }) => id).join()} are there`]
  const seconds = (performance.now() - began) / 1000
  await delay(1000 * share)
  await load.settled(3)
  await three.start()
  // Its subscriber is at another node by now, and missed what was published while it was away.
  return await judge(nodes, load.ledger, { broken, mayLose: isAt(three), notes: [`gone after ${seconds.toFixed(1)} s`] })
}

/** SIGSTOP for ten seconds: dead to the others after three; plain messages wait for it. */
export async function frozen (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const [one, two, three] = nodes.all
  const load = await begin(t, nodes, [one, two])
  await delay(1000)
  three.signal('SIGSTOP')
  await delay(10_000 * Math.max(share, 0.6))
  const { peers } = await one.ask('view')
  const broken = peers.find(({ id }) => id === three.id)?.isAlive === false ? [] : ['it did not count as dead']
  three.signal('SIGCONT')
  const agreed = await nodes.agreed()
  await load.settled()
  return await judge(nodes, load.ledger, { broken, notes: [`back after ${agreed.toFixed(1)} s`, ...await lostTo(nodes)] })
}

async function lostTo (nodes: Nodes): Promise<string[]> {
  const views = await Promise.all(nodes.running.map((node) => node.ask('view')))
  const lost = views.flatMap(({ peers }) => peers).reduce((sum, peer) => sum + peer.lost, 0)
  return lost === 0 ? [] : [`${lost} given up`]
}

/** Redis ends, and is back after a second, empty. */
export async function redisRestart (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const load = await begin(t, nodes, nodes.all)
  const mqtt = load.ledger.audience('MQTT')
  await load.hearMqtt(nodes.all[1], ['data/#'], mqtt)
  await delay(1000 * share)
  await nodes.redis.stop()
  await delay(1000)
  await nodes.redis.start()
  const agreed = await nodes.agreed()
  await delay(1000 * share)
  await load.settled()
  return await judge(nodes, load.ledger, {
    // Stock mqemitter-redis brings them, once or not at all.
    mayLose: (audience) => audience === mqtt,
    notes: [`back after ${agreed.toFixed(1)} s`, `the MQTT subscriber lost ${mqtt.lost}`, ...await lostTo(nodes)]
  })
}

/** One node has no way to Redis for eight seconds. */
export async function partition (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const load = await begin(t, nodes, nodes.all)
  await delay(1000 * share)
  nodes.proxy.cut()
  await delay(8000 * Math.max(share, 0.6))
  nodes.proxy.mend()
  const agreed = await nodes.agreed()
  await delay(1000 * share)
  await load.settled()
  return await judge(nodes, load.ledger, { notes: [`back after ${agreed.toFixed(1)} s`, ...await lostTo(nodes)] })
}

/** The clock of a node jumps an hour ahead, then an hour back. */
export async function clock (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const [, two] = nodes.all
  const load = await begin(t, nodes, nodes.all)
  const broken: string[] = []
  for (const jump of [3_600_000, -3_600_000, 0]) {
    await two.ask('clock', jump)
    const end = performance.now() + 3000 * Math.max(share, 0.5)
    while (performance.now() < end) {
      await delay(100)
      for (const node of nodes.all) {
        const alive = (await node.ask('view')).peers.filter(({ isAlive }) => isAlive).length
        if (alive !== 2) broken.push(`${node.id} sees ${alive} others after a jump by ${jump}`)
      }
    }
  }
  await load.settled()
  return await judge(nodes, load.ledger, { broken: [...new Set(broken)] })
}
