import { once } from 'node:events'
import http, { type Server } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { attachWebsocket } from '../../lib/transport/websocket-attach.ts'
import { resolveWebsocket } from '../../lib/transport/websocket-options.ts'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { RawClient } from '../helper/raw.ts'
import type { Teardown } from '../helper/brokers.ts'
import { infoOf, limits, serve } from './fake-gateway.ts'
import { ask, dial, handshake } from './websocket-rig.ts'

const at = (path: string, options = {}): ReturnType<typeof resolveWebsocket> => resolveWebsocket({ path, ...options })

async function listen (t: Teardown, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  }))
  return (server.address() as AddressInfo).port
}

/** A server that answers what it was sent. */
function echo (): Server {
  return http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString('latin1') })
    request.on('end', () => { response.end(`${request.method} ${request.url} ${request.headers.upgrade ?? '-'} ${body}`) })
  })
}

t.test('a path on a Fastify server, which keeps all others', async (t) => {
  const fastify = Fastify({ forceCloseConnections: true })
  fastify.get('/hello', async () => 'hello')
  fastify.post('/body', async ({ body }) => body)
  await fastify.ready()
  attachWebsocket(fastify.server, at('/nats', { allowedOrigins: ['http://ours.example'] }), limits, (stream) => { serve(stream, infoOf()) })
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => fastify.close())
  const { port } = fastify.server.address() as AddressInfo

  for (const path of ['/nats', '/nats?token=x']) {
    const client = dial(t, `ws://127.0.0.1:${port}${path}`)
    const [info] = await once(client, 'message') as [Buffer]
    t.match(info.toString(), /^INFO /)
    client.send('PING\r\n')
    t.equal(String((await once(client, 'message'))[0]), 'PONG\r\n')
  }
  t.equal((await ask(port, { ...handshake, Origin: 'http://theirs.example' }, { path: '/nats' })).status, 403)
  t.equal((await ask(port, { ...handshake, Upgrade: 'h2c' }, { path: '/nats' })).status, 400)
  t.equal((await ask(port, {}, { path: '/nats' })).status, 404)
  t.equal((await ask(port, handshake, { path: '/nats/x' })).status, 404)
  const h2c = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }
  t.match(await ask(port, h2c, { path: '/hello' }), { status: 200, body: 'hello' })
  const body = JSON.stringify({ long: 'x'.repeat(200_000) })
  t.match(await ask(port, { ...h2c, 'Content-Type': 'application/json', 'Content-Length': String(body.length) }, { method: 'POST', path: '/body', body }), { status: 200, body })
})

t.test('a request that is given back is one of many on its connection', async (t) => {
  const server = echo()
  attachWebsocket(server, at('/nats'), limits, (stream) => { stream.destroy() })
  const port = await listen(t, server)
  const raw = new RawClient(net.connect({ port, host: '127.0.0.1' }))
  t.teardown(() => { raw.socket.destroy() })
  const upgrade = 'Host: x\r\nConnection: Upgrade\r\nupgrade: h2c\r\nX-Name: \xe9\r\n'
  raw.send(`POST /a HTTP/1.1\r\n${upgrade}Content-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\n\r\n`)
  await raw.expect(/[^]*POST \/a - abc[^]*GET \/b - /)
  raw.send(`POST /c HTTP/1.1\r\n${upgrade}Transfer-Encoding: chunked\r\n\r\n4\r\n12`)
  raw.send('34\r\n0\r\n\r\n')
  await raw.expect(/[^]*POST \/c - 1234/)
})

t.test('a server with TLS', async (t) => {
  const authority = new CertificateAuthority(t)
  const { cert, key } = authority.local()
  const server = https.createServer({ cert, key }, (request, response) => { response.end(`got ${request.url}`) })
  attachWebsocket(server, at('/nats', { sameOrigin: true }), limits, (stream) => { serve(stream, infoOf({ encrypted: stream.encrypted })) })
  const port = await listen(t, server)
  const client = dial(t, `wss://localhost:${port}/nats`, { ca: authority.ca, origin: `https://localhost:${port}` })
  t.match(String((await once(client, 'message'))[0]), /"encrypted":true/)
  const refused = dial(t, `wss://localhost:${port}/nats`, { ca: authority.ca, origin: `http://localhost:${port}` })
  t.match((await once(refused, 'unexpected-response'))[1], { statusCode: 403 })
  const answer = await new Promise<string>((resolve, reject) => {
    https.get({ port, host: 'localhost', path: '/x', ca: authority.ca, headers: { Connection: 'Upgrade', Upgrade: 'h2c' } }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    }).on('error', reject)
  })
  t.equal(answer, 'got /x')
})

t.test('whoever else takes upgrades gets them', async (t) => {
  const server = echo()
  const attached = attachWebsocket(server, at('/nats'), limits, (stream) => { serve(stream, infoOf()) })
  server.on('upgrade', (request, socket) => {
    if (request.url === '/other') socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n')
  })
  const port = await listen(t, server)
  t.equal((await ask(port, { Connection: 'Upgrade', Upgrade: 'other' }, { path: '/other' })).status, 101)
  await once(dial(t, `ws://127.0.0.1:${port}/nats`), 'message')
  attached.stop()
})

t.test('several paths, one after the other', async (t) => {
  const server = echo()
  const a = attachWebsocket(server, at('/a'), limits, (stream) => { serve(stream, infoOf({ server_name: 'a' })) })
  const b = attachWebsocket(server, at('/b'), limits, (stream) => { serve(stream, infoOf({ server_name: 'b' })) })
  const port = await listen(t, server)
  t.throws(() => { attachWebsocket(server, at('/a'), limits, () => {}) }, { code: 'NATS_ERR_LISTEN' })
  for (const name of ['a', 'b']) t.match(String((await once(dial(t, `ws://127.0.0.1:${port}/${name}`), 'message'))[0]), new RegExp(`"server_name":"${name}"`))
  t.match(await ask(port, { ...handshake }, { path: '/c' }), { status: 200 })
  a.stop()
  t.match(await ask(port, { ...handshake }, { path: '/a' }), { status: 200 })
  t.equal((await ask(port, { ...handshake }, { path: '/b' })).status, 101)
  b.stop()
  t.equal(server.listenerCount('upgrade'), 0)
  t.match(await ask(port, { ...handshake }, { path: '/b' }), { status: 200 })
  b.reconfigure(limits)
})
