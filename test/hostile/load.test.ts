import net, { type Socket } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { connect, type RawClient } from '../helper/raw.ts'
import { Arena, pump, type Target } from './attack.ts'
import { startVictim } from './victim.ts'

// What many can do at once, or one very often, and what that costs at most.

const KiB = 1024
const MiB = 1024 * KiB

const arena = new Arena(t, await startVictim(t, { durable: false }))

arena.onBoth('100,000 subscriptions of a connection that may have 1000', { config: 'max_subscriptions: 1000', options: { maxSubscriptions: 1000 } }, async (t, target) => {
  const client = await connect(target.t, target.port)
  for (let i = 0; i < 100_000; i++) client.send(`SUB attack.${i} ${i}\r\n`)
  t.equal(await client.fence(), "-ERR 'maximum subscriptions exceeded'\r\n".repeat(99_000))
  const report = await target.report(1)
  if (report === null) return
  t.equal(report.subscriptions, 1001)
  t.ok(report.cost < 4 * MiB, `${report.cost} bytes`)
})

arena.onBoth('20,000 subscriptions of a connection that may have any', {}, async (t, target) => {
  const client = await connect(target.t, target.port)
  for (let i = 0; i < 20_000; i++) client.send(`SUB attack.${i} ${i}\r\n`)
  t.equal(await client.fence(), '')
  client.send('PUB attack.7777 0\r\n\r\n')
  t.equal(await client.fence(), 'MSG attack.7777 7777 0\r\n\r\n')
  const report = await target.report(1)
  if (report === null) return
  t.equal(report.subscriptions, 20_001)
  t.ok(report.cost < 20_000 * 2 * KiB, `${report.cost} bytes`)
})

arena.onBoth('subscribers that never read cost as much as max_pending says, and are cut off', { config: 'max_pending: 1048576\nwrite_deadline: "1s"', options: { maxPending: MiB, writeDeadline: 1000 } }, async (t, target) => {
  const readers = await Promise.all(Array.from({ length: 20 }, () => connect(target.t, target.port)))
  for (const reader of readers) {
    reader.send('SUB a 1\r\n')
    await reader.fence()
    reader.socket.pause()
  }
  const before = await target.report(21)
  const publisher = await connect(target.t, target.port)
  let most = 0
  // Much more than the kernel takes.
  for (let i = 0; i < 24; i++) {
    publisher.send(`PUB a ${64 * KiB}\r\n${'x'.repeat(64 * KiB)}\r\n`.repeat(16))
    t.equal(await publisher.fence(), '')
    most = Math.max(most, (await target.report(21))?.cost ?? 0)
  }
  t.ok(most < 20 * 2 * MiB, `${most} bytes`)
  for (const reader of readers) {
    reader.socket.resume()
    t.ok((await reader.end()).length < 24 * MiB)
  }
  t.equal(await publisher.fence(), '')
  if (before !== null) t.equal((await target.report(1))?.slowConsumers, before.slowConsumers + 20)
})

// How long a client waits for INFO before it tries again, in milliseconds, as the libraries do: where many come at once the
// kernel may have forgotten it.
const patience = 20_000

async function open (port: number): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(patience) })
    return socket
  } catch {
    socket.destroy()
    return await open(port)
  }
}

/** Opens so many connections at once, and drops them at once, half of them with a reset. */
async function openAndDrop (port: number, count: number): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(port)))
  sockets.forEach((socket, i) => { if (i % 2 === 0) socket.destroy(); else socket.resetAndDestroy() })
}

arena.onBoth('5000 connections that are opened and dropped at once', {}, async (t, target) => {
  await openAndDrop(target.port, 500)
  const first = await target.report(0)
  await openAndDrop(target.port, 5000)
  const second = await target.report(0)
  if (first === null || second === null) return
  t.equal(second.clients, 1)
  t.ok(second.totalConnections >= first.totalConnections + 5000)
  t.ok(second.bytes - first.bytes < 3 * MiB, `${second.bytes - first.bytes} bytes more than after 500`)
})

/** Opens so many at once, and tells what each gets behind INFO. */
async function crowd ({ t, port }: Target, count: number): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => connect(t, port, null)))
  for (const client of clients) client.send('PING\r\n')
  return await Promise.all(clients.map((client) => client.expect(/PONG\r\n|-ERR.*\r\n/)))
}

const exceeded = "-ERR 'maximum connections exceeded'\r\n"
const throttled = "-ERR 'Connection throttling is active. Please try again later.'\r\n"

function count (answers: readonly string[], answer: string): number {
  return answers.filter((each) => each === answer).length
}

arena.onBoth('1000 connections where 100 may be', { config: 'max_connections: 100', options: { maxConnections: 100 } }, async (t, target) => {
  const answers = await crowd(target, 1000)
  t.equal(count(answers, 'PONG\r\n'), 99)
  t.equal(count(answers, exceeded), 901)
  const report = await target.report(99)
  if (report !== null) t.ok(report.cost < 8 * MiB, `${report.cost} bytes`)
})

arena.onOurs('1000 connections from an address that may have 100', { options: { maxConnectionsPerAddress: 100 } }, async (t, target) => {
  const answers = await crowd(target, 1000)
  t.equal(count(answers, 'PONG\r\n'), 99)
  t.equal(count(answers, exceeded), 901)
})

arena.onOurs('1000 connections from an address that may open 50 a second', { options: { maxConnectionRate: 50 } }, async (t, target) => {
  const began = Date.now()
  const answers = await crowd(target, 1000)
  const most = 50 + 50 * (Date.now() - began) / 1000
  const admitted = count(answers, 'PONG\r\n')
  t.ok(admitted > 0 && admitted <= most, `${admitted} of at most ${most}`)
  t.equal(count(answers, throttled), 1000 - admitted)
})

/** Reads and counts what comes, and keeps none of it. */
function countLines (socket: Socket, wanted: number): Promise<void> {
  socket.removeAllListeners('data')
  return new Promise((resolve, reject) => {
    let lines = 0
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 0x0a) lines++
      if (lines >= wanted) resolve()
    })
    socket.on('close', () => { reject(new Error(`closed after ${lines} lines`)) })
  })
}

for (const [verb, line, answers] of [
  ['PING', 'PING\r\n', 1], ['CONNECT', 'CONNECT {"verbose":true,"protocol":1}\r\n', 1], ['UNSUB', 'UNSUB 1\r\n', 1],
  ['SUB and UNSUB', 'SUB a 1\r\nUNSUB 1\r\n', 2], ['PUB', 'PUB a 0\r\n\r\n', 1]
] as const) {
  arena.onBoth(`100,000 times ${verb}`, {}, async (t, target) => {
    const client = await flooder(target)
    const counted = countLines(client.socket, 100_000 * answers)
    await pump(client, line.repeat(1000), line.length * 100_000)
    await counted
    const report = await target.report(1)
    if (report !== null) t.ok(report.cost < 8 * MiB, `${report.cost} bytes`)
  })
}

/** A client that gets +OK for all that it does. */
async function flooder ({ t, port }: Target): Promise<RawClient> {
  const client = await connect(t, port, null)
  client.send('CONNECT {"verbose":true,"protocol":1}\r\n')
  await client.expect('+OK\r\n')
  return client
}

// nats-server 2.9 goes on for ever.
arena.onOurs('PINGs of a client that never reads the answers', { options: { maxPending: MiB } }, async (t, target) => {
  const client = await connect(target.t, target.port)
  client.socket.pause()
  const most = 512 * MiB
  const sent = await pump(client, 'PING\r\n'.repeat(10_000), most)
  t.ok(sent < most, `cut off after ${sent} bytes`)
})
