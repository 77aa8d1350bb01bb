import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { Teardown } from '../helper/brokers.ts'
import { freePort, Process, scratch, startRedis } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'
import { dialNats, hello } from '../secure/web-client.ts'

/** A server of a cluster of two. */
interface Server {
  readonly port: number
  readonly wsPort: number
  lameDuck (): unknown
}

type Pair = readonly [near: Server, far: Server]

/** Two nats-servers. */
async function startNatsServers (t: Teardown): Promise<Pair> {
  const route = await freePort()
  const start = async (cluster: string): Promise<Server> => {
    const file = path.join(scratch(t), 'server.conf')
    writeFileSync(file, `listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", no_tls: true }\ncluster { name: c, ${cluster} }\n`)
    const server = new Process(t, 'nats-server', ['-c', file])
    await server.until(/Server is ready/)
    const portOf = (kind: string): number => Number(new RegExp(`Listening for ${kind} [^\\n]*:(\\d+)`).exec(server.output)?.[1])
    return { port: portOf('client connections on'), wsPort: portOf('websocket clients on'), lameDuck: () => server.child.kill('SIGUSR2') }
  }
  return [await start(`listen: "127.0.0.1:${route}"`), await start(`listen: "127.0.0.1:-1", routes: ["nats://127.0.0.1:${route}"]`)]
}

/** Two nodes. */
async function startNodes (t: Teardown, clientAdvertise = ''): Promise<Pair> {
  const redis = await startRedis(t)
  const start = async (): Promise<Server> => {
    const { gateway } = await startRedisHost(t, redis.port, { nats: { plainNodes: false, clientAdvertise, websocket: { port: 0, noTls: true } } })
    return { port: gateway.port, wsPort: gateway.listeners.websocket?.port ?? 0, lameDuck: () => gateway.lameDuck() }
  }
  return [await start(), await start()]
}

/** What clients of both are told, by TCP and by WebSocket: at first, and when the near one enters lame duck mode. */
async function told (t: Teardown, pair: Pair): Promise<Record<string, readonly string[]>> {
  const [near, far] = pair
  const names = new Map([[near, 'near'], [far, 'far']].flatMap(([server, name]) => {
    const { port, wsPort } = server as Server
    return [[`127.0.0.1:${port}`, `${name as string} tcp`], [`127.0.0.1:${wsPort}`, `${name as string} ws`]]
  }))
  const urlsOf = ({ connect_urls: urls = [] }: { connect_urls?: string[] }): string[] => urls.map((url) => names.get(url) ?? url)
  const dial = (server: Server, kind: string): Promise<RawClient & { info: object }> => kind === 'tcp' ? connect(t, server.port, null) : dialNats(t, `ws://127.0.0.1:${server.wsPort}`)
  const result: Record<string, readonly string[]> = {}
  const clients: (readonly [name: string, server: Server, client: RawClient])[] = []
  for (const server of pair) {
    for (const kind of ['tcp', 'ws']) {
      const name = `${server === near ? 'near' : 'far'} ${kind}`
      let client = await dial(server, kind)
      // They may not have met yet.
      while (urlsOf(client.info).length < 2) client = await dial(server, kind)
      client.send(hello)
      await client.fence()
      result[name] = urlsOf(client.info)
      clients.push([name, server, client])
    }
  }
  near.lameDuck()
  for (const [name, server, client] of clients) {
    const line = await client.expect(server === near ? /INFO [^\r\n]*"ldm":true[^\r\n]*\r\n/ : /INFO [^\r\n]*\r\n/)
    result[`${name}, then`] = urlsOf(JSON.parse(line.slice(5)) as object)
  }
  return result
}

t.test('clients are told the addresses of their kind, and not that of a node in lame duck mode, as nats-server tells them', async (t) => {
  const judged = await told(t, await startNatsServers(t))
  t.strictSame(await told(t, await startNodes(t)), judged)
  t.strictSame(judged['near ws'], ['near ws', 'far ws'])
  t.strictSame(judged['near tcp, then'], ['far tcp'])
  t.strictSame(judged['far ws, then'], ['far ws'])
})

t.test('an address that nodes share is told once', async (t) => {
  const shared = 'nats.example:4222'
  const [near, far] = await startNodes(t, shared)
  const both = [near, far].map(({ wsPort }) => `127.0.0.1:${wsPort}`)
  // It may not have heard of the other one yet, which says both of its addresses at once.
  while (String((await dialNats(t, `ws://127.0.0.1:${near.wsPort}`)).info['connect_urls']) !== String(both));
  const client = await connect(t, near.port, null)
  t.strictSame(client.info['connect_urls'], [shared])
  client.send(hello)
  await client.fence()
  near.lameDuck()
  t.match(await client.expect(/INFO [^\r\n]*"ldm":true[^\r\n]*\r\n/), `"connect_urls":["${shared}"]`)
})
