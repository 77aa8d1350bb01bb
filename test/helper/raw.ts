import net, { type Socket } from 'node:net'
import type { Teardown } from './brokers.ts'

/** A NATS connection as bytes (latin1 text), for what client libraries would not do. */
export class RawClient {
  readonly socket: Socket
  ended = false
  answersPings = true
  private text = ''
  private waiting: (() => void) | null = null

  constructor (socket: Socket) {
    this.socket = socket
    const changed = (): void => { this.waiting?.() }
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
      changed()
    })
    const ended = (): void => {
      this.ended = true
      changed()
    }
    socket.on('end', ended)
    socket.on('close', ended)
    socket.on('error', ended)
  }

  send (text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Takes off what the input begins with, once it does. Rejects when it never can. */
  async expect (wanted: string | RegExp): Promise<string> {
    for (;;) {
      // The server asks for the round trip after two seconds, whatever else goes on.
      if (this.answersPings && this.text.startsWith('PING\r\n')) {
        this.text = this.text.slice('PING\r\n'.length)
        this.send('PONG\r\n')
      }
      const match = typeof wanted === 'string'
        ? this.text.startsWith(wanted) ? wanted : null
        : new RegExp(`^(?:${wanted.source})`, wanted.flags).exec(this.text)?.[0] ?? null
      if (match !== null) {
        this.text = this.text.slice(match.length)
        return match
      }
      const hopeless = typeof wanted === 'string' && !wanted.startsWith(this.text)
      if (hopeless || this.ended) {
        throw new Error(`expected ${String(wanted)}, got ${JSON.stringify(this.text.slice(0, 500))}${this.ended ? ', then the end' : ''}`)
      }
      await new Promise<void>((resolve) => { this.waiting = resolve })
    }
  }

  /** All that comes up to the answer to a PING: a fence behind everything sent before. */
  async fence (): Promise<string> {
    this.send('PING\r\n')
    const text = (await this.expect(/[^]*?PONG\r\n/)).slice(0, -'PONG\r\n'.length)
    if (!this.answersPings) return text
    return text.replaceAll(/(?<=^|\n)PING\r\n/g, () => {
      this.send('PONG\r\n')
      return ''
    })
  }

  /** All that comes until the server ends the connection. */
  async end (): Promise<string> {
    while (!this.ended) await new Promise<void>((resolve) => { this.waiting = resolve })
    return this.text
  }
}

/**
 * Connects and reads INFO. `options` are those of CONNECT; null sends none. With `protocol: 1` INFO may come at any time, as
 * soon as another node is there.
 */
export async function connect (t: Teardown, port: number, options: object | null = {}): Promise<RawClient & { info: Record<string, unknown> }> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  const client = new RawClient(socket)
  const line = await client.expect(/INFO [^\r\n]*\r\n/)
  const info = JSON.parse(line.slice(5)) as Record<string, unknown>
  if (options !== null) {
    client.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 0, ...options })}\r\n`)
    const answer = await client.fence()
    if (answer !== '') throw new Error(`CONNECT was answered with ${answer}`)
  }
  return Object.assign(client, { info })
}
