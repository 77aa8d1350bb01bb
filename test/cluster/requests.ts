import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Teardown } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'
import type { Nodes } from './nodes.ts'
import { judge, type Outcome, requestCounts } from './scenario.ts'

const timeout = 5000

type Answer = 'answered' | 'nobody' | 'silence'

/** What becomes of a request. */
async function ask (nats: NatsConnection, subject: string, patience = timeout): Promise<Answer> {
  try {
    await nats.request(subject, 'ping', { timeout: patience })
    return 'answered'
  } catch (error) {
    return (error as Error).name === 'NoRespondersError' || (error as Error).message.includes('no responders') ? 'nobody' : 'silence'
  }
}

/** Answers on a subject, from NATS. */
async function serve (nats: NatsConnection, subject: string, queue?: string): Promise<{ answered: number, drain (): Promise<void> }> {
  const counts = { answered: 0, drain: (): Promise<void> => subscription.drain() }
  const subscription = nats.subscribe(subject, {
    ...queue === undefined ? {} : { queue },
    callback: (error, message) => {
      if (error !== null) return
      counts.answered++
      message.respond('pong')
    }
  })
  await nats.flush()
  return counts
}

/** Answers from every node to every node; nobody's at once, and somebody's always. */
export async function requests (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const load = new Load(t, new Ledger())
  const [one, two, three] = nodes.all
  const clients = await Promise.all(nodes.all.map((node) => load.nats(node)))
  const broken: string[] = []
  const tally: Record<Answer, number> = { answered: 0, nobody: 0, silence: 0 }
  let slowest = 0
  for (const nats of clients) {
    const began = performance.now()
    const answer = await ask(nats, 'svc.nobody')
    slowest = Math.max(slowest, performance.now() - began)
    if (answer !== 'nobody') broken.push(`a request that nobody serves was met with ${answer}`)
  }
  const many = Math.ceil(300 * share)
  const served = await serve(clients[2] as NatsConnection, 'svc.a')
  for (const nats of clients) for (const answer of await Promise.all(Array.from({ length: many }, () => ask(nats, 'svc.a')))) tally[answer]++
  if (served.answered !== 3 * many) broken.push(`${served.answered} requests arrived`)
  // Each responder is there when its node says so, wherever the one before was.
  const turns = Math.ceil(30 * share)
  for (let i = 0; i < turns; i++) {
    const { drain } = await serve(clients[i % 3] as NatsConnection, 'svc.moves')
    tally[await ask(clients[(i + 1) % 3] as NatsConnection, 'svc.moves')]++
    tally[await ask(clients[(i + 2) % 3] as NatsConnection, 'svc.moves')]++
    await drain()
  }
  tally[await askDevice(t, nodes, clients[0] as NatsConnection)]++
  for (const node of [one, two, three]) await load.nats(node)
  const sent = 3 * many + 2 * turns + 1
  if (tally.nobody > 0) broken.push(`${tally.nobody} requests were answered with 503 while somebody served them`)
  if (tally.silence > 0) broken.push(`${tally.silence} requests were lost`)
  const { notes, broken: more } = await judge(nodes, load.ledger)
  return { counts: requestCounts(sent, tally.answered, 0), notes: [`503 within ${slowest.toFixed(0)} ms`, ...notes], broken: [...broken, ...more] }
}

/** A responder that speaks MQTT 5, in a clean session on another node. */
async function askDevice (t: Teardown, nodes: Nodes, nats: NatsConnection): Promise<Answer> {
  const { client } = await connectMqtt(t, nodes.all[1].mqttUrl, { protocolVersion: 5 })
  client.on('message', (_topic, _payload, { properties }) => {
    if (properties?.responseTopic !== undefined) client.publish(properties.responseTopic, 'pong')
  })
  await client.subscribeAsync('svc/device')
  // SUBACK does not wait for other nodes.
  await nodes.agreed()
  return await ask(nats, 'svc.device')
}

/** A node goes while a request loop runs; clients that drain lose nothing. */
export async function lameDuck (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const load = new Load(t, new Ledger())
  const [one, two, three] = nodes.all
  const requester = await load.nats(two)
  const steady = await serve(await load.nats(one), 'svc', 'svc')
  const leaving = await load.nats(three)
  let told = false
  const served = await serve(leaving, 'svc', 'svc')
  const drained = (async () => {
    for await (const { type } of leaving.status()) {
      if (type !== 'ldm') continue
      told = true
      await leaving.drain()
      return
    }
  })()
  const tally: Record<Answer, number> = { answered: 0, nobody: 0, silence: 0 }
  const over = new AbortController()
  const loops = Array.from({ length: 20 }, async () => {
    while (!over.signal.aborted) tally[await ask(requester, 'svc')]++
  })
  await delay(1000 * share)
  await three.ask('lameDuck')
  await drained
  await three.stop()
  const { urls } = await one.ask('view')
  await delay(1000 * share)
  over.abort()
  await Promise.all(loops)
  const broken: string[] = []
  if (!told) broken.push('the client was not told')
  if (served.answered === 0 || steady.answered === 0) broken.push('one responder got nothing')
  if (urls.join() !== `127.0.0.1:${two.natsPort}`) broken.push(`clients are told of ${urls.join()}`)
  if (tally.nobody + tally.silence > 0) broken.push(`${tally.nobody} requests were answered with 503, ${tally.silence} were lost`)
  const { notes, broken: more } = await judge(nodes, load.ledger)
  return {
    counts: requestCounts(tally.answered + tally.nobody + tally.silence, tally.answered, Math.max(0, served.answered + steady.answered - tally.answered)),
    notes: [`${served.answered} served by the node that went`, ...notes],
    broken: [...broken, ...more]
  }
}

/** Aedes without the gateway on one more node. */
export async function plainNode (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const clients = await Promise.all(nodes.all.map((node) => load.nats(node)))
  const [one] = clients as [NatsConnection]
  const broken: string[] = []
  if (await ask(one, 'svc.nobody') !== 'nobody') broken.push('no 503 before there is such a node')
  const bare = await nodes.startPlain()
  await Promise.all(nodes.all.map(async (node) => {
    while (!(await node.ask('view')).mayHavePlainNodes) await delay(20)
  }))
  const workers = ledger.audience('workers')
  for (const [i, nats] of clients.entries()) {
    await load.hear(nats, 'data.>', ledger.audience(`NATS at ${nodes.all[i]?.id}`))
    await load.hear(nats, 'data.*', workers, { queue: 'workers', member: String(i) })
  }
  if (await ask(one, 'svc.nobody', 500) !== 'silence') broken.push('503 while a node without the gateway lives')
  await load.hearMqtt(bare, ['data/#'], ledger.audience('MQTT at the node without'))
  const count = Math.ceil(2000 * share)
  await load.publishMqtt(bare, 'data/plain', 'mqtt plain', 400, count)
  for (const [i, node] of nodes.all.entries()) {
    load.publish(clients[i] as NatsConnection, `data.${node.id}`, `nats ${node.id}`, 400, count)
    await load.publishMqtt(node, `data/m${node.id}`, `mqtt ${node.id}`, 400, count)
  }
  await load.ended()
  await load.settled()
  const members = [...workers.shares.values()]
  if (members.length < 3 || Math.min(...members) < workers.received / 6) broken.push(`members had ${members.join()}`)
  await bare.kill()
  const killed = performance.now()
  while (await ask(one, 'svc.nobody', 500) !== 'nobody' && performance.now() - killed < 20_000) await delay(100)
  const seconds = (performance.now() - killed) / 1000
  return await judge(nodes, ledger, { broken, notes: [`503 again ${seconds.toFixed(1)} s after it was killed`] })
}

// Of the messages, in percent. Between a node's learning of a member and another one's, each chooses from what it knows.
const mostAstray = 5

/** Messages of Aedes without the gateway, to a group whose members come and go on all nodes: each node chooses for itself. */
export async function plainMembers (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const bare = await nodes.startPlain()
  await Promise.all(nodes.all.map(async (node) => {
    while (!(await node.ask('view')).mayHavePlainNodes) await delay(20)
  }))
  const group = ledger.audience('workers')
  const clients = await Promise.all(nodes.all.map((node) => load.nats(node)))
  for (const nats of clients) await load.hear(nats, 'work.*', group, { queue: 'workers' })
  await load.publishMqtt(bare, 'work/plain', 'mqtt plain', 1000)
  const rounds = Math.ceil(60 * share)
  const members: Subscription[] = []
  for (let i = 0; i < rounds; i++) {
    const nats = clients[i % 3] as NatsConnection
    members.push(nats.subscribe('work.*', { queue: 'workers', callback: (error, message) => { if (error === null) group.take(message.string()) } }))
    await delay(20)
    if (members.length > 4) await members.shift()?.drain()
  }
  await load.settled(3)
  const { counts } = ledger
  const astray = 100 * (counts.lost + counts.duplicated) / counts.sent
  await bare.kill()
  return {
    counts,
    broken: astray > mostAstray ? [`${astray.toFixed(1)} % were lost or doubled, more than ${mostAstray} %`] : [],
    notes: [`${rounds} members came, ${rounds - members.length} went; ${astray.toFixed(2)} % lost or doubled, at most ${mostAstray} %`]
  }
}
