import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { HostLink } from '../broker/link.ts'
import { Cluster, type ClusterPort } from '../cluster/cluster.ts'
import type { Urls } from '../cluster/presence.ts'
import { parseAddress, type ResolvedOptions } from '../options.ts'
import type { Spaces } from '../routing/spaces.ts'
import type { Listeners } from './listeners.ts'

// Between heartbeats, and how long `listen` waits to hear of other nodes, in milliseconds.
const beat = 1000
const patience = 2000

const nowhere: Urls = { urls: [], wsUrls: [] }

/** The cluster of a gateway; null where its broker shares its queue with nobody. */
export function createCluster (link: HostLink, { plainNodes, logger }: ResolvedOptions, port: Pick<ClusterPort, 'node' | 'urls' | 'isLameDuck' | 'wake' | 'urlsChanged' | 'plainNodesChanged'>): Cluster | null {
  return link.shared ? new Cluster({ ...port, link, log: logger, plainNodes, beat }) : null
}

/** Resolves once the node knows who is there, or soon anyway: Redis may be away. */
export async function join (cluster: Cluster, spaces: Spaces): Promise<void> {
  cluster.start(spaces)
  await Promise.race([new Promise<void>((resolve) => { cluster.settled(resolve) }), delay(patience, undefined, { ref: false })])
}

/** Resolves once the other nodes have what this one sent, and send it nothing more. */
export async function drained (cluster: Cluster, link: HostLink): Promise<void> {
  // The queue is closed already where the broker is.
  if (!link.broker.closed) await cluster.drained()
}

/** `host:port` as a URL has it. */
function urlOf (host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The addresses that clients reach a listener by: those of the network where it listens on all (server/server.go getConnectURLs). */
function connectUrls (clientAdvertise: string, listener: { readonly host: string, readonly port: number } | null | undefined): string[] {
  if (listener === null || listener === undefined) return []
  const { host, port } = listener
  const advertised = parseAddress(clientAdvertise)
  if (advertised !== null) return [urlOf(advertised.host, advertised.port === 0 ? port : advertised.port)]
  if (host !== '0.0.0.0' && host !== '::') return [urlOf(host, port)]
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const reachable = addresses.filter(({ internal, family, address }) => !internal && (host === '::' || family === 'IPv4') && !address.startsWith('fe80'))
  return reachable.map(({ address }) => urlOf(address, port))
}

/** Where clients connect to this node. */
export function ownUrls ({ clientAdvertise }: ResolvedOptions, { tcp, websocket }: Listeners): Urls {
  return { urls: connectUrls(clientAdvertise, tcp[0]), wsUrls: connectUrls('', websocket) }
}

/**
 * What INFO tells a client of the cluster: where it may go; nothing where there has been this node only.
 *
 * @param isLameDuck leaves this node out (server/server.go sendLDMToClients)
 */
export function clusterUrls (cluster: Cluster | null, options: ResolvedOptions, listeners: Listeners, isWebsocket: boolean, isLameDuck: boolean): string[] {
  // Where nodes are gone, that of this one goes on: clients take no list for no news.
  if (cluster?.members.hadUrls !== true) return []
  const others = cluster.members.urls
  const own = isLameDuck ? nowhere : ownUrls(options, listeners)
  // Nodes behind one address advertise the same.
  return [...new Set(isWebsocket ? [...own.wsUrls, ...others.wsUrls] : [...own.urls, ...others.urls])]
}
