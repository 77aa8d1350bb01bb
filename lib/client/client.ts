import type { ClientCertificate } from '../auth/attempt.ts'
import { type Identity, noCredentials } from '../auth/identity.ts'
import type { Permissions } from '../auth/permissions.ts'
import { Facade } from '../broker/facade.ts'
import { connectionId } from '../broker/identity.ts'
import { NatsError } from '../errors.ts'
import type { Clog, Producer } from '../routing/receiver.ts'
import type { Space } from '../routing/spaces.ts'
import { clientClosed, closeStatusOf } from '../wire/close-status.ts'
import { type ConnectOptions, defaultConnectOptions, withFields } from '../wire/connect.ts'
import { infoLine, type Info } from '../wire/info.ts'
import type { Message } from '../wire/message.ts'
import { Parser } from '../wire/parser.ts'
import { errorLine, PING } from '../wire/serializer.ts'
import { addressOf, type Arrival, type ClientStream } from './arrival.ts'
import { Backlog } from './backlog.ts'
import { Clock } from './clock.ts'
import { Dispatch } from './dispatch.ts'
import { farewell } from './farewell.ts'
import { Gate } from './gate.ts'
import { HostSide } from './host-side.ts'
import { Keepalive } from './keepalive.ts'
import { Outbox } from './outbox.ts'
import type { ClientRequester } from './requester.ts'
import type { Services } from './services.ts'
import type { Subscription, SubscriptionOwner } from './subscription.ts'
import { traced } from './tracer.ts'
import { begin } from './verbs/connect.ts'

/** One NATS connection: its state and its life. What it is told is in dispatch.ts and verbs/. */
export class Client implements SubscriptionOwner {
  readonly cid: number
  readonly services: Services
  readonly address: string
  readonly port: number
  readonly startedAt = Date.now()
  readonly outbox: Outbox
  readonly gate: Gate
  readonly backlog: Backlog
  readonly keepalive: Keepalive
  readonly facade: Facade
  readonly subscriptions = new Map<string, Subscription>()
  options: ConnectOptions = { ...defaultConnectOptions }
  readonly arrival: Arrival
  readonly clock = new Clock((error) => { this.fail(error) })
  /** Who it is; null until it has said so. */
  identity: Identity | null = null
  /** Whose subjects it uses; its own once the host has let it in. */
  space: Space
  /** 'new' until the host has let the client in. */
  state: 'new' | 'ready' | 'closed' = 'new'
  /** Both the server and this client support headers. */
  headers = false
  echo = true
  /** Whether the client has had its first PONG: it takes nothing but answers before (server/client.go processPing). */
  hadPong = false
  /** The latest registration at the broker that a SUB of this client needs. */
  registration = 0
  /** The latest change of what this node wants that a SUB of this client needs other nodes to know. */
  announcement = 0
  /** The latest SUB that is sent retained messages; null when there was none. */
  retained: Clog | null = null
  /** Null until it has asked for an answer. */
  requester: ClientRequester | null = null
  inMessages = 0
  inBytes = 0
  outMessages = 0
  outBytes = 0
  private readonly socket: ClientStream
  /** PINGs that the client has not answered. */
  private readonly pings: ((() => void) | null)[] = []
  private readonly parser: Parser
  private readonly hostSide: HostSide
  private hasBegun = false

  constructor (socket: ClientStream, arrival: Arrival, services: Services) {
    const { options } = services
    this.cid = arrival.greeting.cid
    this.services = services
    this.arrival = arrival
    this.space = services.spaces.main
    this.socket = socket
    this.address = addressOf(socket)
    this.port = socket.remotePort ?? 0
    this.outbox = new Outbox(socket, services.flusher, this, options.maxPending, options.writeDeadline)
    this.keepalive = new Keepalive(this, options.pingInterval, options.pingMax)
    this.hostSide = new HostSide(this)
    this.facade = new Facade(services.link.broker, connectionId(), socket, arrival.request, this.options, this.hostSide)
    this.parser = new Parser(traced(this, new Dispatch(this)), options.maxControlLine, options.maxPayload)
    this.gate = new Gate(socket, this.parser, () => { this.close() })
    this.backlog = new Backlog(this.gate)
    socket.on('data', (chunk: Buffer) => { this.read(chunk) })
    socket.on('error', (error) => { this.lost(error) })
    socket.on('close', () => { this.close() })
  }

  /** Says who we are; the client may go on from there. */
  start (info: Info): void {
    if (!this.arrival.greeting.isGreeted) this.sendInfo(info)
    this.outbox.flush()
    this.keepalive.start(0)
    this.debug('Client connection created')
  }

  sendInfo (info: Info): void {
    this.outbox.write(infoLine(info))
  }

  /** Puts the options of a CONNECT into effect. */
  apply (given: ConnectOptions): void {
    const options = this.options = withFields(given, this.arrival.fields)
    // Credentials are shown once it is known which of them count.
    this.facade.nats = { ...options, ...noCredentials, sig: '' }
    this.echo = options.echo
    this.headers = options.headers && this.services.options.headers
    this.parser.headers = this.headers
    this.parser.pedantic = options.pedantic
    this.keepalive.start(Math.max(1, Date.now() - this.startedAt))
  }

  get permissions (): Permissions | null {
    return this.identity === null ? null : this.identity.permissions
  }

  /** The verified certificate of the other end, where its listener asks for one. */
  get certificate (): ClientCertificate | null {
    return this.socket.getPeerCertificate?.() ?? null
  }

  /** The host has let the client in. */
  admit (mountpoint: string): void {
    this.state = 'ready'
    this.space = this.services.spaces.enter(mountpoint)
    this.facade.register()
  }

  /** Puts changed options of the gateway into effect. */
  reconfigure (): void {
    const { options } = this.services
    this.parser.maxControlLine = options.maxControlLine
    this.parser.maxPayload = Math.min(options.maxPayload, this.identity?.limits.payload ?? Infinity)
    this.outbox.maxPending = options.maxPending
    this.outbox.writeDeadline = options.writeDeadline
    this.keepalive.interval = options.pingInterval
    this.keepalive.max = options.pingMax
  }

  private read (chunk: Buffer): void {
    if (this.state === 'closed') return
    if (!this.hasBegun) {
      this.hasBegun = true
      begin(this, chunk[0] as number)
    }
    this.parser.push(chunk)
    this.keepalive.read()
    // A WebSocket may bring a message each for many operations, in one turn.
    if (this.arrival.request === undefined) this.services.flusher.flush()
  }

  /** Calls back once every SUB so far is in effect, also for what other nodes publish. */
  whenLive (callback: () => void): void {
    const { cluster, link } = this.services
    link.whenLive(this.registration, () => {
      if (cluster === null) callback()
      else cluster.whenKnown(this.announcement, callback)
    })
  }

  stall (clog: Clog): void {
    this.gate.stall(clog)
  }

  /** @param answered called when the client answers this one; null where keepalive asks */
  sendPing (answered: (() => void) | null = null): void {
    this.pings.push(answered)
    this.outbox.write(PING)
  }

  /** PONGs come in the order of the PINGs. */
  pong (): void {
    const answered = this.pings.shift() ?? null
    this.keepalive.pong(answered === null)
    answered?.()
  }

  stale (): void {
    this.services.counters.staleConnections++
    this.services.link.broker.emit('keepaliveTimeout', this.facade)
    this.fail(new NatsError('NATS_ERR_STALE'))
  }

  overflow (): void {
    this.slow(`more than ${this.outbox.maxPending} bytes pending`)
  }

  late (): void {
    this.slow(`a write took longer than ${this.outbox.writeDeadline} ms`)
  }

  /** nats-server cuts a slow consumer off without a word: it would not read it. */
  private slow (why: string): void {
    if (this.state === 'closed') return
    this.services.counters.slowConsumers++
    this.services.log.info(this.details, `Slow Consumer Detected: ${why}`)
    this.facade.report(new NatsError('NATS_ERR_SLOW_CONSUMER', why))
    this.outbox.discard()
    this.socket.destroy()
    this.close()
  }

  /** Sends what the error says; ends the connection if it is fatal. */
  fail (error: NatsError): void {
    if (this.state === 'closed') return
    const line = error.wire === undefined ? '' : errorLine(error.wire)
    if (error.code === 'NATS_ERR_PEER') this.services.log.error(this.details, `Client Error ${error.message}`)
    else if (error.code === 'NATS_ERR_AUTHORIZATION') this.services.log.warn(this.details, error.message)
    else this.debug(error.message)
    if (!error.fatal) {
      this.outbox.write(line)
      return
    }
    this.facade.report(error)
    this.close(line, closeStatusOf(error))
  }

  private lost (error: Error): void {
    if (this.state === 'closed') return
    this.facade.report(error)
    this.close()
  }

  /** Ends the connection after a last line. */
  close (last = '', status = clientClosed): void {
    if (this.state === 'closed') return
    const admitted = this.state === 'ready'
    this.state = 'closed'
    this.parser.stop()
    this.gate.close()
    this.keepalive.stop()
    this.clock.stop()
    if (this.identity !== null) this.services.seats.leave(this.identity)
    const topicFilters = [...this.subscriptions.values()].flatMap((subscription) => this.drop(subscription))
    this.subscriptions.clear()
    this.services.durables?.disconnected(this)
    this.requester?.leave()
    if (topicFilters.length > 0) this.facade.unsubscribed(topicFilters)
    if (admitted) {
      this.services.spaces.leave(this.space)
      this.facade.unregister()
    } else {
      this.facade.closed = true
    }
    this.socket.closeWith?.(status.code, status.text)
    this.outbox.end(last)
    farewell(this.socket, this.gate.hasEnded)
    this.debug('Client connection closed')
    this.services.closed(this)
  }

  add (subscription: Subscription): void {
    this.subscriptions.set(subscription.sid, subscription)
    this.space.router.subscribe(subscription)
    this.facade.subscribed(subscription.topicFilters, subscription.queue)
  }

  /** Ends one subscription. */
  remove (subscription: Subscription): void {
    this.subscriptions.delete(subscription.sid)
    this.facade.unsubscribed(this.drop(subscription))
  }

  private drop (subscription: Subscription): readonly string[] {
    subscription.end()
    this.space.router.unsubscribe(subscription)
    return subscription.topicFilters
  }

  get clientId (): string {
    return this.facade.id
  }

  get checksForward (): boolean {
    return this.services.policy.checksForward
  }

  forward (message: Message, producer: Producer | null): Message | null {
    return this.hostSide.forward(message, producer)
  }

  /** What the log says in front of a line about this client. */
  get details (): object {
    return { address: `${this.address}:${this.port}`, client: `cid:${this.cid}` }
  }

  debug (text: string): void {
    this.services.log.debug(this.details, text)
  }
}
