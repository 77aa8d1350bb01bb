import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { Admission, origin } from '../../lib/gateway/admission.ts'
import { startHost } from '../helper/brokers.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { connect } from '../helper/raw.ts'
import { dialNats } from '../secure/web-client.ts'

const unlimited = { maxConnections: 0, maxConnectionsPerAddress: 0, maxConnectionRate: 0 }
const throttled = "-ERR 'Connection throttling is active. Please try again later.'\r\n"
const exceeded = "-ERR 'maximum connections exceeded'\r\n"

t.test('an IPv6 address counts for its network', async (t) => {
  const same: Record<string, string[]> = {
    '10.0.0.1': ['10.0.0.1'],
    '2001:db8:0:1::': ['2001:db8:0:1::1', '2001:DB8:0000:0001:ffff:ffff:ffff:ffff', '2001:0db8:0:1:1:2:3:4', '2001:db8::1:0:0:0:5'],
    '0:0:0:0::': ['::1', '::', '::1:2:3:4', '::1.2.3.4', '::ffff:0:1.2.3.4'],
    'fe80:0:0:0::': ['fe80::1%eth0', 'fe80::', 'fe80::aaaa:1:2:3'],
    '1:2:3:4::': ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4::']
  }
  for (const [from, addresses] of Object.entries(same)) {
    for (const address of addresses) t.equal(origin(address), from, address)
  }
  t.equal(origin(''), '')
})

t.test('so many connections a second from one address', async (t) => {
  const admission = new Admission()
  const options = { ...unlimited, maxConnectionRate: 10 }
  const admitted = (address: string, now: number, tries: number): number => {
    let count = 0
    for (let i = 0; i < tries; i++) {
      if (admission.enter(address, 0, options, now) !== null) continue
      count++
      admission.leave(address)
    }
    return count
  }
  t.equal(admitted('a', 5000, 100), 10)
  t.equal(admitted('b', 5000, 100), 10, 'each address has its own')
  t.equal(admitted('a', 5050, 100), 0, 'half of the time for one more')
  t.equal(admitted('a', 5100, 100), 1, 'refused ones do not count')
  t.equal(admitted('a', 5600, 100), 5)
  t.equal(admitted('a', 60_000, 100), 10, 'no more is saved up than for a second')
  t.equal(admitted('', 60_000, 100), 100, 'what has no address')
  t.match(admission.enter('a', 0, options, 60_000), { code: 'NATS_ERR_CONNECTION_RATE', message: 'more than 10 connections a second from a' })
})

t.test('addresses are forgotten', async (t) => {
  const admission = new Admission()
  const options = { ...unlimited, maxConnectionRate: 1, maxConnectionsPerAddress: 1 }
  let largest = 0
  for (let i = 0; i < 100_000; i++) {
    const address = `2001:db8:${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}::1`
    if (admission.enter(address, 0, options, i) === null) admission.leave(address)
    largest = Math.max(largest, admission.size)
  }
  // A connection a millisecond, and two seconds until an address is forgotten at the latest.
  t.ok(largest <= 2001, `${largest} addresses`)
})

t.test('the next connection of an address is refused, others are not', async (t) => {
  const admission = new Admission()
  const options = { ...unlimited, maxConnections: 4, maxConnectionsPerAddress: 2 }
  t.equal(admission.enter('a', 0, options), null)
  t.equal(admission.enter('a', 1, options), null)
  t.match(admission.enter('a', 2, options), { code: 'NATS_ERR_MAX_CONNECTIONS_PER_ADDRESS', message: 'more than 2 connections from a', wire: 'maximum connections exceeded' })
  admission.leave('a')
  t.equal(admission.enter('b', 2, options), null)
  admission.leave('a')
  t.equal(admission.enter('a', 2, options), null)
  t.match(admission.enter('c', 4, options), { code: 'NATS_ERR_MAX_CONNECTIONS' })
  t.match(admission.enter('', 4, options), { code: 'NATS_ERR_MAX_CONNECTIONS' })
  for (const address of ['a', 'a', 'b']) admission.leave(address)
  t.equal(admission.size, 0)
})

t.test('maxConnectionRate tells whoever comes too often, and changes while the gateway runs', async (t) => {
  const { gateway, natsPort } = await startHost(t, { nats: { maxConnectionRate: 1 } })
  const first = await connect(t, natsPort)
  // It would take 50 seconds to let them all in.
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect(t, natsPort, null)))
  for (const client of clients) client.send('PING\r\n')
  const answers = await Promise.all(clients.map((client) => client.expect(/PONG\r\n|-ERR.*\r\n/)))
  t.ok(answers.includes(throttled))
  t.ok(answers.every((answer) => answer === throttled || answer === 'PONG\r\n'))
  t.ok(clients.every(({ info }) => info['proto'] === 1))
  t.equal(await first.fence(), '', 'who is there stays')
  const before = gateway.clients.size
  gateway.update({ maxConnectionRate: 0 })
  for (let i = 0; i < 20; i++) await connect(t, natsPort)
  t.equal(gateway.clients.size, before + 20)
})

t.test('maxConnectionsPerAddress tells one too many', async (t) => {
  const { gateway, natsPort } = await startHost(t, { nats: { maxConnectionsPerAddress: 2 } })
  const first = await connect(t, natsPort)
  await connect(t, natsPort)
  t.equal(await (await connect(t, natsPort, null)).end(), exceeded)
  first.socket.end()
  await first.end()
  await connect(t, natsPort)
  gateway.update({ maxConnectionsPerAddress: 3 })
  await connect(t, natsPort)
  t.equal(await (await connect(t, natsPort, null)).end(), exceeded)
})

t.test('who is one too many is told so in front of TLS, whose handshakes cost', async (t) => {
  const { cert, key } = new CertificateAuthority(t).local()
  const { gateway, natsPort } = await startHost(t, { nats: { tls: { cert, key, timeout: 60_000 }, maxConnectionsPerAddress: 2 } })
  const first = await connect(t, natsPort, null)
  await connect(t, natsPort, null)
  t.equal(gateway.listeners.pending, 2, 'none of them has begun its handshake')
  t.equal(await (await connect(t, natsPort, null)).end(), exceeded)
  first.socket.destroy()
  while (gateway.listeners.pending === 2) await new Promise((resolve) => { setImmediate(resolve) })
  await connect(t, natsPort, null)
  t.equal(await (await connect(t, natsPort, null)).end(), exceeded)
  gateway.update({ maxConnectionsPerAddress: 0, maxConnectionRate: 1 })
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect(t, natsPort, null)))
  t.equal(await Promise.any(clients.map((client) => client.end())), throttled)
})

t.test('WebSocket connections count from the first byte, and are told why where that costs no handshake of TLS', async (t) => {
  const { cert, key } = new CertificateAuthority(t).local()
  for (const tls of [null, { cert, key }]) {
    const { gateway } = await startHost(t, { nats: { maxConnectionsPerAddress: 1, websocket: { port: 0, host: '127.0.0.1', handshakeTimeout: 60_000, ...tls === null ? { noTls: true } : { tls } } } })
    const port = gateway.listeners.websocket?.port as number
    const url = `${tls === null ? 'ws' : 'wss'}://127.0.0.1:${port}`
    const silent = net.connect(port, '127.0.0.1')
    while (gateway.listeners.pending === 0) await new Promise((resolve) => { setImmediate(resolve) })
    if (tls === null) t.equal(await (await dialNats(t, url)).end(), exceeded)
    else await t.rejects(dialNats(t, url, { rejectUnauthorized: false }))
    silent.destroy()
    await once(silent, 'close')
    while (gateway.listeners.pending > 0) await new Promise((resolve) => { setImmediate(resolve) })
    t.equal((await dialNats(t, url, { rejectUnauthorized: false })).info['proto'], 1)
  }
})
