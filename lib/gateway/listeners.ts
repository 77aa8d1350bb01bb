import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { ListenerRules } from '../auth/attempt.ts'
import { readListenerRules } from '../auth/authenticator.ts'
import { createNonce } from '../auth/nkey.ts'
import type { Arrival, ClientStream, Greeting } from '../client/arrival.ts'
import { NatsError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { checkMountpointIn } from '../routing/spaces.ts'
import { type Listener, listenTcp } from '../transport/tcp.ts'
import { TlsServer } from '../transport/tls.ts'
import { resolveTls, type TlsSettings } from '../transport/tls-options.ts'
import { type AttachedWebsocket, attachWebsocket } from '../transport/websocket-attach.ts'
import { listenWebsocket, type WebsocketListener } from '../transport/websocket-listener.ts'
import { resolveWebsocket, type WebsocketSettings } from '../transport/websocket-options.ts'
import type { WebsocketStream } from '../transport/websocket-stream.ts'
import { fixedChanges } from './fixed.ts'

/** The options of the listeners, checked. */
export interface ListenerSettings {
  readonly tls: TlsSettings | null
  readonly websocket: WebsocketSettings | null
  readonly tcpRules: ListenerRules
  readonly websocketRules: ListenerRules
}

/**
 * Checks the options of the listeners.
 *
 * @throws {NatsError} NATS_ERR_OPTION, NATS_ERR_OPTION_UNKNOWN
 */
export function checkListeners ({ host, tls, websocket }: ResolvedOptions): ListenerSettings {
  const tlsSettings = tls === null ? null : resolveTls(tls)
  const websocketSettings = websocket === null ? null : resolveWebsocket(websocket, host)
  const authorization = websocketSettings?.authorization ?? null
  checkMountpointIn('websocket.mountpoint', websocketSettings?.mountpoint ?? '')
  return {
    tls: tlsSettings,
    websocket: websocketSettings,
    tcpRules: { connectionType: 'STANDARD', verifyAndMap: tlsSettings?.verifyAndMap ?? false, credentials: null, timeout: null },
    websocketRules: {
      connectionType: 'WEBSOCKET',
      verifyAndMap: websocketSettings?.tls?.verifyAndMap ?? false,
      ...authorization === null ? { credentials: null, timeout: null } : readListenerRules(authorization, 'websocket.authorization')
    }
  }
}

/** Whoever serves the connections. */
export interface Reception {
  /** INFO for a connection that is not accepted yet. */
  greet (arrival: Arrival, address: string): string
  /** Counts a connection that begins, those that are not accepted yet among the others; what to tell it if it is one too many. */
  admit (stream: ClientStream): NatsError | null
  /** @param refused what `admit` said of the connection; asked where it is left out */
  accept (stream: ClientStream, arrival: Arrival, refused?: NatsError | null): void
  /** A connection did not come to be. */
  failed (address: string, reason: string): void
}

/** Everything that connections come in by: TCP, with TLS or without, and WebSocket on a port or on a path of the host. */
export class Listeners {
  /** TCP: the address of the gateway, then those of the option `listeners`. Empty before `listen`. */
  tcp: readonly Listener[] = []
  /** The port for WebSocket; null while there is none. */
  websocket: WebsocketListener | null = null
  private readonly settings: ListenerSettings
  private readonly reception: Reception
  private readonly tls: TlsServer | null
  private attached: AttachedWebsocket | null = null
  private lastCid = 0

  /** @throws {NatsError} NATS_ERR_OPTION when a certificate cannot be used */
  constructor (settings: ListenerSettings, reception: Reception) {
    this.settings = settings
    this.reception = reception
    this.tls = settings.tls === null ? null : new TlsServer(settings.tls)
  }

  get isOnPath (): boolean {
    return this.settings.websocket?.path != null
  }

  /** Connections on their way to `accept`. */
  get pending (): number {
    return (this.tls?.size ?? 0) + (this.websocket?.pending ?? 0)
  }

  greeting (isGreeted = false): Greeting {
    return { cid: ++this.lastCid, nonce: createNonce(), isGreeted }
  }

  /** @throws {NatsError} NATS_ERR_LISTEN; nothing listens then */
  async listen (options: ResolvedOptions): Promise<void> {
    const { host, port, mountpoint } = options
    const { websocket } = this.settings
    const listeners: Listener[] = []
    this.tcp = listeners
    try {
      for (const each of [{ host, port, mountpoint }, ...options.listeners]) {
        listeners.push(await listenTcp(each.host ?? host, each.port, (socket) => { this.open(socket, each.mountpoint ?? mountpoint) }))
      }
      if (websocket !== null && websocket.port !== null) {
        this.websocket = await listenWebsocket(websocket, options, {
          admit: (socket) => this.reception.admit(socket),
          accept: (stream, request, refused) => {
            this.welcome(stream, request, options, { host: websocket.host, port: this.websocket?.port ?? 0 }, refused)
          },
          failed: (address, reason) => { this.reception.failed(address, reason) }
        })
      }
    } catch (error) {
      this.stop()
      throw error
    }
  }

  /** Takes WebSocket connections on the path of a server of the host. @throws {NatsError} NATS_ERR_LISTEN, NATS_ERR_OPTION */
  attach (server: Server, options: ResolvedOptions): void {
    const { websocket } = this.settings
    if (websocket === null || websocket.path === null) throw new NatsError('NATS_ERR_OPTION', 'websocket', 'without a path', "an object with 'path'")
    this.attached = attachWebsocket(server, websocket, options, (stream, request) => { this.welcome(stream, request, options, {}) })
  }

  private open (socket: Socket, mountpoint: string): void {
    const { tls, reception, settings: { tcpRules: rules } } = this
    const arrival = { greeting: this.greeting(), request: undefined, mountpoint, rules, info: {}, fields: {} }
    const refused = reception.admit(socket)
    // As in nats-server, who is one too many is told so in the clear (server/server.go createClient).
    if (tls === null || refused !== null) {
      reception.accept(socket, { ...arrival, info: tls?.info(true) ?? {} }, refused)
      return
    }
    const address = `${socket.remoteAddress}:${socket.remotePort}`
    tls.open(socket, {
      greet: () => reception.greet({ ...arrival, info: tls.info(true) }, socket.remoteAddress ?? ''),
      opened: (stream, isGreeted) => { reception.accept(stream, { ...arrival, greeting: { ...arrival.greeting, isGreeted }, info: tls.info(isGreeted) }, null) },
      failed: (reason) => { reception.failed(address, reason) }
    })
  }

  private welcome (stream: WebsocketStream, request: IncomingMessage, { mountpoint }: ResolvedOptions, info: Arrival['info'], refused?: NatsError | null): void {
    const { websocket, websocketRules: rules } = this.settings
    this.reception.accept(stream, {
      greeting: this.greeting(),
      request,
      mountpoint: websocket?.mountpoint ?? mountpoint,
      rules,
      info: websocket?.tls == null ? info : { ...info, tls_required: true },
      fields: stream.details.cookies
    }, refused)
  }

  /** What is listened for, and where, in words. */
  get addresses (): string[] {
    const tcp = this.tcp.map(({ host, port }) => `client connections on ${host}:${port}`)
    return this.websocket === null ? tcp : [...tcp, `websocket clients on ${this.websocket.host}:${this.websocket.port}`]
  }

  /** Whether other settings ask clients for something else. */
  changesRules ({ tcpRules, websocketRules }: ListenerSettings): boolean {
    return !isDeepStrictEqual([tcpRules, websocketRules], [this.settings.tcpRules, this.settings.websocketRules])
  }

  /**
   * Puts changed limits and rules into effect, and reads certificates anew.
   *
   * @param settings those of the options
   * @throws {NatsError} NATS_ERR_OPTION; nothing has changed then
   */
  reconfigure (options: ResolvedOptions, before: ResolvedOptions, { tls, websocket, tcpRules, websocketRules }: ListenerSettings): void {
    const [fixed] = fixedChanges(before, options)
    if (fixed !== undefined) throw new NatsError('NATS_ERR_OPTION', fixed, 'fixed while the gateway runs', 'what it is')
    const useTls = tls === null ? undefined : this.tls?.prepare(tls)
    const useWebsocketTls = websocket?.tls == null ? undefined : this.websocket?.prepareTls(websocket.tls)
    useTls?.()
    useWebsocketTls?.()
    this.websocket?.reconfigure(options)
    this.attached?.reconfigure(options)
    // Connections that are there have the objects.
    Object.assign(this.settings.tcpRules, tcpRules)
    Object.assign(this.settings.websocketRules, websocketRules)
  }

  /** Takes no more connections; those that are there go on. */
  stop (): void {
    for (const listener of this.tcp) listener.stop()
    this.websocket?.stop()
    this.attached?.stop()
  }

  /** Ends those that are not accepted yet, too. */
  close (): void {
    this.stop()
    this.tls?.close()
    this.websocket?.close()
  }
}
