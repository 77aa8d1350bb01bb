import { execFileSync } from 'node:child_process'
import { Cluster } from 'ioredis'
import type { Teardown } from './brokers.ts'
import { freePort, startRedis } from './processes.ts'

export interface RedisCluster {
  readonly nodes: readonly { readonly host: string, readonly port: number }[]
  readonly cluster: Cluster
}

/** A Redis Cluster of three nodes, and a connection to it. */
export async function startRedisCluster (t: Teardown): Promise<RedisCluster> {
  const nodes: { host: string, port: number }[] = []
  for (let i = 0; i < 3; i++) {
    const { port } = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--cluster-node-timeout', '2000'])
    nodes.push({ host: '127.0.0.1', port })
  }
  execFileSync('redis-cli', ['--cluster', 'create', ...nodes.map(({ host, port }) => `${host}:${port}`), '--cluster-yes'])
  const cluster = new Cluster(nodes)
  cluster.on('error', () => {})
  t.teardown(() => { cluster.disconnect() })
  while (!/cluster_state:ok/.test(String(await cluster.cluster('INFO')))) await new Promise((resolve) => { setTimeout(resolve, 10) })
  return { nodes, cluster }
}
