import net, { type AddressInfo, type Socket } from 'node:net'
import { NatsError } from '../errors.ts'

// As many as the kernel lets wait to be accepted (net.core.somaxconn), as in nats-server. Where there are more, the kernel
// forgets connections that their clients take for made: those wait for an INFO that never comes.
const backlog = 65_535

/** Something that takes connections. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes no more connections; those that are there stay. */
  stop (): void
}

/**
 * Listens for TCP connections. A client may end its side and still read the answers.
 *
 * @param port 0 takes any free one
 * @throws {NatsError} NATS_ERR_LISTEN
 */
export function listenTcp (host: string, port: number, accept: (socket: Socket) => void): Promise<Listener> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, accept)
  return new Promise((resolve, reject) => {
    // Stays, and does nothing later: a process without file descriptors left fails to accept, now and then.
    server.on('error', (error) => {
      reject(new NatsError('NATS_ERR_LISTEN', `${host}:${port}`, error.message))
    })
    server.listen({ port, host, backlog }, () => {
      const { address, port } = server.address() as AddressInfo
      resolve({ host: address, port, stop: () => { server.close() } })
    })
  })
}
