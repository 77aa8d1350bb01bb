import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import tls, { type TlsOptions as TlsServerOptions, type TLSSocket } from 'node:tls'
import { awaitByte } from './first-byte.ts'
import { type Identity, loadIdentities, type TlsSettings } from './tls-options.ts'

/** The fields of INFO that tell about TLS. */
export interface TlsInfo {
  tls_required?: true
  tls_verify?: true
  tls_available?: true
}

/** Whoever wants a connection to be opened. Either `opened` or `failed` is called, once. */
export interface Opening {
  /** INFO for a client that gets it in the clear; asked at most once, in front of `opened`. */
  greet (): string
  /** The connection may be used: a TLSSocket, or the socket itself for a client without TLS. */
  opened (stream: Socket, isGreeted: boolean): void
  /** The connection is closed, or about to be. `reason` is for a log. */
  failed (reason: string): void
}

/** A connection that is neither opened nor failed. */
interface Entry {
  readonly socket: Socket
  readonly opening: Opening
  readonly fail: (reason: string) => void
  readonly closed: () => void
  readonly error: (error: Error) => void
  /** Where it is found by its TLSSocket. */
  key: string
  isGreeted: boolean
  timer: NodeJS.Timeout | undefined
}

// ContentType handshake of a TLS record (RFC 8446, 5.1).
const HANDSHAKE = 0x16

const gone = 'the client closed the connection'

// A socket and the TLSSocket on top of it have these in common, and no other socket has them.
function addresses (socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}

/** Brings connections to INFO and TLS, in the order that nats-server has (server/server.go createClient). */
export class TlsServer {
  private settings: TlsSettings
  // It does not listen: connections are put into it.
  private server: tls.Server
  private readonly path: string
  private readonly entries = new Set<Entry>()
  private readonly handshakes = new Map<string, Entry>()

  /**
   * @param path the name of the option, for errors
   * @throws {NatsError} NATS_ERR_OPTION when a file cannot be read or used
   */
  constructor (settings: TlsSettings, path = 'tls') {
    this.path = path
    this.settings = settings
    this.server = this.create(settings)
  }

  /** The number of connections that are neither opened nor failed. */
  get size (): number {
    return this.entries.size
  }

  /** What INFO says. A client that gets it in the clear may not have to go on with TLS. */
  info (isGreeted: boolean): TlsInfo {
    const { allowNonTls, verify } = this.settings
    const info: TlsInfo = {}
    if (!allowNonTls || !isGreeted) info.tls_required = true
    if (verify) info.tls_verify = true
    if (allowNonTls) info.tls_available = true
    return info
  }

  /**
   * Reads the files anew, for all connections that begin once the function that it returns is called; those that are
   * there go on as they are.
   *
   * @throws {NatsError} NATS_ERR_OPTION when a file cannot be read or used
   */
  prepare (settings: TlsSettings): () => void {
    const server = this.create(settings)
    return () => {
      this.server = server
      this.settings = settings
    }
  }

  /** Reads the files anew and uses other settings from now on. @throws {NatsError} NATS_ERR_OPTION; nothing has changed then */
  reload (settings: TlsSettings = this.settings): void {
    this.prepare(settings)()
  }

  /** Opens a connection of a NATS client. */
  open (socket: Socket, opening: Opening): void {
    const { handshakeFirst, timeout } = this.settings
    const entry = this.enter(socket, opening)
    if (handshakeFirst === 0) {
      this.greet(entry)
    } else if (handshakeFirst === Infinity) {
      this.awaitHandshake(entry, timeout)
    } else {
      awaitByte(socket, handshakeFirst, (byte) => {
        if (byte === null && !socket.readableEnded) this.greet(entry)
        else this.begin(entry, byte)
      })
    }
  }

  /** Opens a connection that is nothing without TLS, such as one for HTTPS; `opening` is not asked for INFO. */
  secure (socket: Socket, opening: Opening): void {
    this.awaitHandshake(this.enter(socket, opening), this.settings.timeout)
  }

  /** Closes all connections that are not opened. */
  close (): void {
    for (const { fail } of [...this.entries]) fail('the server closes')
  }

  private create (settings: TlsSettings): tls.Server {
    const identities = loadIdentities(settings, this.path)
    const options: TlsServerOptions = { ...identities[0].options, requestCert: settings.verify, rejectUnauthorized: settings.verify }
    if (identities.length > 1) options.SNICallback = (name, answer) => { answer(null, choose(identities, name).context) }
    const server = tls.createServer(options)
    server.on('secureConnection', (stream) => { this.secured(stream, settings) })
    server.on('tlsClientError', (error, stream) => {
      this.handshakes.get(addresses(stream))?.fail(error.message)
      stream.destroy()
    })
    return server
  }

  private enter (socket: Socket, opening: Opening): Entry {
    const fail = (reason: string): void => {
      if (!this.entries.has(entry)) return
      this.leave(entry)
      socket.destroy()
      opening.failed(reason)
    }
    const entry: Entry = {
      socket,
      opening,
      fail,
      closed: () => { fail(gone) },
      error: (error) => { fail(error.message) },
      key: '',
      isGreeted: false,
      timer: undefined
    }
    this.entries.add(entry)
    socket.on('error', entry.error).on('close', entry.closed)
    return entry
  }

  private leave (entry: Entry): void {
    clearTimeout(entry.timer)
    this.entries.delete(entry)
    this.handshakes.delete(entry.key)
    entry.socket.off('close', entry.closed)
  }

  private greet (entry: Entry): void {
    entry.isGreeted = true
    entry.socket.write(entry.opening.greet(), 'latin1')
    this.awaitHandshake(entry, this.settings.timeout)
  }

  private awaitHandshake (entry: Entry, time: number): void {
    awaitByte(entry.socket, time, (byte) => { this.begin(entry, byte) })
  }

  private begin (entry: Entry, byte: number | null): void {
    const { socket } = entry
    if (byte === HANDSHAKE) {
      this.handshake(entry)
    } else if (this.settings.allowNonTls && entry.isGreeted && !socket.readableEnded) {
      this.leave(entry)
      socket.off('error', entry.error)
      entry.opening.opened(socket, true)
      socket.resume()
    } else {
      entry.fail(byte !== null ? 'first bytes are not a TLS handshake' : socket.readableEnded ? gone : 'TLS handshake timeout')
    }
  }

  private handshake (entry: Entry): void {
    const { socket } = entry
    entry.key = addresses(socket)
    this.handshakes.set(entry.key, entry)
    // Node's own timeout begins anew with whatever arrives.
    entry.timer = setTimeout(() => { entry.fail('TLS handshake timeout') }, this.settings.timeout)
    this.server.emit('connection', socket)
  }

  private secured (stream: TLSSocket, { pinnedCerts }: TlsSettings): void {
    const entry = this.handshakes.get(addresses(stream))
    if (entry === undefined) {
      stream.destroy()
    } else if (pinnedCerts !== null && !pinnedCerts.has(fingerprint(stream))) {
      entry.fail('certificate not pinned')
    } else {
      this.leave(entry)
      // A renegotiation costs the server much and the client little; Go's servers refuse it too.
      stream.disableRenegotiation()
      entry.opening.opened(stream, entry.isGreeted)
    }
  }
}

function choose (identities: readonly [Identity, ...Identity[]], name: string): Identity {
  return identities.find(({ certificate }) => certificate.checkHost(name) !== undefined) ?? identities[0]
}

function fingerprint (stream: TLSSocket): string {
  const key = stream.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' })
  return key === undefined ? '' : createHash('sha256').update(key).digest('hex')
}
