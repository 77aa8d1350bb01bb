import http, { type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketPlugin from '@fastify/websocket'
import t from 'tap'
import natsGateway, { createGateway, type Broker } from '../../lib/index.ts'
import { startBroker, type Teardown } from '../helper/brokers.ts'
import { dialNats, hello } from './web-client.ts'

async function register (t: Teardown, path = '/nats'): Promise<FastifyInstance> {
  const { broker } = await startBroker(t)
  const fastify = Fastify()
  t.teardown(() => fastify.close())
  await fastify.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0, websocket: { path } })
  fastify.get('/', async () => 'page')
  return fastify
}

function portOf (server: Server): number {
  return (server.address() as AddressInfo).port
}

async function listen (t: Teardown, server: Server): Promise<number> {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  return portOf(server)
}

t.test('a path on the server of Fastify, whose routes stay as they are', async (t) => {
  const fastify = await register(t)
  const address = await fastify.listen({ port: 0, host: '127.0.0.1' })
  const client = await dialNats(t, `${address.replace('http', 'ws')}/nats?x=1`)
  t.match(client.info, { host: '127.0.0.1', port: fastify.nats.port })
  client.send(`${hello}SUB a 1\r\nPUB a 1\r\nx\r\n`)
  t.equal(await client.fence(), 'MSG a 1 1\r\nx\r\n')
  t.equal(await (await fetch(`${address}/`)).text(), 'page')
  t.equal((await fetch(`${address}/nats`)).status, 404)
  await t.rejects(dialNats(t, `${address.replace('http', 'ws')}/other`), /404/)
})

t.test('closing Fastify ends the connections, and does not wait for them', async (t) => {
  const fastify = await register(t)
  const address = await fastify.listen({ port: 0, host: '127.0.0.1' })
  const client = await dialNats(t, `${address.replace('http', 'ws')}/nats`)
  client.send(hello)
  await client.fence()
  await Promise.all([fastify.close(), client.closed.then((status) => { t.equal(status, '1001 Server Shutdown') })])
  t.equal(fastify.nats.clients.size, 0)
})

t.test('beside @fastify/websocket, whenever it is registered, the error says what to do', async (t) => {
  const fastify = await register(t)
  await fastify.register(websocketPlugin)
  await t.rejects(fastify.listen({ port: 0, host: '127.0.0.1' }), { code: 'NATS_ERR_OPTION', message: /option 'websocket\.path' is given beside @fastify\/websocket, which takes every path: allowed is 'port'/ })
})

t.test('a path on any HTTP server', async (t) => {
  const { broker } = await startBroker(t)
  const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, websocket: { path: '/nats' } })
  t.teardown(() => gateway.close())
  const server = http.createServer((_request, response) => { response.end('page') })
  gateway.attach(server)
  const port = await listen(t, server)
  const client = await dialNats(t, `ws://127.0.0.1:${port}/nats`)
  client.send(hello)
  t.equal(await client.fence(), '')
  t.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'page')
  const other = await createGateway((await startBroker(t)).broker as Broker, { host: '127.0.0.1', port: 0, websocket: { path: '/nats' } })
  t.teardown(() => other.close())
  t.throws(() => { other.attach(server) }, { code: 'NATS_ERR_LISTEN', message: /the path is in use/ })
  gateway.update({ maxPayload: 5 })
  const next = await dialNats(t, `ws://127.0.0.1:${port}/nats`)
  t.equal(next.info['max_payload'], 5)
  await gateway.close()
  t.equal(await client.closed, '1001 Server Shutdown')
  await t.rejects(dialNats(t, `ws://127.0.0.1:${port}/nats`))
})

t.test('a path or a port, and a path without TLS of its own', async (t) => {
  const { broker } = await startBroker(t)
  const open = (websocket: object): Promise<unknown> => createGateway(broker as Broker, { host: '127.0.0.1', port: 0, websocket })
  await t.rejects(open({}), { code: 'NATS_ERR_OPTION', message: /option 'websocket' is without a place/ })
  await t.rejects(open({ path: '/a', port: 0 }), { message: /in two places/ })
  await t.rejects(open({ path: 'a' }), { message: /a path that begins with/ })
  await t.rejects(open({ port: 0 }), { message: /unless 'noTls' is true/ })
  await t.rejects(open({ path: '/a', tls: {} }), { message: /the host's server has its own/ })
})
