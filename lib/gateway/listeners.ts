import type { Socket } from 'node:net'
import type { ResolvedOptions } from '../options.ts'
import { type Listener, listenTcp } from '../transport/tcp.ts'

/**
 * Listens on the address of the gateway, and on those of the option `listeners`.
 *
 * @param accept takes a connection and the mountpoint of the listener that it came to
 * @returns the gateway's own listener first
 * @throws {NatsError} NATS_ERR_LISTEN; nothing listens then
 */
export async function listenAll (options: ResolvedOptions, accept: (socket: Socket, mountpoint: string) => void): Promise<Listener[]> {
  const listeners: Listener[] = []
  const { host, port, mountpoint } = options
  try {
    for (const each of [{ host, port, mountpoint }, ...options.listeners]) {
      listeners.push(await listenTcp(each.host ?? host, each.port, (socket) => { accept(socket, each.mountpoint ?? mountpoint) }))
    }
  } catch (error) {
    for (const listener of listeners) listener.stop()
    throw error
  }
  return listeners
}
