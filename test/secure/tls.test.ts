import { once } from 'node:events'
import tls, { type TLSSocket } from 'node:tls'
import t from 'tap'
import { connect as connectOlder } from 'nats'
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node'
import type { AuthorizationOption, GatewayOptions, TlsOptions } from '../../lib/index.ts'
import type { Teardown } from '../helper/brokers.ts'
import { startHost, type Host } from '../helper/brokers.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { servers } from '../auth/servers.ts'
import { connect, RawClient } from '../helper/raw.ts'

const authority = new CertificateAuthority(t)
const { ca } = authority
const { cert, key, certFile, keyFile } = authority.local()
const device = authority.issue('device', 'email:device@example.com,DNS:device.example.com')

const libraries = [
  { name: 'nats.js', connect: connectNats },
  { name: 'the older nats.js', connect: connectOlder as unknown as typeof connectNats }
]

function start (t: Teardown, options: TlsOptions = {}, others: GatewayOptions = {}): Promise<Host> {
  return startHost(t, { nats: { tls: { cert, key, ...options }, ...others } })
}

/** The INFO that comes in the clear, and then TLS. */
async function upgrade (t: Teardown, port: number, options: tls.ConnectionOptions = {}): Promise<RawClient & { info: Record<string, unknown>, stream: TLSSocket }> {
  const { info, socket } = await connect(t, port, null)
  socket.removeAllListeners('data')
  const stream = tls.connect({ socket, host: '127.0.0.1', ca, ...options })
  t.teardown(() => { stream.destroy() })
  stream.on('error', () => {})
  return Object.assign(new RawClient(stream), { info, stream })
}

const hello = 'CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true}\r\n'

for (const { name, connect: connectTo } of libraries) {
  const open = async (t: Teardown, options: Parameters<typeof connectTo>[0]): Promise<NatsConnection> => {
    const nats = await connectTo({ reconnect: false, timeout: 20_000, ...options })
    t.teardown(() => nats.close())
    return nats
  }

  t.test(`${name}: TLS after INFO, first, or whichever comes`, async (t) => {
    for (const [handshakeFirst, clientFirst] of [[false, false], [true, true], ['auto', true], ['auto', false], [60_000, true]] as const) {
      const { natsUrl } = await start(t, { handshakeFirst })
      const nats = await open(t, { servers: natsUrl, tls: { ca, handshakeFirst: clientFirst } })
      const subscription = nats.subscribe('a', { max: 1 })
      nats.publish('a', 'x')
      for await (const message of subscription) t.equal(message.string(), 'x')
      t.match(nats.info, { tls_required: true, tls_verify: undefined, tls_available: undefined })
    }
  })

  t.test(`${name}: a certificate of nobody known is not accepted`, async (t) => {
    const { natsUrl, gateway } = await start(t)
    await t.rejects(open(t, { servers: natsUrl, tls: {} }))
    t.equal(gateway.clients.size, 0)
  })

  t.test(`${name}: with and without TLS on one port`, async (t) => {
    const { natsUrl } = await start(t, { allowNonTls: true })
    const plain = await open(t, { servers: natsUrl, tls: null })
    const secure = await open(t, { servers: natsUrl, tls: { ca } })
    t.match(plain.info, { tls_available: true, tls_required: undefined })
    const subscription = plain.subscribe('a', { max: 1 })
    await plain.flush()
    secure.publish('a', 'x')
    for await (const message of subscription) t.equal(message.string(), 'x')
  })

  t.test(`${name}: clients need a certificate`, async (t) => {
    const { natsUrl, gateway } = await start(t, { verify: true, ca })
    const nats = await open(t, { servers: natsUrl, tls: { ca, cert: device.cert, key: device.key } })
    t.match(nats.info, { tls_verify: true })
    await nats.flush()
    await t.rejects(open(t, { servers: natsUrl, tls: { ca } }))
    t.equal(gateway.clients.size, 1)
  })

  t.test(`${name}: the certificate says who the client is`, async (t) => {
    const authorization: AuthorizationOption = {
      users: [
        { user: 'device@example.com', permissions: { publish: 'own.>' } },
        { user: 'O=aedes-nats,CN=other', permissions: {} }
      ]
    }
    const { natsUrl, gateway, broker } = await start(t, { verifyAndMap: true, ca }, { authorization })
    const names: unknown[] = []
    broker.authenticate = (client, username, _password, callback) => {
      names.push(username, (client as unknown as { nats: { user: string } }).nats.user)
      callback(null, true)
    }
    const nats = await open(t, { servers: natsUrl, tls: { ca, cert: device.cert, key: device.key } })
    t.equal(nats.info?.auth_required, true)
    t.strictSame(names, ['device@example.com', ''])
    const denied = (async () => { for await (const status of nats.status()) if (status.type === 'error') return status })()
    nats.publish('other.a')
    nats.publish('own.a')
    await nats.flush()
    t.match(JSON.stringify(await denied), /other\.a/)
    const stranger = authority.issue('stranger', 'DNS:nowhere.example.com')
    await t.rejects(open(t, { servers: natsUrl, tls: { ca, cert: stranger.cert, key: stranger.key } }), /authorization violation/i)
    t.equal(gateway.clients.size, 1)
  })
}

t.test('a client that goes on without TLS is closed, and nothing of it served', async (t) => {
  const { natsPort, gateway } = await start(t)
  const client = await connect(t, natsPort, null)
  t.match(client.info, { tls_required: true })
  client.send(`${hello}SUB a 1\r\nPING\r\n`)
  t.equal(await client.end(), '')
  t.equal(gateway.counters.totalConnections, 0)
})

t.test('a client gets INFO once, and its connection has what INFO said', async (t) => {
  const { natsPort, gateway } = await start(t)
  const client = await upgrade(t, natsPort)
  client.send(hello)
  t.equal(await client.fence(), '')
  const [served] = gateway.clients.values()
  t.match(served, { cid: client.info.client_id, address: '127.0.0.1' })
})

t.test('limits hold for clients with TLS', async (t) => {
  const { natsPort } = await start(t, {}, { maxPayload: 1024, maxConnections: 2 })
  const first = await upgrade(t, natsPort)
  first.send(hello)
  t.equal(await first.fence(), '')
  const second = await upgrade(t, natsPort)
  const third = await connect(t, natsPort, null)
  t.equal(await third.end(), "-ERR 'maximum connections exceeded'\r\n", 'the second counts, though not through with its handshake')
  second.send(`${hello}PUB a 1025\r\n`)
  t.equal(await second.end(), "-ERR 'Maximum Payload Violation'\r\n")
  t.equal(await first.fence(), '')
})

t.test('more than a socket holds goes through', async (t) => {
  const { natsPort } = await start(t)
  const client = await upgrade(t, natsPort)
  client.send(`${hello}SUB a 1\r\n`)
  const message = `MSG a 1 100000\r\n${'x'.repeat(100_000)}\r\n`
  for (let i = 0; i < 30; i++) client.send(message.replace('MSG a 1', 'PUB a'))
  for (let i = 0; i < 30; i++) await client.expect(message)
  t.equal(await client.fence(), '')
})

t.test('other addresses have TLS too, with their mountpoints', async (t) => {
  const { gateway, mqttUrl } = await start(t, {}, { listeners: [{ port: 0, mountpoint: 'web/' }] })
  t.ok(mqttUrl)
  const main = await upgrade(t, gateway.listeners.tcp[0]?.port ?? 0)
  main.send(`${hello}SUB > 1\r\n`)
  t.equal(await main.fence(), '')
  const other = await upgrade(t, gateway.listeners.tcp[1]?.port ?? 0)
  other.send(`${hello}PUB a 1\r\nx\r\n`)
  t.equal(await other.fence(), '')
  await main.expect('MSG web.a 1 1\r\nx\r\n')
})

t.test('new connections get a new certificate, old ones stay', async (t) => {
  const { natsPort, gateway } = await start(t)
  const next = authority.local('next')
  const names = async (): Promise<unknown> => {
    const client = await upgrade(t, natsPort)
    await once(client.stream, 'secureConnect')
    client.send(hello)
    t.equal(await client.fence(), '')
    return client.stream.getPeerCertificate().subject.CN
  }
  const old = await upgrade(t, natsPort)
  old.send(hello)
  t.equal(await old.fence(), '')
  t.equal(await names(), 'server')
  t.throws(() => { gateway.update({ tls: { cert, key: next.key }, maxPayload: 5 }) }, { code: 'NATS_ERR_OPTION' })
  t.equal(gateway.options.maxPayload, 1_048_576)
  t.equal(await names(), 'server')
  gateway.update({ tls: { cert: next.cert, key: next.key } })
  t.equal(await names(), 'next')
  t.equal(await old.fence(), '')
  gateway.update({ tls: { cert: next.cert, key: next.key, verify: true, ca, allowNonTls: true } })
  const plain = await connect(t, natsPort)
  t.match(plain.info, { tls_verify: true, tls_available: true })
})

t.test('whether there is TLS is fixed', async (t) => {
  const secure = await start(t)
  t.throws(() => { secure.gateway.update({ tls: null }) }, { code: 'NATS_ERR_OPTION', message: /option 'tls' is fixed while the gateway runs/ })
  t.throws(() => { secure.gateway.update({ tls: { cert, key, verifyAndMap: true, ca } }) }, { message: /option 'tls\.verifyAndMap' is fixed/ })
  const plain = await startHost(t)
  t.throws(() => { plain.gateway.update({ tls: { cert, key } }) }, { message: /option 'tls' is fixed/ })
  t.equal(plain.gateway.options.tls, null)
})

t.test('a client with TLS is told of lame duck mode', async (t) => {
  const { natsPort, gateway } = await start(t, {}, { lameDuckGracePeriod: 0, lameDuckDuration: 1 })
  const client = await upgrade(t, natsPort)
  client.send(hello)
  t.equal(await client.fence(), '')
  const over = gateway.lameDuck()
  const line = await client.expect(/INFO [^\r\n]*\r\n/)
  t.match(JSON.parse(line.slice(5)), { ldm: true, tls_required: true })
  t.equal(await client.end(), '')
  await over
})

t.test('closing ends those that are not through with the handshake', async (t) => {
  const { natsPort, gateway } = await start(t, { timeout: 60_000 })
  const client = await connect(t, natsPort, null)
  await gateway.close()
  t.equal(await client.end(), '')
})

t.test('what is wrong with the option is said before anything listens', async (t) => {
  await t.rejects(startHost(t, { nats: { tls: {} } }), { code: 'NATS_ERR_OPTION', message: /option 'tls' is incomplete/ })
  await t.rejects(startHost(t, { nats: { tls: { certFile: '/nowhere.pem', keyFile: '/nowhere.pem' } } }), { code: 'NATS_ERR_OPTION', message: /option 'tls\.certFile' is unreadable/ })
  await t.rejects(startHost(t, { nats: { tls: { cret: '' } as TlsOptions } }), { code: 'NATS_ERR_OPTION_UNKNOWN', message: /tls\.cret/ })
})

for (const { name, start } of servers) {
  t.test(`a client has a second more than the handshake to say who it is, at ${name}`, async (t) => {
    const port = await start(t, `authorization { token: T }\ntls { cert_file: "${certFile}", key_file: "${keyFile}", timeout: 3 }`)
    const client = await upgrade(t, port)
    await once(client.stream, 'secureConnect')
    const began = Date.now()
    t.equal((await client.end()).replace('PING\r\n', ''), "-ERR 'Authentication Timeout'\r\n")
    // It began a little earlier.
    const time = Date.now() - began
    t.ok(time > 3500, `${time} ms`)
  })
}
