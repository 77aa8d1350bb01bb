import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import { wsconnect } from '@nats-io/nats-core'
import { WebSocket } from 'ws'
import { resolveTls } from '../../lib/transport/tls-options.ts'
import type { WebsocketOptions } from '../../lib/options/websocket.ts'
import type { Teardown } from '../helper/brokers.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { Process, scratch } from '../helper/processes.ts'
import { RawClient } from '../helper/raw.ts'
import { infoOf, limits, serve } from './fake-gateway.ts'
import { ask, dial, handshake, pair, startListener } from './websocket-rig.ts'

/** nats-server with a WebSocket port, and that port. */
async function startNatsServer (t: Teardown, config: string): Promise<number> {
  const file = path.join(scratch(t), 'server.conf')
  writeFileSync(file, `listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", no_tls: true, ${config} }\n`)
  const server = new Process(t, 'nats-server', ['-c', file])
  const [, port] = await server.until(/Listening for websocket clients on ws:\/\/127\.0\.0\.1:(\d+)[^]*Server is ready/)
  return Number(port)
}

/** Our listener in front of something that speaks NATS. */
async function startFake (t: Teardown, options: WebsocketOptions = {}): Promise<number> {
  return (await startListener(t, options, limits, (stream) => { serve(stream, infoOf()) })).port
}

const both: { name: string, start: (t: Teardown, options: WebsocketOptions, config: string) => Promise<number> }[] = [
  { name: 'ours', start: (t, options) => startFake(t, options) },
  { name: 'nats-server', start: (t, _options, config) => startNatsServer(t, config) }
]

const without = (name: keyof typeof handshake): Record<string, string> => Object.fromEntries(Object.entries(handshake).filter(([key]) => key !== name))

// `newer`: nats-server 2.9 takes any key.
const requests: { name: string, status: number, newer?: true, headers?: Record<string, string>, method?: string, path?: string }[] = [
  { name: 'the handshake', status: 101 },
  { name: 'any path', status: 101, path: '/foo/bar?x=1' },
  { name: 'lists of tokens in any case', status: 101, headers: { ...handshake, Connection: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' } },
  { name: 'a subprotocol, which is not taken', status: 101, headers: { ...handshake, 'Sec-WebSocket-Protocol': 'nats' } },
  { name: 'an offer of compression', status: 101, headers: { ...handshake, 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } },
  { name: 'another extension', status: 101, headers: { ...handshake, 'Sec-WebSocket-Extensions': 'x-unknown' } },
  { name: 'POST', status: 405, method: 'POST' },
  { name: 'POST without an upgrade', status: 405, method: 'POST', headers: {} },
  { name: 'OPTIONS', status: 405, method: 'OPTIONS', headers: {} },
  { name: 'GET without an upgrade', status: 400, headers: {} },
  { name: 'another upgrade', status: 400, headers: { ...handshake, Upgrade: 'h2c' } },
  { name: 'no Upgrade', status: 400, headers: without('Upgrade') },
  { name: 'no Connection', status: 400, headers: { ...handshake, Connection: 'close' } },
  { name: 'no key', status: 400, headers: without('Sec-WebSocket-Key') },
  { name: 'a short key', status: 400, newer: true, headers: { ...handshake, 'Sec-WebSocket-Key': 'AAAA' } },
  { name: 'a key that is no base64', status: 400, newer: true, headers: { ...handshake, 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' } },
  { name: 'no version', status: 400, headers: without('Sec-WebSocket-Version') },
  { name: 'version 8', status: 400, headers: { ...handshake, 'Sec-WebSocket-Version': '8' } }
]

for (const { name, start } of both) {
  const isOurs = name === 'ours'

  t.test(`${name}: answers requests`, async (t) => {
    const port = await start(t, {}, '')
    for (const { name, status, headers = handshake, method = 'GET', path = '/' } of requests.filter(({ newer }) => isOurs || newer === undefined)) {
      const answer = await ask(port, headers, { method, path })
      t.equal(answer.status, status, name)
      t.match(answer.headers, status === 101
        ? { 'sec-websocket-protocol': undefined, 'sec-websocket-extensions': undefined, 'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' }
        : { 'sec-websocket-version': '13' }, name)
      if (status !== 101) t.equal(answer.body, status === 405 ? 'Method Not Allowed\n' : 'Bad Request\n', name)
    }
  })

  t.test(`${name}: no_masking`, async (t) => {
    const port = await start(t, {}, '')
    const answer = await ask(port, { ...handshake, 'Nats-No-Masking': 'true' })
    t.equal(answer.status, 101)
    t.equal(answer.headers['nats-no-masking'], isOurs ? undefined : 'true')
  })

  t.test(`${name}: compression is answered where it is on and offered`, async (t) => {
    const port = await start(t, { compression: true }, 'compression: true')
    const answer = await ask(port, { ...handshake, 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' })
    t.equal(answer.headers['sec-websocket-extensions'], 'permessage-deflate; server_no_context_takeover; client_no_context_takeover')
    t.equal((await ask(port, handshake)).headers['sec-websocket-extensions'], undefined)
  })

  t.test(`${name}: same_origin`, async (t) => {
    const port = await start(t, { sameOrigin: true }, 'same_origin: true')
    const from = async (Origin: string): Promise<number> => (await ask(port, { ...handshake, Origin })).status
    t.equal((await ask(port, handshake)).status, 101, 'none')
    t.equal(await from(`http://127.0.0.1:${port}`), 101)
    for (const origin of ['http://127.0.0.1', `http://127.0.0.1:${port + 1}`, `http://localhost:${port}`, 'null', 'x', '::']) t.equal(await from(origin), 403, origin)
    // nats-server 2.9 compares no scheme.
    if (isOurs) t.equal(await from(`https://127.0.0.1:${port}`), 403)
    const refused = await ask(port, { ...handshake, 'Sec-WebSocket-Origin': 'http://evil.example' })
    t.match(refused, { status: 403, body: 'Forbidden\n', headers: { 'sec-websocket-version': '13' } })
  })

  t.test(`${name}: allowed_origins`, async (t) => {
    const origins = ['http://www.example.com', 'https://Example.com:8443']
    const port = await start(t, { allowedOrigins: origins }, `allowed_origins: ${JSON.stringify(origins)}`)
    const from = async (Origin: string): Promise<number> => (await ask(port, { ...handshake, Origin })).status
    t.equal((await ask(port, handshake)).status, 101, 'none')
    for (const origin of ['http://www.example.com', 'http://www.example.com:80', 'http://WWW.example.com', 'https://example.com:8443']) t.equal(await from(origin), 101, origin)
    for (const origin of ['https://www.example.com', 'http://example.com', 'https://example.com', 'http://www.example.com.evil.example', 'null']) t.equal(await from(origin), 403, origin)
  })

  t.test(`${name}: closes a connection without a request in time`, async (t) => {
    const port = await start(t, { handshakeTimeout: 100 }, 'handshake_timeout: "100ms"')
    const silent = net.connect({ port, host: '127.0.0.1' })
    const slow = net.connect({ port, host: '127.0.0.1' })
    slow.write('GET / HTTP/1.1\r\n')
    await Promise.all([new RawClient(silent).end(), new RawClient(slow).end()])
  })

  t.test(`${name}: operations cut and joined in binary and text messages`, async (t) => {
    const port = await start(t, {}, '')
    const client = dial(t, `ws://127.0.0.1:${port}/`)
    let got = ''
    client.on('message', (data, isBinary) => {
      t.ok(isBinary)
      got += (data as Buffer).toString('latin1')
      if (got.endsWith('PONG\r\n')) client.emit('fence')
    })
    await once(client, 'open')
    client.send(Buffer.from('CONNECT {"verbose":false}\r\nSUB a 1\r\nPU'))
    client.send('B a 4\r\n\u00e9', { fin: false })
    client.ping()
    client.send(Buffer.from([0x80, 0xff, 0x0d, 0x0a]))
    client.send('PI')
    client.send('NG\r\n')
    await once(client, 'fence')
    t.match(got, 'MSG a 1 4\r\n\xc3\xa9\x80\xff\r\nPONG\r\n')
  })

  t.test(`${name}: answers a close frame with the same`, async (t) => {
    const port = await start(t, {}, '')
    const client = dial(t, `ws://127.0.0.1:${port}/`)
    await once(client, 'open')
    client.close(4000, 'bye')
    const [code, text] = await once(client, 'close') as [number, Buffer]
    t.strictSame([code, text.toString()], [4000, 'bye'])
  })

  for (const compression of [false, true]) {
    t.test(`${name}: nats.js wsconnect, compression ${String(compression)}`, async (t) => {
      const port = await start(t, { compression }, `compression: ${String(compression)}`)
      for (const agent of ['node', 'Mozilla/5.0 Chrome/1', 'Mozilla/5.0 Version/17 Safari/605']) {
        const nats = await wsconnect({
          servers: `ws://127.0.0.1:${port}`,
          wsFactory: async (url) => ({ socket: new WebSocket(url, { headers: { 'User-Agent': agent } }) as unknown as globalThis.WebSocket, encrypted: false })
        })
        const bytes = new Uint8Array(300_000).map((_, i) => i % 251)
        const subscription = nats.subscribe('a', { max: 2 })
        nats.publish('a', bytes)
        nats.publish('a', 'short')
        const got: number[] = []
        for await (const message of subscription) {
          got.push(message.data.length)
          if (message.data.length > 5) t.ok(Buffer.from(bytes).equals(message.data))
        }
        t.strictSame(got, [300_000, 5])
        await nats.close()
      }
    })
  }
}

// nats-server 2.9 closes without a word, or with a code that may not be sent.
t.test('answers an empty close frame with the same', async (t) => {
  const bare = dial(t, `ws://127.0.0.1:${await startFake(t)}/`)
  await once(bare, 'open')
  bare.close()
  t.equal((await once(bare, 'close'))[0], 1005)
})

t.test('frames that break the rules end the connection with 1002', async (t) => {
  const port = await startFake(t)
  for (const frame of ['\x81\x01x', '\xc1\x80\x00\x00\x00\x00', '\xa1\x80\x00\x00\x00\x00', '\x83\x80\x00\x00\x00\x00', '\x89\xfe\x00\x7e\x00\x00\x00\x00', '\x09\x80\x00\x00\x00\x00']) {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${Object.entries(handshake).map((pair) => pair.join(': ') + '\r\n').join('')}\r\n`)
    const raw = new RawClient(socket)
    await raw.expect(/HTTP\/1\.1 101 [^]*?\r\n\r\n[^]*INFO [^\r\n]*\r\n/)
    raw.send(frame)
    const rest = await raw.end()
    t.match(rest, /\x88[^]\x03\xea/, JSON.stringify(frame)) // eslint-disable-line no-control-regex -- a close frame is control characters
  }
})

t.test('TLS, its failures and new certificates', async (t) => {
  const authority = new CertificateAuthority(t)
  const { cert, key } = authority.local()
  const rig = await startListener(t, { tls: { cert, key } }, limits, (stream) => { serve(stream, infoOf()) })
  const url = `wss://localhost:${rig.port}/`
  const connect = async (): Promise<string> => {
    const client = dial(t, url, { ca: authority.ca })
    const [response] = await Promise.all([once(client, 'upgrade'), once(client, 'message')])
    return response[0].socket.getPeerCertificate().subject.CN
  }
  t.equal(await connect(), 'server')
  const plain = new RawClient(net.connect({ port: rig.port, host: '127.0.0.1' }))
  plain.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  t.equal(await plain.end(), '')
  t.strictSame(rig.failures, ['first bytes are not a TLS handshake'])
  const next = authority.local('next')
  t.throws(() => { rig.listener.prepareTls(resolveTls({ cert, key: next.key })) }, { code: 'NATS_ERR_OPTION' })
  t.equal(await connect(), 'server')
  rig.listener.prepareTls(resolveTls({ cert: next.cert, key: next.key }))()
  t.equal(await connect(), 'next')
})

t.test('stop() lets connections be, close() ends those that are not accepted', async (t) => {
  const rig = await startListener(t)
  const { client, stream } = await pair(t, rig)
  const waiting = net.connect({ port: rig.port, host: '127.0.0.1' })
  await once(waiting, 'connect')
  const second = await pair(t, rig)
  rig.listener.stop()
  rig.listener.close()
  await new RawClient(waiting).end()
  stream.write('x')
  second.stream.write('y')
  t.equal(String((await once(client, 'message'))[0]), 'x')
  const late = net.connect({ port: rig.port, host: '127.0.0.1' })
  await t.rejects(once(late, 'connect'), { code: 'ECONNREFUSED' })
})

t.test('a port that is in use', async (t) => {
  const { port } = await startListener(t)
  await t.rejects(startListener(t, { port }), { code: 'NATS_ERR_LISTEN' })
})

t.test('cookies, X-Forwarded-For and details of the socket', async (t) => {
  const rig = await startListener(t, { jwtCookie: 'j', userCookie: 'u', passCookie: 'p', tokenCookie: 't' })
  const headers = { Cookie: 'u=ann; p="a b"; j=first;x=y; j=second; t=bad\\value; =; lone', 'X-Forwarded-For': '192.0.2.7, 10.0.0.1' }
  const { stream, request } = await pair(t, rig, { headers })
  t.strictSame(stream.details, { cookies: { jwt: 'second', user: 'ann', pass: 'a b' }, forwardedFor: '192.0.2.7', browser: 'none' })
  t.equal(stream.remoteAddress, '127.0.0.1')
  t.equal(stream.remotePort, request.socket.remotePort)
  const other = await pair(t, rig, { headers: { 'X-Forwarded-For': 'evil', Cookie: '' } })
  t.match(other.stream.details, { cookies: {}, forwardedFor: '' })
  const none = await startListener(t)
  t.strictSame((await pair(t, none, { headers })).stream.details.cookies, {})
})
