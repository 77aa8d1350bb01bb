import net from 'node:net'
import { type Case, limits } from './cases.ts'

// Ends whatever a case has left open, a control line or a payload, and shows in which state the connection is then.
const filler = 'PING\r\n'.repeat(Math.ceil(limits.maxPayload / 6) + 2)
// How long a server may take to end a connection that the client has ended. Nothing that it does takes seconds.
const patience = 30_000

// A server that closes while bytes wait for it resets the connection, which may overtake its last line: so many bytes at a
// time, with so many milliseconds between them, leave none waiting.
const slowPiece = 100
const slowPause = 10

/**
 * Sends a case, then so many PINGs that any payload ends, and ends its side.
 *
 * @param slowly so that the last line of the server arrives for sure
 * @returns all that the server sends, without INFO and its own PINGs
 * @throws when the server does not end the connection
 */
export function answerTo (port: number, { pieces }: Case, slowly = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the connection neither ends nor answers; it got ${JSON.stringify(text.slice(-200))}`))
    }, patience)
    socket.on('data', (chunk) => { text += chunk.toString('latin1') })
    // Reset by the server, which has closed while more was on its way.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text.replace(/^INFO [^\n]*\n/, '').replaceAll('PING\r\n', ''))
    })
    socket.on('connect', () => { send(socket, slowly ? slices([...pieces, filler]) : [...pieces, filler], slowly ? slowPause : 0) })
  })
}

function slices (pieces: readonly string[]): string[] {
  return pieces.flatMap((piece) => piece.match(new RegExp(`[^]{1,${slowPiece}}`, 'g')) ?? [])
}

function send (socket: net.Socket, pieces: readonly string[], pause: number): void {
  const [piece, ...rest] = pieces
  if (piece === undefined) {
    socket.end()
    return
  }
  socket.write(piece, 'latin1', (error) => {
    if (error !== undefined && error !== null) return
    if (pause > 0) setTimeout(send, pause, socket, rest, pause)
    else setImmediate(send, socket, rest, pause)
  })
}
