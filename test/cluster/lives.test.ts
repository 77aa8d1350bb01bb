import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Broker, createGateway, type GatewayOptions } from '../../lib/index.ts'
import type { Host } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisBroker } from '../helper/redis-brokers.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { Node } from './nodes.ts'

// Of Aedes, in milliseconds: whether there is a node without the gateway is known after one.
const heartbeat = 1000

/** Two nodes that know each other, the far one as a process of its own, with a broker id that it keeps. */
async function start (t: Test, plainNodes: NonNullable<GatewayOptions['plainNodes']>): Promise<{ redis: number, near: Host, far: Node }> {
  const { port: redis } = await startRedis(t)
  const near = await startRedisHost(t, redis, { aedes: { heartbeatInterval: heartbeat }, nats: { plainNodes } })
  const far = await Node.start(t, { id: 'fixed', version: 2, redis, heartbeat, allows: false, options: { plainNodes } })
  while (near.gateway.nodes[0]?.isJoined !== true || near.gateway.access.cluster?.plainNodes.mayLive !== false) await delay(10)
  return { redis, near, far }
}

/** The numbers that a NATS client has got so far. */
async function numbers (client: RawClient): Promise<number[]> {
  return Array.from((await client.fence()).matchAll(/^MSG data 1 \d+\r\n(\d+)/gm), ([, number]) => Number(number))
}

for (const plainNodes of ['auto', false] as const) {
  t.test(`a killed broker whose id lives again is heard by NATS at once, before it has a gateway and with it (plainNodes: ${plainNodes})`, async (t) => {
    const { redis, near, far } = await start(t, plainNodes)
    const subscriber = await connect(t, near.natsPort)
    subscriber.send('SUB data 1\r\n')
    await subscriber.fence()
    await far.kill()
    const { broker, url } = await startRedisBroker(t, redis, { shared: true, aedes: { id: 'fixed', heartbeatInterval: heartbeat } })
    const device = await connectMqtt(t, url)
    let sent = 0
    const publish = async (): Promise<void> => {
      await device.publish('data', String(sent++), { qos: 0 })
      await setImmediate()
    }
    // What comes before the other node listens at Redis again is lost.
    const heard: number[] = []
    const until = performance.now() + 5000
    while (heard.length === 0 && performance.now() < until) {
      await publish()
      heard.push(...await numbers(subscriber))
    }
    t.ok(heard.length > 0, 'without a gateway')
    const isThere = (): boolean => near.gateway.nodes[0]?.isJoined === true
    const publishing = (async () => { while (!isThere()) await publish() })()
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', port: 0, plainNodes })
    t.teardown(() => gateway.close())
    await publishing
    for (let i = 0; i < 10; i++) await publish()
    while (heard.at(-1) !== sent - 1) heard.push(...await numbers(subscriber))
    const first = heard[0] as number
    t.strictSame(heard, Array.from({ length: sent - first }, (_, i) => first + i), 'each once')
  })
}

t.test('a node that counts as dead is no responder, and gets what was sent to its MQTT clients if it is only silent', async (t) => {
  const { near, far } = await start(t, false)
  const device = await connectMqtt(t, far.mqttUrl)
  await device.subscribe('svc/+', { qos: 0 })
  const service = await connect(t, near.natsPort)
  service.send('SUB inbox.* 1\r\n')
  const header = 'NATS/1.0\r\nNmqtt-QoS: 1\r\n\r\n'
  const ask = async (name: string): Promise<string[]> => {
    service.send(`PUB svc.plain inbox.plain ${name.length}\r\n${name}\r\nHPUB svc.stored inbox.stored ${header.length} ${header.length + name.length}\r\n${header}${name}\r\n`)
    return Array.from((await service.fence()).matchAll(/^HMSG (\S+) 1 16 16\r\nNATS\/1\.0 503\r\n\r\n\r\n/gm), ([, subject]) => subject as string)
  }
  const taken = async (): Promise<string[]> => (await device.take(2)).map(({ topic, payload }) => `${topic} ${String(payload)}`)
  const isAlive = (): boolean => near.gateway.nodes[0]?.isAlive === true
  t.strictSame(await ask('alive'), [])
  t.strictSame(await taken(), ['svc/plain alive', 'svc/stored alive'])
  far.signal('SIGSTOP')
  while (isAlive()) await delay(10)
  t.strictSame(await ask('silent'), ['inbox.plain', 'inbox.stored'])
  far.signal('SIGCONT')
  t.strictSame(await taken(), ['svc/plain silent', 'svc/stored silent'])
  while (!isAlive()) await delay(10)
  t.strictSame(await ask('back'), [])
  t.strictSame(await taken(), ['svc/plain back', 'svc/stored back'])
})
