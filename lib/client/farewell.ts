import type { Duplex } from 'node:stream'

// How long a client may take to read its last line, in milliseconds.
export const patience = 1000

/**
 * Lets a client read what is left for it, after `end` was called on its socket. Closing a socket with unread input
 * resets the connection, and the reset would overtake the last line: input is read and thrown away until the client
 * closes too.
 */
export function farewell (socket: Duplex, clientHasEnded: boolean): void {
  if (socket.destroyed) return
  const destroy = (): void => { socket.destroy() }
  const timer = setTimeout(destroy, patience)
  socket.once('close', () => { clearTimeout(timer) })
  if (clientHasEnded) {
    socket.once('finish', destroy)
  } else {
    socket.once('end', destroy)
    socket.resume()
  }
}
