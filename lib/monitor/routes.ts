import os from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Identity } from '../auth/identity.ts'
import type { Client } from '../client/client.ts'
import type { Gateway } from '../gateway.ts'
import { serverVersion } from '../wire/limits.ts'

// nats-server's monitoring endpoints (server/monitor.go), as far as they have a meaning here. Times are nanoseconds
// where nats-server has a Go duration.

const nanoseconds = 1e6
// server/monitor.go DefaultConnListSize
const pageSize = 1024

const reports: Readonly<Record<string, (gateway: Gateway, query: Record<string, string>) => object>> = {
  '/varz': varz,
  '/connz': connz,
  '/routez': routez,
  '/subsz': subsz
}

/** What the endpoints show. */
export interface MonitorOptions {
  readonly gateway: Gateway
  /** What keeps the server from doing its work; null when nothing does. */
  readonly problem?: () => string | null
}

/** The endpoints of a gateway, as a Fastify plugin. */
export async function monitorRoutes (fastify: FastifyInstance, { gateway, problem }: MonitorOptions): Promise<void> {
  fastify.get('/', (_request, reply) => reply.type('text/html').send(index()))
  for (const [path, report] of Object.entries(reports)) {
    fastify.get(path, async (request) => report(gateway, request.query as Record<string, string>))
  }
  fastify.get('/healthz', async (_request, reply) => {
    const error = problem?.() ?? gateway.health().problems[0] ?? null
    if (error === null) return { status: 'ok' }
    reply.code(503)
    return { status: 'unavailable', status_code: 503, error }
  })
}

function index (): string {
  const links = [...Object.keys(reports), '/healthz'].map((path) => `<li><a href=".${path}">${path.slice(1)}</a></li>`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>aedes-nats</title><h1>aedes-nats</h1><ul>${links.join('')}</ul></html>\n`
}

function varz (gateway: Gateway): object {
  const { options, counters } = gateway
  const totals = gateway.totals()
  const { user, system } = process.cpuUsage()
  const uptime = Date.now() - gateway.startedAt.getTime()
  return {
    server_id: gateway.serverId,
    server_name: options.serverName,
    version: serverVersion,
    proto: 1,
    go: `node ${process.version}`,
    host: options.host,
    port: gateway.port,
    max_connections: options.maxConnections,
    max_subscriptions: options.maxSubscriptions,
    ping_interval: options.pingInterval * nanoseconds,
    ping_max: options.pingMax,
    max_control_line: options.maxControlLine,
    max_payload: options.maxPayload,
    max_pending: options.maxPending,
    write_deadline: options.writeDeadline * nanoseconds,
    start: gateway.startedAt.toISOString(),
    now: new Date().toISOString(),
    uptime: duration(uptime),
    mem: process.memoryUsage.rss(),
    cores: os.availableParallelism(),
    cpu: Math.round((user + system) / (process.uptime() * 1e4)),
    connections: gateway.clients.size,
    total_connections: counters.totalConnections,
    in_msgs: totals.inMessages,
    out_msgs: totals.outMessages,
    in_bytes: totals.inBytes,
    out_bytes: totals.outBytes,
    slow_consumers: counters.slowConsumers,
    stale_connections: counters.staleConnections,
    subscriptions: gateway.subscriptions
  }
}

function connz (gateway: Gateway, query: Record<string, string>): object {
  const limit = natural(query['limit'], pageSize)
  const offset = natural(query['offset'], 0)
  const withSubscriptions = isAsked(query['subs'])
  const withUser = isAsked(query['auth'])
  const connections = [...gateway.clients.values()].slice(offset, offset + limit)
  return {
    server_id: gateway.serverId,
    now: new Date().toISOString(),
    num_connections: connections.length,
    total: gateway.clients.size,
    offset,
    limit,
    connections: connections.map((client) => connection(client, withSubscriptions, withUser))
  }
}

function connection (client: Client, withSubscriptions: boolean, withUser: boolean): object {
  const now = Date.now()
  const { options, keepalive } = client
  return {
    cid: client.cid,
    kind: 'Client',
    type: 'nats',
    ip: client.address,
    port: client.port,
    start: new Date(client.startedAt).toISOString(),
    last_activity: new Date(keepalive.lastIn).toISOString(),
    rtt: `${keepalive.rtt}ms`,
    uptime: duration(now - client.startedAt),
    idle: duration(now - keepalive.lastIn),
    pending_bytes: client.outbox.pending,
    in_msgs: client.inMessages,
    out_msgs: client.outMessages,
    in_bytes: client.inBytes,
    out_bytes: client.outBytes,
    subscriptions: client.subscriptions.size,
    ...options.name === '' ? {} : { name: options.name },
    ...options.lang === '' ? {} : { lang: options.lang },
    ...options.version === '' ? {} : { version: options.version },
    ...withUser && client.identity !== null ? userOf(client.identity) : {},
    ...withSubscriptions ? { subscriptions_list: [...client.subscriptions.values()].map((subscription) => utf8(subscription.subject)) } : {}
  }
}

/** Who a connection is, nothing secret (server/client.go getRawAuthUser). */
function userOf ({ username, account, shown }: Identity): object {
  const user = username ?? (shown.auth_token === '' ? 'N/A' : '[REDACTED]')
  return { authorized_user: user, account: account ?? '$G' }
}

/** The other nodes of the cluster: what nats-server has routes to. */
function routez (gateway: Gateway): object {
  const routes = gateway.nodes.map(({ id, presence: { broker }, isAlive, interest, link, inMessages, outMessages, lostMessages }) => ({
    remote_id: id,
    remote_name: broker,
    alive: isAlive,
    in_msgs: inMessages,
    out_msgs: outMessages,
    lost_msgs: lostMessages,
    pending_size: link.unacknowledged,
    subscriptions: interest.size
  }))
  return { server_id: gateway.serverId, now: new Date().toISOString(), num_routes: routes.length, forged_msgs: gateway.access.cluster?.forged ?? 0, routes }
}

function subsz (gateway: Gateway): object {
  return { server_id: gateway.serverId, now: new Date().toISOString(), num_subscriptions: gateway.subscriptions }
}

function isAsked (text: string | undefined): boolean {
  return text !== undefined && text !== '0' && text !== 'false'
}

function natural (text: string | undefined, none: number): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : none
}

function utf8 (text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}

/** As nats-server writes it: `1d2h3m4s` (server/monitor.go myUptime). */
function duration (milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const parts = [[Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'm'], [seconds % 60, 's']] as const
  const first = parts.findIndex(([count]) => count > 0)
  return parts.slice(first === -1 ? 3 : first).map(([count, unit]) => `${count}${unit}`).join('')
}
