import type { Server } from 'node:http'
import { HostHookPolicy } from './auth/hooks.ts'
import { Seats } from './auth/seats.ts'
import { asHost, type Broker } from './broker/host.ts'
import { Inlet } from './broker/inlet.ts'
import { HostLink } from './broker/link.ts'
import { type StoreConnection, storeConnection } from './broker/store-connection.ts'
import type { Peer } from './cluster/peer.ts'
import { type Arrival, type ClientStream, tcpRules } from './client/arrival.ts'
import { Client } from './client/client.ts'
import { Flusher } from './client/flusher.ts'
import { awaitLogIn } from './client/login.ts'
import { addTraffic, Counters, type Services, totalTraffic, type Traffic } from './client/services.ts'
import { createDurables } from './durable/create.ts'
import type { DurableGroups } from './durable/durables.ts'
import { NatsError } from './errors.ts'
import { Admission } from './gateway/admission.ts'
import { type Health, healthOf } from './gateway/health.ts'
import { LameDuck } from './gateway/lame-duck.ts'
import { Herald } from './gateway/herald.ts'
import { createServerId } from './gateway/info.ts'
import { createCluster, drained, join, ownUrls } from './gateway/nodes.ts'
import { checkListeners, Listeners } from './gateway/listeners.ts'
import { createAuthenticator, reload } from './gateway/reload.ts'
import { type GatewayOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { checkMountpointIn, checkNames, Spaces } from './routing/spaces.ts'
import { serverShutdown } from './wire/close-status.ts'
import { infoLine } from './wire/info.ts'

// The way of a message, one direction in, one direction out:
//
//   bytes         frames            verbs            messages                  packets
//   socket -> wire/parser -> client/dispatch -> routing/router -> broker/bridge -> Aedes.publish -> MQTT clients, other nodes
//   socket <- client/outbox <- client/subscription <- routing/router <- routing/spaces <- broker/inlet <- Aedes mq (mqemitter)

// How long close() waits for Redis to answer, in milliseconds.
const settleTime = 1000

/** A NATS listener on an Aedes broker. */
export class Gateway {
  /** As INFO states it. */
  readonly serverId = createServerId()
  readonly startedAt = new Date()
  readonly counters = new Counters()
  /** Connections by their `client_id`. */
  readonly clients = new Map<number, Client>()
  private readonly services: Services
  private readonly redis: StoreConnection | null
  private readonly inlet: Inlet
  readonly listeners: Listeners
  private readonly admission = new Admission()
  private readonly past: Traffic = { inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0 }
  private readonly herald: Herald
  private isClosed = false
  private readonly duck = new LameDuck(this.clients)
  private readonly brokerClosed = (): Promise<void> => this.close()

  /**
   * Ties a gateway to a broker; it takes no connections before `listen`.
   *
   * @throws {NatsError} NATS_ERR_BROKER, NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN
   */
  constructor (broker: Broker, options: GatewayOptions = {}) {
    const resolved = resolveOptions(options)
    checkNames(resolved)
    const settings = checkListeners(resolved)
    const authenticator = createAuthenticator(resolved, settings)
    const host = asHost(broker)
    const herald = this.herald = new Herald(() => ({ serverId: this.serverId, port: this.port, listeners: this.listeners, clients: this.clients, services: this.services }))
    this.listeners = new Listeners(settings, {
      greet: (arrival, address) => infoLine(herald.info(arrival, address)),
      admit: (stream) => this.admit(stream),
      accept: (stream, arrival, refused) => { this.accept(stream, arrival, refused) },
      failed: (address, reason) => { resolved.logger.debug({ address }, `TLS handshake error: ${reason}`) }
    })
    this.redis = resolved.redis === null ? null : storeConnection(resolved.redis)
    const link = new HostLink(host, { confirm: resolved.confirm, redis: this.redis })
    this.inlet = new Inlet(link, (packet, natsBorn, isShared) => { this.services.spaces.receive(packet, natsBorn, isShared) }, resolved.maxPatterns)
    const cluster = createCluster(link, resolved, {
      node: this.serverId,
      urls: () => ownUrls(resolved, this.listeners),
      isLameDuck: () => herald.isLameDuck,
      wake: (mountpoint, queue) => { this.services.durables?.wake(mountpoint, queue) },
      urlsChanged: () => { herald.tellAll() },
      plainNodesChanged: (mayPublish) => { this.inlet.listen(mayPublish) }
    })
    this.inlet.listen(resolved.plainNodes !== false)
    this.services = {
      options: resolved,
      log: resolved.logger,
      link,
      spaces: new Spaces(link, this.inlet, resolved, { id: this.serverId, announcer: cluster?.interest ?? null, prefersHere: resolved.queue === 'local' }),
      cluster,
      policy: new HostHookPolicy(link),
      authenticator,
      seats: new Seats(),
      durables: createDurables(link, resolved),
      flusher: new Flusher(),
      counters: this.counters,
      greeted: (client) => { herald.greeted(client) },
      closed: (client) => { this.forget(client) }
    }
    link.broker.once('closed', this.brokerClosed)
  }

  /** Who may connect. */
  get access (): Pick<Services, 'authenticator' | 'cluster' | 'options' | 'seats' | 'spaces'> {
    return this.services
  }

  get options (): ResolvedOptions {
    return this.services.options
  }

  /** The port listened on; 0 before `listen`. */
  get port (): number {
    return this.listeners.tcp[0]?.port ?? 0
  }

  /** The address listened on; empty before `listen`. */
  get host (): string {
    return this.listeners.tcp[0]?.host ?? ''
  }

  /** The number of subscriptions of all connections. */
  get subscriptions (): number {
    return this.services.spaces.size
  }

  /**
   * Begins to take connections.
   *
   * @throws {NatsError} NATS_ERR_LISTEN, NATS_ERR_CLOSED, NATS_ERR_OPTION when a certificate cannot be used
   */
  async listen (): Promise<void> {
    if (this.isClosed) throw new NatsError('NATS_ERR_CLOSED')
    const { cluster, durables, spaces } = this.services
    await durables?.open()
    if (cluster !== null) await join(cluster, spaces)
    await this.listeners.listen(this.options)
    if (this.isClosed) this.stopListening()
    if (this.isClosed) throw new NatsError('NATS_ERR_CLOSED')
    cluster?.announce()
    for (const address of this.listeners.addresses) this.services.log.info({}, `Listening for ${address}`)
  }

  /**
   * Takes WebSocket connections on the path of the option `websocket` of an HTTP server that the host runs.
   *
   * @throws {NatsError} NATS_ERR_LISTEN when the path is taken, NATS_ERR_OPTION when there is none
   */
  attach (server: Server): void {
    this.listeners.attach(server, this.options)
  }

  /**
   * The durable groups of the cluster.
   *
   * @throws {NatsError} NATS_ERR_NO_DURABLES when the option `durable` is false
   */
  get durables (): DurableGroups {
    const { durables } = this.services
    if (durables === null) throw new NatsError('NATS_ERR_NO_DURABLES')
    return durables
  }

  /** The other nodes of its cluster. */
  get nodes (): Peer[] { return [...this.services.cluster?.members.peers.values() ?? []] }

  /** What keeps the gateway from doing its work. */
  health (): Health {
    return healthOf(this.services)
  }

  /**
   * Serves a connection, by default as one that came to the gateway's own port; `request` is the HTTP request that it began with.
   *
   * @throws {NatsError} NATS_ERR_OPTION for a wrong mountpoint
   */
  accept (stream: ClientStream, { greeting = this.listeners.greeting(), request, mountpoint = this.options.mountpoint, rules = tcpRules, info = {}, fields = {} }: Partial<Arrival> = {}, refused = this.admit(stream)): void {
    if (this.isClosed) {
      stream.destroy()
      return
    }
    checkMountpointIn('mountpoint', mountpoint)
    const arrival = { greeting, request, mountpoint, rules, info, fields }
    const client = new Client(stream, arrival, this.services)
    this.counters.totalConnections++
    this.clients.set(client.cid, client)
    this.herald.greet(client)
    awaitLogIn(client)
    if (refused !== null) client.fail(refused)
  }

  private admit (stream: ClientStream): NatsError | null {
    return this.admission.admit(stream, this.clients.size + this.listeners.pending, this.options)
  }

  /** The traffic of all connections, past and present. */
  totals (): Traffic {
    return totalTraffic(this.past, this.clients.values())
  }

  private forget (client: Client): void {
    this.clients.delete(client.cid)
    addTraffic(this.past, client)
    this.duck.left()
  }

  /**
   * Changes options while connections go on. Only those that `optionTable` calls `live` can change; what is undefined
   * stays as it is. With `authorization` every connection is looked at again: whoever is not let in any more is closed.
   *
   * @throws {NatsError} NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN; nothing has changed then
   */
  update (changes: GatewayOptions): void {
    reload(this.services, this.listeners, this.clients, changes)
  }

  /** Ends the WebSocket connections. */
  closeWebsockets (): void {
    for (const client of [...this.clients.values()]) if (client.arrival.request !== undefined) client.close('', serverShutdown)
  }

  /** Takes no more connections; those that are there go on. */
  stopListening (): void {
    this.listeners.stop()
  }

  /**
   * Lame duck mode: no new connections, clients are told, and closed one by one over `lameDuckDuration` once
   * `lameDuckGracePeriod` is over (server/server.go lameDuckMode). Resolves when none is left.
   */
  async lameDuck (): Promise<void> {
    if (this.herald.isLameDuck || this.isClosed) return
    this.herald.isLameDuck = true
    this.stopListening()
    this.services.log.info({}, 'Entering lame duck mode, stop accepting new clients')
    this.herald.tellAll()
    this.services.cluster?.announce()
    await this.duck.run(this.options)
  }

  /** Closes the listener and every connection, and leaves the broker as it was. May be called again. */
  async close (): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.listeners.close()
    for (const client of [...this.clients.values()]) client.close('', serverShutdown)
    const { cluster, durables, link, spaces } = this.services
    if (cluster !== null) await drained(cluster, link)
    await durables?.close()
    link.broker.removeListener('closed', this.brokerClosed)
    spaces.replies?.close()
    await cluster?.close()
    this.inlet.close()
    link.close()
    await link.settled(settleTime)
    this.redis?.close()
  }
}

/**
 * Opens a NATS listener on an Aedes broker.
 *
 * @param broker an Aedes of version 1 or 2 that is listening (`await Aedes.createBroker()`)
 * @throws {NatsError} NATS_ERR_BROKER, NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN, NATS_ERR_LISTEN
 */
export async function createGateway (broker: Broker, options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new Gateway(broker, options)
  try {
    await gateway.listen()
  } catch (error) {
    await gateway.close()
    throw error
  }
  return gateway
}
