import { once } from 'node:events'
import net from 'node:net'
import { createHash, X509Certificate } from 'node:crypto'
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls'
import t from 'tap'
import { connect } from '@nats-io/transport-node'
import { resolveTls } from '../../lib/transport/tls-options.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import type { Teardown } from '../helper/brokers.ts'
import { startNatsServer } from '../helper/processes.ts'
import { RawClient } from '../helper/raw.ts'
import { startFakeGateway } from './fake-gateway.ts'

const authority = new CertificateAuthority(t)
const { ca, caFile } = authority
const server = authority.local()
const { certFile, keyFile } = server
const client = authority.issue('client', 'email:ann@example.com')
const stranger = new CertificateAuthority(t).issue('stranger', 'DNS:localhost')

function dial (t: Teardown, port: number): RawClient {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  return new RawClient(socket)
}

/** TLS on a connection, or the error that it ends in. */
async function upgrade (t: Teardown, socket: net.Socket, options: ConnectionOptions = {}): Promise<RawClient & { tls: TLSSocket }> {
  socket.removeAllListeners()
  const stream = tls.connect({ socket, ca, host: 'localhost', ...options })
  t.teardown(() => { stream.destroy() })
  await once(stream, 'secureConnect')
  return Object.assign(new RawClient(stream), { tls: stream })
}

/** Reads INFO in the clear. */
async function greeted (t: Teardown, port: number): Promise<{ socket: net.Socket, info: Record<string, unknown> }> {
  const raw = dial(t, port)
  const line = await raw.expect(/INFO [^\r\n]*\r\n/)
  return { socket: raw.socket, info: JSON.parse(line.slice(5)) as Record<string, unknown> }
}

/** Connects with a certificate, and waits for an answer inside TLS: with TLS 1.3 a client hears of a refusal only then. */
async function tryCertificate (t: Teardown, port: number, options: ConnectionOptions): Promise<string> {
  const { socket } = await greeted(t, port)
  const secure = await upgrade(t, socket, options)
  const failure = new Promise<never>((_resolve, reject) => { secure.tls.on('error', reject) })
  return await Promise.race([secure.fence(), failure])
}

// The same to nats-server and to ours.
const both: { name: string, start: (t: Teardown, options: object, config: string) => Promise<number> }[] = [
  { name: 'ours', start: async (t, options) => (await startFakeGateway(t, { certFile, keyFile, ...options })).port },
  { name: 'nats-server', start: (t, _options, config) => startNatsServer(t, config) }
]
const files = `cert_file: "${certFile}", key_file: "${keyFile}"`
// Nothing that has to go well depends on the speed of the machine.
const patient = `${files}, timeout: 60`

for (const { name, start } of both) {
  t.test(`${name}: INFO in the clear, then TLS`, async (t) => {
    const port = await start(t, {}, `tls { ${patient} }`)
    const { socket, info } = await greeted(t, port)
    t.match(info, { tls_required: true, tls_verify: undefined, tls_available: undefined })
    const secure = await upgrade(t, socket)
    secure.send('CONNECT {"verbose":false}\r\n')
    t.equal(await secure.fence(), '')
  })

  t.test(`${name}: closes without a word when bytes are no handshake`, async (t) => {
    const port = await start(t, {}, `tls { ${patient} }`)
    for (const bytes of ['CONNECT {}\r\nPING\r\n', '\x00\x00\x00\x00\x00', '\x15\x03\x01\x00\x02\x01\x00']) {
      const raw = dial(t, port)
      await raw.expect(/INFO [^\r\n]*\r\n/)
      raw.send(bytes)
      t.equal(await raw.end(), '')
    }
  })

  t.test(`${name}: closes without a word when there is no handshake in time`, async (t) => {
    const port = await start(t, { timeout: 100 }, `tls { ${files}, timeout: 0.1 }`)
    const raw = dial(t, port)
    await raw.expect(/INFO [^\r\n]*\r\n/)
    t.equal(await raw.end(), '')
  })

  t.test(`${name}: closes when the handshake does not end in time`, async (t) => {
    const port = await start(t, { timeout: 100 }, `tls { ${files}, timeout: 0.1 }`)
    const raw = dial(t, port)
    await raw.expect(/INFO [^\r\n]*\r\n/)
    raw.send('\x16\x03\x01\x02\x00\x01')
    t.equal(await raw.end(), '')
  })

  t.test(`${name}: allowNonTls lets the first byte decide`, async (t) => {
    const port = await start(t, { allowNonTls: true }, `allow_non_tls: true, tls { ${patient} }`)
    const plain = dial(t, port)
    const line = await plain.expect(/INFO [^\r\n]*\r\n/)
    t.match(JSON.parse(line.slice(5)), { tls_required: undefined, tls_available: true })
    plain.send('CONNECT {"verbose":false}\r\n')
    t.equal(await plain.fence(), '')
    const { socket } = await greeted(t, port)
    const secure = await upgrade(t, socket)
    secure.send('CONNECT {"verbose":false}\r\n')
    t.equal(await secure.fence(), '')
  })

  t.test(`${name}: verify asks for a certificate`, async (t) => {
    const port = await start(t, { verify: true, caFile }, `tls { ${patient}, ca_file: "${caFile}", verify: true }`)
    const { socket, info } = await greeted(t, port)
    t.match(info, { tls_required: true, tls_verify: true })
    const secure = await upgrade(t, socket, { cert: client.cert, key: client.key })
    secure.send('CONNECT {"verbose":false}\r\n')
    t.equal(await secure.fence(), '')
    for (const options of [{}, { cert: stranger.cert, key: stranger.key }]) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) await t.rejects(tryCertificate(t, port, { ...options, maxVersion }))
    }
  })

  t.test(`${name}: TLS 1.1 is too old`, async (t) => {
    const port = await start(t, {}, `tls { ${patient} }`)
    const { socket } = await greeted(t, port)
    await t.rejects(upgrade(t, socket, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  })

  t.test(`${name}: cipher suites and curves by Go's names`, async (t) => {
    const suite = 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'
    const port = await start(t, { ciphers: [suite], curves: ['CurveP384'] }, `tls { ${patient}, cipher_suites: ["${suite}"], curve_preferences: ["CurveP384"] }`)
    const { socket } = await greeted(t, port)
    const { tls: stream } = await upgrade(t, socket, { maxVersion: 'TLSv1.2' })
    t.equal(stream.getCipher().standardName, suite)
    t.match(stream.getEphemeralKeyInfo(), { name: 'secp384r1' })
    const newer = await upgrade(t, (await greeted(t, port)).socket)
    t.equal(newer.tls.getProtocol(), 'TLSv1.3')
    await t.rejects(upgrade(t, (await greeted(t, port)).socket, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }))
  })

  t.test(`${name}: pinned certificates`, async (t) => {
    const { publicKey } = new X509Certificate(client.cert)
    const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
    const other = 'a'.repeat(64)
    const right = await start(t, { verify: true, caFile, pinnedCerts: [other, pin.toUpperCase()] }, `tls { ${patient}, ca_file: "${caFile}", verify: true, pinned_certs: ["${other}", "${pin}"] }`)
    const secure = await upgrade(t, (await greeted(t, right)).socket, { cert: client.cert, key: client.key })
    secure.send('CONNECT {"verbose":false}\r\n')
    t.equal(await secure.fence(), '')
    const wrong = await start(t, { verify: true, caFile, pinnedCerts: [other] }, `tls { ${patient}, ca_file: "${caFile}", verify: true, pinned_certs: ["${other}"] }`)
    await t.rejects(tryCertificate(t, wrong, { cert: client.cert, key: client.key }))
  })

  t.test(`${name}: nats.js`, async (t) => {
    const port = await start(t, {}, `tls { ${patient} }`)
    const nats = await connect({ servers: `127.0.0.1:${port}`, tls: { ca } })
    const bytes = new Uint8Array(300_000).map((_, i) => i % 251)
    const subscription = nats.subscribe('a', { max: 1 })
    nats.publish('a', bytes)
    for await (const message of subscription) t.ok(Buffer.from(bytes).equals(message.data))
    await nats.close()
  })
}

t.test('allowNonTls takes a client that says nothing in time for one without TLS', async (t) => {
  const gateway = await startFakeGateway(t, { certFile, keyFile, allowNonTls: true, timeout: 50 })
  const ours = dial(t, gateway.port)
  await ours.expect(/INFO [^\r\n]*\r\n/)
  while (gateway.streams.length === 0) await new Promise(setImmediate)
  t.equal(gateway.tls.size, 0)
  t.equal(await ours.fence(), '')
  const theirs = dial(t, await startNatsServer(t, `allow_non_tls: true, ping_interval: "100ms", tls { ${files}, timeout: 0.05 }`))
  await theirs.expect(/INFO [^\r\n]*\r\n/)
  theirs.answersPings = false
  await theirs.expect('PING\r\n')
})

t.test('handshakeFirst sends nothing before TLS is up', async (t) => {
  const hasty = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: true, timeout: 50 })
  t.equal(await dial(t, hasty.port).end(), '')
  t.strictSame(hasty.failures, ['TLS handshake timeout'])
  const { port } = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: true })
  const secure = await upgrade(t, net.connect({ port, host: '127.0.0.1' }))
  const info = await secure.expect(/INFO [^\r\n]*\r\n/)
  t.match(JSON.parse(info.slice(5)), { tls_required: true })
  t.equal(await secure.fence(), '')
  const nats = await connect({ servers: `127.0.0.1:${port}`, tls: { ca, handshakeFirst: true } })
  await nats.flush()
  await nats.close()
})

t.test('handshakeFirst is for all, whatever allowNonTls says', async (t) => {
  const { port } = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: true, allowNonTls: true })
  const plain = dial(t, port)
  plain.send('CONNECT {}\r\nPING\r\n')
  t.equal(await plain.end(), '')
  const secure = await upgrade(t, net.connect({ port, host: '127.0.0.1' }))
  t.match(JSON.parse((await secure.expect(/INFO [^\r\n]*\r\n/)).slice(5)), { tls_required: true, tls_available: true })
})

t.test('handshakeFirst as a time takes both kinds of clients', async (t) => {
  const { port } = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: 'auto' })
  const { socket, info } = await greeted(t, port)
  t.match(info, { tls_required: true })
  t.equal(await (await upgrade(t, socket)).fence(), '')
  const later = await connect({ servers: `127.0.0.1:${port}`, tls: { ca } })
  await later.flush()
  await later.close()
  const calm = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: 60_000 })
  const first = await upgrade(t, net.connect({ port: calm.port, host: '127.0.0.1' }))
  await first.expect(/INFO [^\r\n]*\r\n/)
  t.equal(await first.fence(), '')
  const nats = await connect({ servers: `127.0.0.1:${calm.port}`, tls: { ca, handshakeFirst: true } })
  await nats.flush()
  await nats.close()
})

t.test('handshakeFirst as a time, with allowNonTls', async (t) => {
  const { port } = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: 20, allowNonTls: true })
  const plain = dial(t, port)
  t.match(JSON.parse((await plain.expect(/INFO [^\r\n]*\r\n/)).slice(5)), { tls_required: undefined, tls_available: true })
  t.equal(await plain.fence(), '')
})

t.test('bytes that are no handshake end the wait for it', async (t) => {
  const gateway = await startFakeGateway(t, { certFile, keyFile, handshakeFirst: 2 ** 31 - 1 })
  const plain = dial(t, gateway.port)
  plain.send('PING\r\n')
  t.equal(await plain.end(), '')
  t.strictSame(gateway.failures, ['first bytes are not a TLS handshake'])
})

t.test('a client that ends or resets the connection before TLS leaves nothing behind', async (t) => {
  for (const options of [{}, { handshakeFirst: true }, { handshakeFirst: 2 ** 31 - 1 }, { allowNonTls: true }]) {
    const gateway = await startFakeGateway(t, { certFile, keyFile, timeout: 2 ** 31 - 1, ...options })
    const ended = dial(t, gateway.port)
    ended.socket.end()
    await ended.end()
    const reset = net.connect({ port: gateway.port, host: '127.0.0.1' })
    await once(reset, 'connect')
    reset.resetAndDestroy()
    // Accepted behind the others.
    const last = dial(t, gateway.port)
    last.send('x')
    last.socket.end()
    await last.end()
    while (gateway.tls.size > 0) await new Promise(setImmediate)
    t.equal(gateway.failures.length, 'allowNonTls' in options ? 2 : 3)
  }
})

t.test('a client that ends its side within the handshake is closed in time', async (t) => {
  const gateway = await startFakeGateway(t, { certFile, keyFile, timeout: 50 })
  const half = dial(t, gateway.port)
  half.socket.allowHalfOpen = true
  await half.expect(/INFO [^\r\n]*\r\n/)
  half.send('\x16\x03\x01')
  half.socket.end()
  t.equal(await half.end(), '')
  while (gateway.tls.size > 0) await new Promise(setImmediate)
})

t.test('close() ends what is on its way', async (t) => {
  const gateway = await startFakeGateway(t, { certFile, keyFile })
  const { socket } = await greeted(t, gateway.port)
  const raw = new RawClient(socket)
  t.equal(gateway.tls.size, 1)
  gateway.tls.close()
  t.equal(await raw.end(), '')
  t.equal(gateway.tls.size, 0)
  t.strictSame(gateway.failures, ['the server closes'])
})

t.test('opens the TLSSocket itself, half-open as the socket was', async (t) => {
  const { port, streams } = await startFakeGateway(t, { certFile, keyFile, verify: true, caFile })
  const secure = await upgrade(t, (await greeted(t, port)).socket, { cert: client.cert, key: client.key })
  t.equal(await secure.fence(), '')
  const stream = streams[0] as TLSSocket
  t.ok(stream instanceof tls.TLSSocket)
  t.equal(stream.authorized, true)
  for (let i = 0; i < 3; i++) t.match(stream.getPeerX509Certificate()?.subjectAltName, 'email:ann@example.com')
  secure.send('PING\r\n')
  secure.tls.end()
  t.equal(await secure.end(), 'PONG\r\n')
})

t.test('a handshake together with what follows it', async (t) => {
  // TLS 1.3: a client may send data right behind its Finished, here in one write with it.
  const { port } = await startFakeGateway(t, { certFile, keyFile })
  const { socket } = await greeted(t, port)
  socket.removeAllListeners()
  const stream = tls.connect({ socket, ca, host: 'localhost' })
  t.teardown(() => { stream.destroy() })
  stream.write(`SUB a 1\r\nPUB a 100000\r\n${'x'.repeat(100_000)}\r\n`)
  const secure = new RawClient(stream)
  await secure.expect(`MSG a 1 100000\r\n${'x'.repeat(100_000)}\r\n`)
})

t.test('reload takes new certificates for new connections alone', async (t) => {
  const { port, tls: ours, failures } = await startFakeGateway(t, { certFile, keyFile })
  const serial = (stream: TLSSocket): string => stream.getPeerCertificate().serialNumber
  const old = await upgrade(t, (await greeted(t, port)).socket)
  const waiting = await greeted(t, port)
  const next = authority.local('next')
  ours.reload(resolveTls({ certFile: next.certFile, keyFile: next.keyFile, verify: true, caFile }))
  t.equal(await old.fence(), '')
  t.equal(serial(old.tls), new X509Certificate(server.cert).serialNumber)
  const { socket, info } = await greeted(t, port)
  t.match(info, { tls_verify: true })
  const fresh = await upgrade(t, socket, { cert: client.cert, key: client.key })
  t.equal(serial(fresh.tls), new X509Certificate(next.cert).serialNumber)
  t.equal(await fresh.fence(), '')
  t.equal(serial((await upgrade(t, waiting.socket, { cert: client.cert, key: client.key })).tls), serial(fresh.tls))
  t.throws(() => { ours.reload(resolveTls({ certFile: '/nowhere', keyFile })) }, { code: 'NATS_ERR_OPTION' })
  t.equal(await old.fence(), '')
  t.equal(serial((await upgrade(t, (await greeted(t, port)).socket, { cert: client.cert, key: client.key })).tls), serial(fresh.tls))
  t.strictSame(failures, [])
})

t.test('several certificates: the name that the client asks for chooses', async (t) => {
  const first = authority.issue('first', 'DNS:first.example')
  const second = authority.issue('second', 'DNS:*.second.example')
  const { port } = await startFakeGateway(t, { certificates: [{ cert: first.cert, key: first.key }, { cert: Buffer.from(second.cert), keyFile: second.keyFile }] })
  for (const [servername, commonName] of [['first.example', 'first'], ['a.second.example', 'second']] as const) {
    const { tls: stream } = await upgrade(t, (await greeted(t, port)).socket, { servername })
    t.equal(stream.getPeerCertificate().subject.CN, commonName)
  }
  const { tls: stream } = await upgrade(t, (await greeted(t, port)).socket, { servername: 'third.example', checkServerIdentity: () => undefined })
  t.equal(stream.getPeerCertificate().subject.CN, 'first')
})
