import t from 'tap'
import { startHost } from '../helper/brokers.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { Arena, pump, type Target } from './attack.ts'
import { startVictim } from './victim.ts'

// What one client can send, or leave unsent, and what that costs at most.

const KiB = 1024
const MiB = 1024 * KiB

const arena = new Arena(t, await startVictim(t, { durable: false }))

/** So many connections that have read INFO, and said CONNECT unless `options` is null. */
function crowd ({ t, port }: Target, size: number, options: object | null = {}): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: size }, () => connect(t, port, options)))
}

/** Writes bytes one by one, each in a packet of its own where the kernel lets it. */
async function trickle (client: RawClient, text: string, pause = 0): Promise<void> {
  for (const byte of text) {
    if (client.ended) return
    client.send(byte)
    await new Promise((resolve) => { if (pause > 0) setTimeout(resolve, pause); else setImmediate(resolve) })
  }
}

const guarded = (seconds: number): { config: string, options: object, hello: object } => ({
  config: `authorization { user: a, password: b, timeout: ${seconds} }`,
  options: { authorization: { user: 'a', pass: 'b', timeout: seconds * 1000 } },
  hello: { user: 'a', pass: 'b' }
})

arena.onBoth('where credentials are asked for, the first byte that is not that of CONNECT is the last', guarded(60), async (t, target) => {
  for (const first of ['P', 'h', 'S', 'U', 'i', '+', '-', 'x', '\r', '\xff', `PUB a ${MiB}\r\n${'x'.repeat(1000)}`]) {
    const client = await connect(target.t, target.port, null)
    client.send(first)
    t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n", JSON.stringify(first.slice(0, 10)))
  }
})

t.test('the hooks of the host are asked at that byte, whether an anonymous client may go on', async (t) => {
  const { broker, natsPort } = await startHost(t)
  const asked: unknown[] = []
  let isOpen = false
  broker.authenticate = (_client, username, _password, done) => {
    asked.push(username)
    setImmediate(() => { done(null, isOpen) })
  }
  for (const first of ['P', 'x', `PUB a ${MiB}\r\n${'x'.repeat(1000)}`]) {
    const client = await connect(t, natsPort, null)
    client.send(first)
    t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n", JSON.stringify(first.slice(0, 10)))
  }
  isOpen = true
  const client = await connect(t, natsPort, null)
  client.send('SUB a 1\r\nPUB a 1\r\nx\r\n')
  t.equal(await client.fence(), '+OK\r\n+OK\r\nMSG a 1 1\r\nx\r\n')
  t.equal(asked.length, 4)
})

arena.onBoth('who does not say who it is has so much time and no more, reading or not, sending or not', guarded(0.5), async (t, target) => {
  const began = Date.now()
  const deaf = await crowd(target, 50, null)
  for (const { socket } of deaf) socket.pause()
  const silent = await crowd(target, 50, null)
  const slow = await crowd(target, 50, null)
  const trickles = slow.map((client) => trickle(client, `CONNECT {"user":"a","pass":"b","name":"${'x'.repeat(4000)}`, 20))
  const report = await target.report(150)
  if (report !== null) t.ok(report.cost < 8 * MiB, `${report.cost} bytes`)
  for (const client of [...silent, ...slow]) t.equal(await client.end(), "-ERR 'Authentication Timeout'\r\n")
  t.ok(Date.now() - began >= 500)
  t.ok(Date.now() - began < 15_000)
  await Promise.all(trickles)
  await target.report(0)
  for (const client of deaf) {
    client.socket.resume()
    t.equal(await client.end(), "-ERR 'Authentication Timeout'\r\n")
  }
})

arena.onBoth('a control line that does not end ends the connection', {}, async (t, target) => {
  for (const start of ['SUB ', 'PUB ', 'CONNECT ', '-ERR ']) {
    const client = await connect(target.t, target.port)
    client.send(start + 'a'.repeat(4200))
    t.equal(await client.end(), "-ERR 'maximum control line exceeded'\r\n", start)
  }
  const clients = await crowd(target, 20)
  const sent = await Promise.all(clients.map((client) => pump(client, `SUB ${'a'.repeat(64 * KiB)}`, 64 * MiB)))
  t.ok(Math.max(...sent) < 32 * MiB, `${Math.max(...sent)} bytes taken`)
})

arena.onBoth('what is no part of a control line is not kept, however long', {}, async (t, target) => {
  for (const [start, filler, end, answer] of [['PING', ' x', '\r\n', ''], ['SUB', '  ', 'a 1\r\nPUB a 0\r\n\r\n', 'MSG a 1 0\r\n\r\n']] as const) {
    const client = await connect(target.t, target.port)
    client.answersPings = false
    client.send(start)
    const most = 16 * MiB
    t.ok(await pump(client, filler.repeat(32 * KiB), most) >= most)
    const report = await target.report(2)
    if (report !== null) t.ok(report.cost < 4 * MiB, `${report.cost} bytes`)
    client.send(end)
    t.equal((await client.fence()).replaceAll('PING\r\n', '').replace(/^PONG\r\n/, ''), answer)
  }
})

arena.onBoth('sizes that contradict each other, or are too large, end the connection at their line', {}, async (t, target) => {
  const violation = "-ERR 'Maximum Payload Violation'\r\n"
  for (const [line, answer] of [['HPUB a 13 12', ''], ['HPUB a r 13 12', ''], ['HPUB a 999999999 1', ''], ['HPUB a 12 1048577', violation], ['PUB a 999999999', violation], ['PUB a 1048577', violation]] as const) {
    const client = await connect(target.t, target.port)
    client.send(`${line}\r\n`)
    t.equal(await client.end(), answer, line)
  }
})

const large = { config: 'max_payload: 67108864', options: { maxPayload: 64 * MiB } }

arena.onBoth('a payload that is announced and not sent costs nothing', large, async (t, target) => {
  const clients = await crowd(target, 100)
  for (const client of clients) client.send(`PUB a ${64 * MiB}\r\n`)
  await Promise.all(clients.map((client) => trickle(client, 'x'.repeat(100))))
  const report = await target.report(100)
  if (report !== null) t.ok(report.cost < 8 * MiB, `${report.cost} bytes for 100 of 64 MiB`)
})

arena.onBoth('a payload that comes too slowly is that of a stale connection', { config: `${large.config}\nping_interval: "200ms"\nping_max: 2`, options: { ...large.options, pingInterval: 200, pingMax: 2 } }, async (t, target) => {
  const clients = await crowd(target, 20)
  for (const client of clients) {
    client.answersPings = false
    client.send(`PUB a ${64 * MiB}\r\n`)
  }
  const began = Date.now()
  await Promise.all(clients.map((client) => trickle(client, 'x'.repeat(10_000), 10)))
  t.ok(Date.now() - began < 20_000)
  for (const client of clients) t.match(await client.end(), /-ERR 'Stale Connection'\r\n$/)
})

function deep (tokens: number): string {
  return 'a.'.repeat(tokens - 1) + 'a'
}

arena.onBoth('subjects of two thousand tokens cost what their tokens cost', {}, async (t, target) => {
  const client = await connect(target.t, target.port)
  for (let i = 0; i < 100; i++) client.send(`SUB ${i}.${deep(2000)} ${i}\r\nSUB 7.${'*.'.repeat(i)}> x${i}\r\n`)
  client.send(`PUB 7.${deep(2000)} 0\r\n\r\n`)
  t.equal((await client.fence()).match(/MSG /g)?.length, 101)
  const report = await target.report(1)
  if (report !== null) t.ok(report.cost < 100 * MiB, `${report.cost} bytes for 200,000 tokens`)
})

arena.onBoth('max_sub_tokens refuses them', { config: 'max_sub_tokens: 16', options: { maxSubTokens: 16 } }, async (t, target) => {
  const client = await connect(target.t, target.port)
  for (let i = 0; i < 100; i++) client.send(`SUB ${i}.${deep(2000)} ${i}\r\n`)
  t.equal((await client.fence()).match(/too many tokens/g)?.length, 100)
  const report = await target.report(1)
  if (report !== null) t.ok(report.cost < 4 * MiB, `${report.cost} bytes`)
})

arena.onBoth('200,000 tokens in a line of a megabyte are survived', { config: 'max_control_line: 1048576', options: { maxControlLine: MiB } }, async (t, target) => {
  const client = await connect(target.t, target.port)
  client.send(`SUB ${deep(200_000)} 1\r\nSUB ${'*.'.repeat(100_000)}> 2\r\nPUB ${deep(200_000)} 0\r\n\r\nUNSUB 1\r\nUNSUB 2\r\n`)
  t.equal((await client.fence()).match(/MSG /g)?.length, 2)
})

const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']

arena.onBoth('names that objects have are names like any other', {}, async (t, target) => {
  for (const name of names) {
    const client = await connect(target.t, target.port, { name, user: name, pass: name, lang: name, __proto__: { [name]: name } })
    client.send(`UNSUB ${name}\r\nSUB ${name} ${name}\r\nSUB ${name}.* ${name} x${name}\r\n`)
    const header = `NATS/1.0\r\n${name}: ${name}\r\n\r\n`
    client.send(`HPUB ${name}.${name} ${name} ${header.length} ${header.length + 1}\r\n${header}x\r\nPUB ${name} 0\r\n\r\nUNSUB ${name}\r\nPUB ${name} 0\r\n\r\n`)
    t.equal(await client.fence(), `HMSG ${name}.${name} x${name} ${name} ${header.length} ${header.length + 1}\r\n${header}x\r\nMSG ${name} ${name} 0\r\n\r\n`)
  }
})

const named = {
  config: 'authorization { users [ { user: "__proto__", password: "constructor" } ] }',
  options: { authorization: { users: [{ user: '__proto__', pass: 'constructor' }] } },
  hello: { user: '__proto__', pass: 'constructor' }
}

arena.onBoth('nor do they let anybody in', named, async (t, target) => {
  for (const user of names) {
    for (const pass of names) {
      const client = await connect(target.t, target.port, null)
      client.send(`CONNECT {"verbose":true,"user":"${user}","pass":"${pass}"}\r\n`)
      if (user === '__proto__' && pass === 'constructor') t.equal(await client.expect(/.*\r\n/), '+OK\r\n')
      else t.equal(await client.end(), "-ERR 'Authorization Violation'\r\n", `${user} ${pass}`)
    }
  }
})

t.test('client ids made of them are told apart', async (t) => {
  // eslint-disable-next-line no-template-curly-in-string -- that is how they are written
  const { broker, gateway, natsPort } = await startHost(t, { nats: { clientId: '${name}' } })
  const clients = await Promise.all(names.map((name) => connect(t, natsPort, { name })))
  t.strictSame([...gateway.clients.values()].map(({ clientId }) => clientId).sort(), names.map((name) => `nats:${name}`).sort())
  t.equal(broker.connectedClients, names.length)
  const again = await connect(t, natsPort, { name: '__proto__' })
  t.equal(await clients[0]?.end(), "-ERR 'Session Taken Over'\r\n")
  t.equal(await again.fence(), '')
})
