import type { PeerCertificate } from 'node:tls'
import t from 'tap'
import { createGateway, type Broker, type GatewayOptions, type WebsocketOptions } from '../../lib/index.ts'
import { startBroker, startHost, type Host, type Teardown } from '../helper/brokers.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { Chain } from '../auth/jwts.ts'
import { dialNats, hello } from './web-client.ts'

async function start (t: Teardown, websocket: WebsocketOptions = {}, others: GatewayOptions = {}): Promise<Host & { url: string }> {
  const host = await startHost(t, { nats: { websocket: { port: 0, noTls: true, ...websocket }, ...others } })
  return { ...host, url: `ws://127.0.0.1:${host.gateway.listeners.websocket?.port ?? 0}` }
}

t.test('WebSocket, TCP and MQTT clients talk to each other', async (t) => {
  const { url, natsPort, mqttUrl, gateway } = await start(t)
  const web = await dialNats(t, `${url}/any/path?x=1`)
  t.match(web.info, { port: gateway.listeners.websocket?.port, client_ip: '127.0.0.1', tls_required: undefined })
  web.send(`${hello}SUB a.* 1\r\n`)
  t.equal(await web.fence(), '')
  const tcp = await connect(t, natsPort)
  tcp.send('SUB a.* 1\r\nPUB a.tcp 1\r\nx\r\n')
  t.equal(await tcp.fence(), 'MSG a.tcp 1 1\r\nx\r\n')
  await web.expect('MSG a.tcp 1 1\r\nx\r\n')
  const mqtt = await connectMqtt(t, mqttUrl)
  await mqtt.publish('a/mqtt', 'y', { qos: 0 })
  await web.expect('MSG a.mqtt 1 1\r\ny\r\n')
  await tcp.expect('MSG a.mqtt 1 1\r\ny\r\n')
  web.send('PUB a.web 1\r\nz\r\n')
  await tcp.expect('MSG a.web 1 1\r\nz\r\n')
})

t.test('what comes in many messages at once is answered in few', async (t) => {
  const { url } = await start(t)
  const client = await dialNats(t, url)
  client.send(`${hello}SUB a 1\r\n`)
  await client.fence()
  let messages = 0
  client.webSocket.on('message', () => { messages++ })
  for (let i = 0; i < 1000; i++) client.webSocket.send('PUB a 1\r\nx\r\n')
  t.equal(await client.fence(), 'MSG a 1 1\r\nx\r\n'.repeat(1000))
  t.ok(messages < 200, `${messages} messages`)
})

t.test('how a connection ends is told by code and text', async (t) => {
  const authorization = { users: [{ user: 'ann', pass: 'secret' }] }
  const rows: [string, GatewayOptions, string, string, string][] = [
    ['a wrong password', { authorization }, 'CONNECT {"user":"ann","pass":"wrong"}\r\n', "-ERR 'Authorization Violation'\r\n", '1008 Authentication Failure'],
    ['no CONNECT in time', { authorization: { ...authorization, timeout: 1 } }, '', "-ERR 'Authentication Timeout'\r\n", '1008 Authentication Timeout'],
    ['no operation', {}, `${hello}NONSENSE\r\n`, "-ERR 'Unknown Protocol Operation'\r\n", '1002 Protocol Violation'],
    ['a payload without its end', {}, `${hello}PUB a 1\r\nxyz\r\n`, "-ERR 'Unknown Protocol Operation'\r\n", '1002 Protocol Violation'],
    ['too large a payload', { maxPayload: 4 }, `${hello}PUB a 5\r\n`, "-ERR 'Maximum Payload Violation'\r\n", '1009 Maximum Message Payload Exceeded'],
    ['too long a line', { maxControlLine: 64 }, `${hello.slice(0, 60)}${' '.repeat(100)}`, "-ERR 'maximum control line exceeded'\r\n", '1008 Maximum Control Line Exceeded']
  ]
  for (const [name, others, sent, last, status] of rows) {
    const { url } = await start(t, {}, others)
    const client = await dialNats(t, url)
    client.send(sent)
    t.equal((await client.end()).replaceAll('PING\r\n', ''), last, name)
    t.equal(await client.closed, status, name)
  }
})

t.test('a message may come in so many fragments and no more', async (t) => {
  const { url } = await start(t)
  for (const fragments of [16_384, 16_385]) {
    const client = await dialNats(t, url)
    client.send(hello)
    await client.fence()
    client.webSocket.send(`PUB a ${fragments - 2}\r\n`, { fin: false })
    for (let i = 2; i < fragments; i++) client.webSocket.send('x', { fin: false })
    client.webSocket.send('\r\nPING\r\n')
    if (fragments === 16_384) t.equal(await client.expect('PONG\r\n'), 'PONG\r\n')
    else t.equal(await client.closed, '1008 ')
  }
})

t.test('silence, too many connections, a stop and lame duck mode end connections too', async (t) => {
  const stale = await start(t, {}, { pingInterval: 1, pingMax: 1 })
  const silent = await dialNats(t, stale.url)
  silent.answersPings = false
  silent.send(hello)
  t.match(await silent.end(), /-ERR 'Stale Connection'\r\n$/)
  t.equal(await silent.closed, '1001 Stale Connection')

  const full = await start(t, {}, { maxConnections: 1 })
  const first = await dialNats(t, full.url)
  const second = await dialNats(t, full.url)
  t.equal(await second.end(), "-ERR 'maximum connections exceeded'\r\n")
  t.equal(await second.closed, '1008 Maximum Connections Exceeded')
  const closing = full.gateway.close()
  t.equal(await first.closed, '1001 Server Shutdown')
  await closing

  const duck = await start(t, {}, { lameDuckGracePeriod: 0, lameDuckDuration: 1 })
  const told = await dialNats(t, duck.url)
  told.send(hello)
  await told.fence()
  await Promise.all([duck.gateway.lameDuck(), told.expect(/INFO [^\r\n]*"ldm":true[^\r\n]*\r\n/)])
  t.equal(await told.closed, '1001 Server Shutdown')
})

t.test('a client that closes is answered with its own code', async (t) => {
  const { url, gateway } = await start(t)
  const client = await dialNats(t, url)
  client.webSocket.close(1000, 'bye')
  t.match(await client.closed, /^1000 /)
  t.equal(gateway.clients.size, 0)
})

t.test('cookies stand for what CONNECT leaves out', async (t) => {
  const cookies = { userCookie: 'u', passCookie: 'p', tokenCookie: 't', jwtCookie: 'j' }
  const rows: [string, NonNullable<GatewayOptions['authorization']>, string, string][] = [
    ['user and password', { users: [{ user: 'ann', pass: 'secret' }] }, 'x=y; u=ann; p=secret', 'User "ann"'],
    ['a token', { token: 's3cret' }, 't=s3cret', 'Token "[REDACTED]"']
  ]
  for (const [name, authorization, Cookie, identity] of rows) {
    const { url, gateway } = await start(t, cookies, { authorization })
    const client = await dialNats(t, url, { headers: { Cookie } })
    client.send(hello)
    t.equal(await client.fence(), '', name)
    t.equal([...gateway.clients.values()][0]?.identity?.name, identity)
    const stranger = await dialNats(t, url, { headers: { Cookie: 'u=ann; p=wrong; t=wrong' } })
    stranger.send(hello)
    t.equal(await stranger.closed, '1008 Authentication Failure', name)
    const own = await dialNats(t, url, { headers: { Cookie } })
    own.send('CONNECT {"user":"bob","pass":"x","auth_token":"x"}\r\n')
    t.equal(await own.closed, '1008 Authentication Failure', 'CONNECT goes before cookies')
  }
})

t.test('a JWT comes by cookie', async (t) => {
  const chain = await Chain.create()
  const jwt = await chain.encodeUser({ bearer_token: true })
  const { url } = await start(t, { jwtCookie: 'j' }, { authorization: chain.option })
  const client = await dialNats(t, url, { headers: { Cookie: `j=${jwt}` } })
  client.send(hello)
  t.equal(await client.fence(), '')
  const stranger = await dialNats(t, url)
  stranger.send(hello)
  t.equal(await stranger.closed, '1008 Authentication Failure')
})

t.test('pages may come from some origins only', async (t) => {
  const { url } = await start(t, { allowedOrigins: ['https://example.com'] })
  await dialNats(t, url)
  await dialNats(t, url, { origin: 'https://example.com' })
  await t.rejects(dialNats(t, url, { origin: 'https://example.org' }), /403/)
  const same = await start(t, { sameOrigin: true })
  await dialNats(t, same.url, { origin: same.url.replace('ws:', 'http:') })
  await t.rejects(dialNats(t, same.url, { origin: 'http://127.0.0.1' }), /403/)
})

t.test('messages are compressed with those who offer it', async (t) => {
  for (const compression of [true, false]) {
    const { url } = await start(t, { compression })
    const client = await dialNats(t, url)
    t.equal(client.webSocket.extensions.startsWith('permessage-deflate'), compression)
    const payload = 'abc'.repeat(100_000)
    client.send(`${hello}SUB a 1\r\nPUB a ${payload.length}\r\n${payload}\r\n`)
    t.equal(await client.fence(), `MSG a 1 ${payload.length}\r\n${payload}\r\n`)
  }
})

t.test('the listener has users and a mountpoint of its own', async (t) => {
  const authorization = { users: [{ user: 'ann', pass: 'secret' }, { user: 'guest', pass: 'x', permissions: { publish: 'open.>' } }] }
  const { url, natsPort } = await start(t, { authorization: { noAuthUser: 'guest' }, mountpoint: 'web/' }, { authorization })
  const tcp = await connect(t, natsPort, { user: 'ann', pass: 'secret' })
  t.equal(tcp.info['auth_required'], true)
  tcp.send('SUB > 1\r\n')
  t.equal(await tcp.fence(), '')
  const guest = await dialNats(t, url)
  t.equal(guest.info['auth_required'], undefined)
  guest.send(`${hello}PUB open.a 1\r\nx\r\nPUB closed 0\r\n\r\n`)
  t.equal(await guest.fence(), "-ERR 'Permissions Violation for Publish to \"closed\"'\r\n")
  await tcp.expect('MSG web.open.a 1 1\r\nx\r\n')
  const single = await start(t, { authorization: { token: 'own' } })
  const client = await dialNats(t, single.url)
  t.equal(client.info['auth_required'], true)
  client.send('CONNECT {"verbose":false,"auth_token":"own"}\r\n')
  t.equal(await client.fence(), '')
  await connect(t, single.natsPort)
  await t.rejects(start(t, { authorization: { noAuthUser: 'nobody' } }), { code: 'NATS_ERR_OPTION', message: /websocket\.authorization\.noAuthUser/ })
})

t.test('TLS on its port, with certificates that are loaded anew', async (t) => {
  const authority = new CertificateAuthority(t)
  const [first, second] = [authority.local(), authority.local('second')].map(({ cert, key }) => ({ cert, key })) as [WebsocketOptions['tls'] & object, WebsocketOptions['tls'] & object]
  const host = await startHost(t, { nats: { websocket: { port: 0, tls: first } } })
  const { gateway } = host
  const url = `wss://127.0.0.1:${gateway.listeners.websocket?.port ?? 0}`
  const names: unknown[] = []
  const note = (_host: string, { subject }: PeerCertificate): void => { names.push(subject.CN) }
  const open = async (): ReturnType<typeof dialNats> => {
    const client = await dialNats(t, url, { ca: authority.ca, checkServerIdentity: note } as object)
    client.send(hello)
    t.equal(await client.fence(), '')
    return client
  }
  const old = await open()
  t.equal(old.info['tls_required'], true)
  gateway.update({ websocket: { port: 0, tls: second } })
  await open()
  t.strictSame(names, ['server', 'second'])
  t.equal(await old.fence(), '')
  t.throws(() => { gateway.update({ websocket: { port: 0, tls: second, compression: true } }) }, { message: /option 'websocket\.compression' is fixed/ })
  t.throws(() => { gateway.update({ websocket: { port: 0, noTls: true } }) }, { message: /option 'websocket\.noTls' is fixed|option 'websocket\.tls' is fixed/ })
  t.throws(() => { gateway.update({ websocket: null }) }, { message: /option 'websocket' is fixed/ })
})

t.test('a port that is taken is an error, and nothing listens', async (t) => {
  const { gateway } = await start(t)
  const { broker } = await startBroker(t)
  await t.rejects(createGateway(broker as Broker, { host: '127.0.0.1', port: 0, websocket: { port: gateway.listeners.websocket?.port ?? 0, noTls: true } }), { code: 'NATS_ERR_LISTEN' })
  t.throws(() => { gateway.attach(null as never) }, { code: 'NATS_ERR_OPTION', message: /'path'/ })
})

t.test('a wrong mountpoint of its own is refused at the start', async (t) => {
  await t.rejects(start(t, { mountpoint: 'web' }), { code: 'NATS_ERR_OPTION', message: /websocket\.mountpoint/ })
})
