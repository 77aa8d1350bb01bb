import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import { connectMqtt, type MqttPeer } from '../helper/mqtt.ts'
import { Process, scratch, startRedis } from '../helper/processes.ts'
import { type Server, startServer } from '../helper/server.ts'

// What Redis can do to a durable group of the stand-alone server, from outside.

const queue = 'acked.t'

async function health (server: Server): Promise<{ status: number, error?: string }> {
  const port = /Starting http monitor on 127\.0\.0\.1:(\d+)/.exec(server.process.output)?.[1]
  const response = await fetch(`http://127.0.0.1:${port}/healthz`)
  return { ...await response.json() as object, status: response.status }
}

async function until (condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => { setTimeout(resolve, 20) })
}

function residentKilobytes (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

interface Setting {
  readonly server: Server
  readonly mqtt: MqttPeer
  readonly received: string[]
}

/** A server with a member of the group that acknowledges whatever comes, and reconnects. */
async function start (t: Test, url: string): Promise<Setting> {
  const server = await startServer(t, ['--redis', url, '-m', '-1'])
  const received: string[] = []
  const nats = await connectNats({ servers: server.natsUrl })
  t.teardown(() => nats.close())
  nats.subscribe('t.>', {
    queue,
    callback: (_error, message) => {
      received.push(message.string())
      message.respond()
    }
  })
  await nats.flush()
  const mqtt = await connectMqtt(t, server.mqttUrl, { reconnectPeriod: 50 })
  await mqtt.publish('t/a', 'first')
  await until(() => received.includes('first'))
  return { server, mqtt, received }
}

function again (t: Test, port: number, folder: string): Process {
  return new Process(t, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--dir', folder])
}

t.test('Redis is away and comes back with its data: what was acknowledged arrives, publishers wait, memory stays', async (t) => {
  const folder = scratch(t)
  const redis = await startRedis(t, ['--appendonly', 'yes', '--dir', folder])
  const { server, mqtt, received } = await start(t, redis.url)
  const acknowledged: string[] = []
  let published = 0
  const state = { stopped: false }
  const payload = 'x'.repeat(10_000)
  const flood = Promise.all(Array.from({ length: 50 }, async () => {
    while (!state.stopped) {
      const text = `${published++} ${payload}`
      await mqtt.publish('t/a', text).then(() => { acknowledged.push(text) }, () => { /* Not acknowledged: it may be lost. */ })
    }
  }))
  await until(() => received.length > 100)
  await redis.process.stop('SIGKILL')
  await server.process.until(/durable subscriptions: the store is away/)
  const sick = await health(server)
  t.equal(sick.status, 503)
  const before = acknowledged.length
  const base = residentKilobytes(server.process.pid)
  // The store's own patience, and more.
  await new Promise((resolve) => { setTimeout(resolve, 4000) })
  t.ok(acknowledged.length - before < 200, `nothing is acknowledged that is not stored: ${acknowledged.length - before} since`)
  t.ok(residentKilobytes(server.process.pid) - base < 80_000, 'publishers wait, so memory does not grow')
  const back = again(t, redis.port, folder)
  await back.until(/Ready to accept connections/)
  await server.process.until(/durable subscriptions: the store is back/)
  const soFar = received.length
  await until(() => received.length > soFar + 100)
  state.stopped = true
  await flood
  await until(() => {
    const seen = new Set(received)
    return acknowledged.every((text) => seen.has(text))
  })
  // Nodes hear each other again with the next heartbeat.
  await until(async () => (await health(server)).status === 200)
  t.equal((await health(server)).error, undefined)
  t.equal(server.process.output.match(/the store is away/g)?.length, 1, 'said once')
})

t.test('Redis comes back empty: the group is there again', async (t) => {
  const redis = await startRedis(t)
  const { server, mqtt, received } = await start(t, redis.url)
  await redis.process.stop('SIGKILL')
  await server.process.until(/the store is away/)
  const back = again(t, redis.port, scratch(t))
  await back.until(/Ready to accept connections/)
  await server.process.until(/the store is back/)
  await until(async () => {
    await mqtt.publish('t/a', 'new').catch(() => {})
    return received.includes('new')
  })
  t.equal((await health(server)).status, 200)
})

t.test('Redis is slow: everything arrives', async (t) => {
  const redis = await startRedis(t, ['--enable-debug-command', 'local'])
  const { mqtt, received } = await start(t, redis.url)
  const sleeper = new Process(t, 'redis-cli', ['-p', String(redis.port), 'debug', 'sleep', '4'])
  const texts = Array.from({ length: 200 }, (_, i) => String(i))
  await Promise.all(texts.map((text) => mqtt.publish('t/a', text)))
  await until(() => texts.every((text) => received.includes(text)))
  t.equal(await sleeper.exit(), 0)
})

t.test('Redis is full: publishers are told, and what there is can be taken out', async (t) => {
  const redis = await startRedis(t)
  const { server, mqtt, received } = await start(t, redis.url)
  const cli = async (...args: string[]): Promise<void> => {
    await new Process(t, 'redis-cli', ['-p', String(redis.port), ...args]).exit()
  }
  await cli('config', 'set', 'maxmemory', '1')
  const refused = mqtt.publish('t/a', 'refused')
  await server.process.until(/the store is away: [^\n]*OOM/)
  t.equal((await health(server)).status, 503)
  await cli('config', 'set', 'maxmemory', '0')
  // Not acknowledged; the client sends it again once it is connected again.
  await refused
  await until(() => received.includes('refused'))
  await server.process.until(/the store is back/)
  t.equal((await health(server)).status, 200)
})
