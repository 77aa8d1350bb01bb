import type { Socket } from 'node:net'

/**
 * Waits for the first byte that a socket brings, and leaves it to be read; the socket is paused then.
 *
 * @param time milliseconds to wait, at most; Infinity for ever
 * @param seen gets the byte; null if there is none in time, or the client has ended its side. Not called when the socket closes.
 */
export function awaitByte (socket: Socket, time: number, seen: (byte: number | null) => void): void {
  const settle = (byte: number | null): void => {
    stop()
    socket.pause()
    seen(byte)
  }
  const data = (chunk: Buffer): void => {
    socket.pause()
    socket.unshift(chunk)
    settle(chunk[0] as number)
  }
  const nothing = (): void => { settle(null) }
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', data).off('end', nothing).off('close', stop)
  }
  const timer = time === Infinity ? undefined : setTimeout(nothing, time)
  socket.on('data', data).on('end', nothing).on('close', stop)
  socket.resume()
}
