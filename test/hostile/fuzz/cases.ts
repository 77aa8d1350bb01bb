import { Random } from './random.ts'
import { seeds } from './seeds.ts'

/** What one connection sends: pieces of latin1 text, each in a packet of its own where the kernel lets it. */
export interface Case {
  readonly seed: number
  readonly pieces: readonly string[]
}

/** The limits that the servers are started with, low enough to be met. */
export const limits = { maxPayload: 1024, maxControlLine: 256 } as const

const tokens = [
  'a', 'b', 'foo', 'bar', '*', '>', '**', 'a*', '>a', '', '', '$x', '_INBOX', '_R_', '_GR_', 'é', '\xff', '\xc3', '\x01', '\x7f', '/', '//', '/2A', '+', '#',
  '"', '\\', '%s', '\0', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(60)
]
const groups = ['q', 'q.1', '__proto__', 'constructor', '_sys_', '*', '>', '']
// What nats-server has not, or otherwise: publishing to $SYS is denied as Aedes denies it.
const ownTokens = ['$SYS', '$JS.ACK']
const durableGroups = ['acked.a', 'durable.a', 'acked.__proto__', 'acked.*', 'durable.>']
const sids = ['1', '2', '3', '4', '__proto__', 'constructor', '-1', '9'.repeat(30), '\xff', '']
const blanks = [' ', ' ', ' ', ' ', ' ', '  ', '\t', ' \t ', '']
const lineEnds = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\n\r\n', '']
// A CR inside a control line is lost in nats-server where the line is cut (parser.go, `c.argBuf`).
const oddBlanks = ['\r', ' \r ']
const oddLineEnds = ['\r', '\r\r\n']
const headerLines = ['A: b', 'A: c', ':', 'A', '', '__proto__: x', 'constructor: x', 'Nmqtt-QoS: 1', 'Nmqtt-Retain: true', 'nmqtt-qos: 9', 'Nmqtt-Expiry: -1', 'Nmqtt-Correlation-Data: ====', '\xff: \xfe', '\0: \0']
const jsonValues = ['true', 'false', 'null', '0', '1', '2', '-1', '1.5', '1e400', '""', '"x"', '"\\ud800"', '"__proto__"', '[]', '{}', '[[[[[[]]]]]]', '{"a":{"a":{}}}', '"\xff"', 'nul', '"', '01']
const connectKeys = [
  'verbose', 'pedantic', 'echo', 'headers', 'no_responders', 'protocol', 'user', 'pass', 'name', 'lang', 'version', 'auth_token', 'sig', 'jwt', 'nkey', 'account', 'new_account',
  'tls_required', 'VERBOSE', '__proto__', 'constructor', 'toString', '', 'unknown'
]

class Writer {
  private readonly random: Random
  private readonly beyond: boolean

  constructor (random: Random, beyond: boolean) {
    this.random = random
    this.beyond = beyond
  }

  private subject (): string {
    const { random } = this
    const count = random.chance(0.02) ? random.below(120) : 1 + random.below(4)
    return random.list(count, () => random.pick(this.beyond && random.chance(0.05) ? ownTokens : tokens)).join('.')
  }

  private blank (): string {
    return this.random.pick(this.beyond && this.random.chance(0.05) ? oddBlanks : blanks)
  }

  private lineEnd (): string {
    return this.random.pick(this.beyond && this.random.chance(0.05) ? oddLineEnds : lineEnds)
  }

  private line (verb: string, args: readonly string[]): string {
    const { random } = this
    const cased = random.chance(0.2) ? verb.toLowerCase() : random.chance(0.02) ? verb.slice(1) : verb
    return cased + args.map((arg) => this.blank() + arg).join('') + (random.chance(0.1) ? this.blank() : '') + this.lineEnd()
  }

  /** A size, mostly the right one. */
  private size (right: number): string {
    const { random } = this
    if (random.chance(0.85)) return String(right)
    return random.pick([
      String(right + 1), String(Math.max(0, right - 1)), '-1', '', 'x', '+1', '0x5', '1e1', '007', String(limits.maxPayload), String(limits.maxPayload + 1),
      '999999999', '1000000000', '99999999999999999999'
    ])
  }

  private payload (): string {
    const { random } = this
    if (random.chance(0.1)) return random.pick(seeds).slice(0, limits.maxPayload)
    const length = random.chance(0.05) ? random.below(limits.maxPayload + 20) : random.below(12)
    return random.list(length, () => String.fromCharCode(random.below(256))).join('')
  }

  private publish (): string {
    const { random } = this
    const payload = this.payload()
    const reply = random.chance(0.3) ? [this.subject()] : []
    return this.line('PUB', [this.subject(), ...reply, this.size(payload.length)]) + payload + this.payloadEnd()
  }

  private publishWithHeaders (): string {
    const { random } = this
    const payload = this.payload()
    const header = random.chance(0.9) ? `NATS/1.0\r\n${random.list(random.below(4), () => random.pick(headerLines) + '\r\n').join('')}\r\n` : this.payload()
    const reply = random.chance(0.3) ? [this.subject()] : []
    const sizes = [this.size(header.length), this.size(header.length + payload.length)]
    return this.line('HPUB', [this.subject(), ...reply, ...random.chance(0.05) ? sizes.toReversed() : sizes]) + header + payload + this.payloadEnd()
  }

  private payloadEnd (): string {
    return this.random.chance(0.97) ? '\r\n' : this.lineEnd()
  }

  private subscribe (): string {
    const { random } = this
    const group = random.chance(0.3) ? [random.pick(this.beyond && random.chance(0.5) ? durableGroups : groups)] : []
    return this.line('SUB', [this.subject(), ...group, random.pick(sids)])
  }

  private unsubscribe (): string {
    const { random } = this
    return this.line('UNSUB', [random.pick(sids), ...random.chance(0.5) ? [random.pick(['0', '1', '2', '-1', 'x', '9999999999'])] : []])
  }

  private json (): string {
    const { random } = this
    if (random.chance(0.05)) return random.pick(jsonValues)
    if (random.chance(0.05)) return '['.repeat(random.below(300))
    const members = random.list(random.below(6), () => [random.pick(connectKeys), random.pick(jsonValues)] as const)
    // Of two members of one name nats-server looks at the types of both.
    const distinct = this.beyond ? members : [...new Map(members)]
    return `{${distinct.map(([key, value]) => `"${key}":${value}`).join()}}`
  }

  /** One operation, more or less. */
  operation (): string {
    const { random } = this
    const kind = random.below(100)
    if (kind < 30) return this.publish()
    if (kind < 45) return this.publishWithHeaders()
    if (kind < 65) return this.subscribe()
    if (kind < 75) return this.unsubscribe()
    if (kind < 82) return this.line('PING', random.chance(0.1) ? [this.subject()] : [])
    if (kind < 85) {
      const verb = random.pick(['PONG', '+OK', '-ERR', 'INFO', 'MSG'])
      // nats-server looks at the types of INFO's fields, which only a route may send.
      return this.line(verb, random.chance(0.5) && (this.beyond || verb !== 'INFO') ? [this.json()] : [])
    }
    if (kind < 90) return this.line('CONNECT', [this.json()])
    if (kind < 97) return this.mutated(random.pick(seeds))
    return random.list(random.below(20), () => String.fromCharCode(random.below(256))).join('')
  }

  /** A CONNECT that is mostly right: without one nothing more would be tried. */
  connect (): string {
    const { random } = this
    if (random.chance(0.05)) return ''
    const options = Object.fromEntries(['verbose', 'pedantic', 'echo', 'headers', 'no_responders'].map((name) => [name, random.chance(0.5)]))
    if (options['no_responders'] === true && random.chance(0.9)) options['headers'] = true
    return `CONNECT ${JSON.stringify(options)}\r\n`
  }

  private mutated (bytes: string): string {
    const { random } = this
    let text = bytes
    for (let left = 1 + random.below(3); left > 0; left--) {
      const at = random.below(text.length + 1)
      const length = random.below(5)
      const piece = text.slice(at, at + length)
      text = text.slice(0, at) + random.pick([
        '', piece + piece, String.fromCharCode(random.below(256)), piece.toLowerCase(), random.pick(seeds).slice(0, 50), '\r\n', ' ', '0'
      ]) + text.slice(at + length)
    }
    return this.beyond ? text : text.replace(/\r(?!\n)/g, '')
  }
}

function cut (random: Random, text: string): string[] {
  if (random.chance(0.5)) return [text]
  if (random.chance(0.1)) return [...text.slice(0, 200), text.slice(200)]
  const places = random.list(1 + random.below(5), () => random.below(text.length + 1)).sort((a, b) => a - b)
  return [...places, text.length].map((end, i) => text.slice(i === 0 ? 0 : places[i - 1], end)).filter((piece) => piece !== '')
}

/**
 * The case of a seed.
 *
 * @param beyond whether there may be in it what nats-server does otherwise
 */
export function caseOf (seed: number, beyond: boolean): Case {
  const random = new Random(seed)
  const writer = new Writer(random, beyond)
  const text = writer.connect() + random.list(1 + random.below(12), () => writer.operation()).join('')
  return { seed, pieces: cut(random, text) }
}
