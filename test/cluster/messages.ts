import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Teardown } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { Ledger, type Audience } from './ledger.ts'
import { Load } from './load.ts'
import type { Nodes } from './nodes.ts'
import { judge, type Outcome } from './scenario.ts'

/** Every kind of subject, from clients of every kind, to every node. */
export async function plain (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const count = Math.ceil(2000 * share)
  for (const node of nodes.all) {
    const nats = await load.nats(node)
    const heard = ledger.audience(`NATS at ${node.id}`)
    for (const filter of ['data.>', 'a/b.*', '$x.*']) await load.hear(nats, filter, heard)
    await load.hearMqtt(node, ['data/#', '$x/+'], ledger.audience(`MQTT at ${node.id}`, (publisher) => !publisher.startsWith('a/b')))
  }
  const quiet = await Promise.all(nodes.all.map((node) => load.nats(node, { noEcho: true })))
  for (const [i, { id }] of nodes.all.entries()) {
    await load.hear(quiet[i] as NatsConnection, 'data.>', ledger.audience(`without echo at ${id}`, (publisher) => publisher.startsWith('data') && publisher !== `data.quiet.${id}`))
  }
  await nodes.agreed()
  for (const [i, node] of nodes.all.entries()) {
    load.publish(quiet[i] as NatsConnection, `data.quiet.${node.id}`, `data.quiet.${node.id}`, 500, count)
    const nats = await load.nats(node)
    for (const subject of [`data.${node.id}`, `a/b.${node.id}`, `$x.${node.id}`]) load.publish(nats, subject, subject, 500, count)
    await load.publishMqtt(node, `data/mqtt/${node.id}`, `data/mqtt/${node.id}`, 500, count)
  }
  await load.ended()
  await load.settled()
  return await judge(nodes, ledger, { notes: [await headers(t, nodes)] })
}

const header = 'NATS/1.0\r\nX-B: 1\r\nx-b:  2 \r\nA:\xc3\xa9\r\nX-B:\r\n\r\n'

/** A header block is the same on every node, byte for byte. */
async function headers (t: Teardown, nodes: Nodes): Promise<string> {
  const clients = await Promise.all(nodes.all.map(({ natsPort }) => connect(t, natsPort)))
  for (const client of clients) client.send('SUB raw.* 1\r\n')
  for (const client of clients) await client.fence()
  for (const client of clients) {
    client.send(`HPUB raw.h re/ply ${header.length} ${header.length + 4}\r\n${header}body\r\n`)
    for (const each of clients) await each.expect(`HMSG raw.h 1 re/ply ${header.length} ${header.length + 4}\r\n${header}body\r\n`)
  }
  return 'headers as they were'
}

function shareOf (audience: Audience, member: string): number {
  return (audience.shares.get(member) ?? 0) / audience.received
}

function percent (audience: Audience, members: readonly string[]): string {
  return members.map((member) => `${(100 * shareOf(audience, member)).toFixed(0)} %`).join(', ')
}

/** One member in the whole cluster, whoever publishes where. */
export async function queue (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const [one, two, three] = nodes.all
  const workers = ledger.audience('workers')
  const members = ['a', 'b', 'c', 'd']
  for (const [i, node] of [one, one, two, three].entries()) {
    const member = members[i] as string
    await load.hear(await load.nats(node), 'work.>', workers, { queue: 'workers', member })
  }
  // A group with several filters, of which a message matches two.
  const auditor = await load.nats(two)
  const audit = ledger.audience('audit')
  for (const filter of ['work.*', '*.*']) await load.hear(auditor, filter, audit, { queue: 'audit', member: 'two' })
  await load.hear(await load.nats(three), 'work.>', audit, { queue: 'audit', member: 'three' })
  const count = Math.ceil(2000 * share)
  for (const node of nodes.all) {
    load.publish(await load.nats(node), `work.${node.id}`, `nats ${node.id}`, 400, count)
    await load.publishMqtt(node, `work/${node.id}`, `mqtt ${node.id}`, 400, count)
  }
  await load.ended()
  await load.settled()
  const broken = members.filter((member) => Math.abs(shareOf(workers, member) - 0.25) > 0.07).map((member) => `member ${member} got ${(100 * shareOf(workers, member)).toFixed(0)} %`)
  return await judge(nodes, ledger, { broken, notes: [`shares ${percent(workers, members)}`] })
}

/** Members of the node where a message came in, where there is one. */
export async function queueLocal (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const [one, two, three] = nodes.all
  const group = ledger.audience('group')
  const near = ledger.audience('group, from one', (publisher) => publisher.endsWith('one'))
  for (const [node, member] of [[one, 'near'], [two, 'far']] as const) {
    const nats = await load.nats(node)
    nats.subscribe('work.*', {
      queue: 'workers',
      callback: (error, message) => {
        const text = message.string()
        if (error !== null) return
        group.take(text, member)
        if (text.startsWith('nats one') || text.startsWith('mqtt one')) near.take(text, member)
      }
    })
    await nats.flush()
  }
  const count = Math.ceil(2000 * share)
  for (const node of [one, three]) {
    load.publish(await load.nats(node), `work.${node.id}`, `nats ${node.id}`, 400, count)
    await load.publishMqtt(node, `work/${node.id}`, `mqtt ${node.id}`, 400, count)
  }
  await load.ended()
  await load.settled()
  const strayed = near.shares.get('far') ?? 0
  return await judge(nodes, ledger, {
    broken: [
      ...strayed > 0 ? [`${strayed} left the node with a member`] : [],
      ...(group.shares.get('far') ?? 0) < count / 2 ? ['the other member got too few from the node without one'] : []
    ],
    notes: [`members had ${percent(group, ['near', 'far'])}`]
  })
}

/** Members of a group, on all nodes, join and drain while messages come. */
export async function membersChange (t: Teardown, nodes: Nodes, share: number): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const group = ledger.audience('workers')
  const clients = await Promise.all(nodes.all.map((node) => load.nats(node)))
  const join = (nats: NatsConnection): Subscription => nats.subscribe('work.*', { queue: 'workers', callback: (error, message) => { if (error === null) group.take(message.string()) } })
  await load.hear(clients[0] as NatsConnection, 'work.*', group, { queue: 'workers' })
  for (const node of nodes.all) {
    load.publish(await load.nats(node), `work.${node.id}`, `nats ${node.id}`, 500)
    await load.publishMqtt(node, `work/${node.id}`, `mqtt ${node.id}`, 500)
  }
  const rounds = Math.ceil(60 * share)
  const members: Subscription[] = []
  for (let i = 0; i < rounds; i++) {
    members.push(join(clients[i % 3] as NatsConnection))
    await delay(20)
    if (members.length > 4) await members.shift()?.drain()
  }
  await load.settled()
  group.shares.clear()
  return await judge(nodes, ledger, { notes: [`${rounds} members came, ${rounds - members.length} went`] })
}

/** Reserved topics: what a client says there is ignored, and none hears them. */
export async function forged (t: Teardown, nodes: Nodes): Promise<Outcome> {
  const ledger = new Ledger()
  const load = new Load(t, ledger)
  const heard: string[] = []
  for (const node of nodes.all) {
    const { client } = await connectMqtt(t, node.mqttUrl)
    client.on('message', (topic) => { if (/^\$SYS\/[^/]+\/nats\//.test(topic)) heard.push(topic) })
    await client.subscribeAsync(['#', '$SYS/#', '$SYS/+/nats/+', '$SYS/+/nats/#', '+/+/nats/presence', '$SYS/one/nats/presence'])
    const nats = await load.nats(node)
    nats.subscribe('$SYS.>', { callback: (_error, { subject }) => { if (/^\$SYS\.[^.]+\.nats\./.test(subject)) heard.push(subject) } })
    await load.hear(nats, 'data', ledger.audience(`NATS at ${node.id}`))
  }
  const count = 20
  const { client } = await connectMqtt(t, nodes.all[0].mqttUrl)
  const presence = JSON.stringify({ version: 1, node: 'NX', broker: 'x', urls: ['127.0.0.1:1'], wsUrls: [], isLameDuck: false, isLeaving: false, received: {} })
  for (let i = 0; i < count; i++) {
    await client.publishAsync('$SYS/x/nats/presence', presence, { qos: 1 })
    for (const node of nodes.all) await client.publishAsync(`$SYS/${node.id}/nats/batches`, `NX 1 ${i + 1} 0 0 0\nR\n`, { qos: 1 })
  }
  load.publish(await load.nats(nodes.all[2]), 'data', 'data', 200, 200)
  await load.ended()
  await load.settled()
  const views = await Promise.all(nodes.all.map((node) => node.ask('view')))
  const broken = heard.length === 0 ? [] : [`clients heard ${[...new Set(heard)].join(', ')}`]
  for (const [i, { peers, urls, forged }] of views.entries()) {
    if (peers.length !== 2 || urls.length !== 2) broken.push(`a node believes in ${peers.map(({ id }) => id).join()} at ${urls.join()}`)
    if (forged !== (i === 0 ? 4 * count : 0)) broken.push(`${forged} forged packets were counted at ${nodes.all[i]?.id ?? ''}`)
  }
  return await judge(nodes, ledger, { broken, notes: [`${3 * count + count} forged`] })
}
