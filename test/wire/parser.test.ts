import fc from 'fast-check'
import t from 'tap'
import type { NatsError } from '../../lib/errors.ts'
import type { Message } from '../../lib/wire/message.ts'
import { type FrameSink, Parser } from '../../lib/wire/parser.ts'
import { type FrameRow, frames } from './frames.ts'

/** Writes down what it is told. */
class Scribe implements FrameSink {
  readonly calls: string[] = []
  readonly messages: Message[] = []
  connect (json: string): void { this.calls.push(`connect ${json}`) }
  publishing (subject: string): void { this.calls.push(`publishing ${subject}`) }
  publish (message: Message): void {
    this.messages.push(message)
    const { subject, reply, headerSize, size, tail } = message
    this.calls.push(`pub ${subject}${reply === '' ? '' : ` >${reply}`} ${headerSize}/${size} ${tail.replace('\r\n', '|').replace(/\r\n$/, '|')}`)
  }

  subscribe (subject: string, queue: string | null, sid: string): void { this.calls.push(`sub ${subject} ${queue ?? '-'} ${sid}`) }
  unsubscribe (sid: string, max: number): void { this.calls.push(`unsub ${sid} ${max}`) }
  ping (): void { this.calls.push('ping') }
  pong (): void { this.calls.push('pong') }
  fail (error: NatsError): void { this.calls.push(`fail ${error.code}`) }
}

function parserFor (row: Pick<FrameRow, 'headers' | 'pedantic'>, limits = { line: 4096, payload: 1_048_576 }): { scribe: Scribe, parser: Parser } {
  const scribe = new Scribe()
  const parser = new Parser(scribe, limits.line, limits.payload)
  parser.headers = row.headers ?? false
  parser.pedantic = row.pedantic ?? false
  return { scribe, parser }
}

function bytes (text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function lowerVerbs (text: string): string {
  return text.replace(/^(PING|PONG|CONNECT|INFO|-ERR|SUB|UNSUB|PUB|HPUB)/, (verb) => verb.toLowerCase())
}

t.test('reads every frame', async (t) => {
  for (const row of frames) {
    const { scribe, parser } = parserFor(row)
    parser.push(bytes(row.bytes))
    t.strictSame(scribe.calls, row.calls, row.name)
  }
})

t.test('reads every frame in lower case', async (t) => {
  for (const row of frames) {
    const { scribe, parser } = parserFor(row)
    parser.push(bytes(lowerVerbs(row.bytes)))
    t.strictSame(scribe.calls, row.calls, row.name)
  }
})

t.test('reads every frame cut in two at every byte', async (t) => {
  for (const row of frames) {
    for (let cut = 1; cut < row.bytes.length; cut++) {
      const { scribe, parser } = parserFor(row)
      parser.push(bytes(row.bytes.slice(0, cut)))
      parser.push(bytes(row.bytes.slice(cut)))
      if (scribe.calls.join() !== row.calls.join()) t.strictSame(scribe.calls, row.calls, `${row.name}, cut at ${cut}`)
    }
    t.pass(row.name)
  }
})

t.test('reads every frame byte by byte', async (t) => {
  for (const row of frames) {
    const { scribe, parser } = parserFor(row)
    for (const byte of bytes(row.bytes)) parser.push(Buffer.from([byte]))
    t.strictSame(scribe.calls, row.calls, row.name)
  }
})

t.test('says that a verb is unknown as soon as it is', async (t) => {
  for (const start of ['Z', 'PX', 'PUZ', 'HM', 'SUX', 'SUBx', 'UNSUx', 'CONX', 'INFX', '+X', '-ERX', '\n']) {
    const { scribe, parser } = parserFor({})
    parser.push(bytes(start))
    t.strictSame(scribe.calls, ['fail NATS_ERR_UNKNOWN_OPERATION'], start)
  }
})

t.test('says that a payload is too long as soon as it is', async (t) => {
  const { scribe, parser } = parserFor({})
  parser.push(bytes('PUB foo 2\r\nab'))
  t.strictSame(scribe.calls, [])
  parser.push(bytes('c'))
  t.strictSame(scribe.calls, ['fail NATS_ERR_UNKNOWN_OPERATION'])
})

t.test('parses nothing behind an error', async (t) => {
  const { scribe, parser } = parserFor({})
  parser.push(bytes('ZZZ\r\nPING\r\n'))
  parser.push(bytes('PING\r\n'))
  t.strictSame(scribe.calls, ['fail NATS_ERR_UNKNOWN_OPERATION'])
})

t.test('limits the argument of a control line, not the verb and the blanks in front', async (t) => {
  const limits = { line: 10, payload: 100 }
  for (const [line, ok] of [
    ['SUB 12345678 1\r\n', true], ['SUB 123456789 1\r\n', false], ['SUB     12345678 1\r\n', true],
    ['PUB 12345678 0\r\n\r\n', true], ['PUB 123456789 0\r\n\r\n', false], ['PUB  123456789 0\r\n\r\n', false],
    ['CONNECT {"a":1234}\r\n', true], ['CONNECT {"a":12345}\r\n', false], ['PINGxxxxxxxxxxxxxxxxxxxxxxxx\r\n', true],
    ['-ERR 12345678901\r\n', false], ['INFO {"a":12345}\r\n', false], ['UNSUB 12345678901\r\n', false]
  ] as const) {
    const { scribe, parser } = parserFor({}, limits)
    parser.push(bytes(line))
    t.equal(scribe.calls.includes('fail NATS_ERR_CONTROL_LINE'), !ok, line)
  }
})

t.test('limits a control line before it ends', async (t) => {
  const { scribe, parser } = parserFor({}, { line: 10, payload: 100 })
  parser.push(bytes('SUB 1234567890'))
  t.strictSame(scribe.calls, [])
  parser.push(bytes('1'))
  t.strictSame(scribe.calls, ['fail NATS_ERR_CONTROL_LINE'])
})

t.test('holds nothing of the rest of a bare verb', async (t) => {
  const { scribe, parser } = parserFor({})
  parser.push(bytes('PING'))
  for (let i = 0; i < 1000; i++) parser.push(Buffer.alloc(10_000, 'x'))
  t.equal((parser as unknown as { rest: string }).rest, '')
  parser.push(bytes('\r\n'))
  t.strictSame(scribe.calls, ['ping'])
})

t.test('limits the payload on the control line', async (t) => {
  for (const [line, ok] of [['PUB foo 100\r\n', true], ['PUB foo 101\r\n', false], ['HPUB foo 1 101\r\n', false], ['PUB foo bar 101\r\n', false]] as const) {
    const { scribe, parser } = parserFor({ headers: true }, { line: 4096, payload: 100 })
    parser.push(bytes(line))
    t.strictSame(scribe.calls, ok ? [] : ['fail NATS_ERR_MAX_PAYLOAD'], line)
  }
})

t.test('pauses between two frames and keeps the rest in order', async (t) => {
  const { scribe, parser } = parserFor({})
  const { publish } = scribe
  scribe.publish = function (message) {
    publish.call(this, message)
    parser.pause()
  }
  parser.push(bytes('PUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPI'))
  t.equal(scribe.calls.length, 1)
  parser.push(bytes('NG\r\nPUB a 1\r\n3\r\n'))
  t.equal(scribe.calls.length, 1)
  parser.resume()
  t.equal(scribe.calls.length, 2)
  parser.resume()
  t.strictSame(scribe.calls, ['pub a 0/1 1|1|', 'pub a 0/1 1|2|', 'ping', 'pub a 0/1 1|3|'])
})

t.test('may be resumed from inside the frame that paused it', async (t) => {
  const { scribe, parser } = parserFor({})
  const { ping } = scribe
  scribe.ping = function () {
    parser.pause()
    ping.call(this)
    parser.resume()
  }
  parser.push(bytes('PING\r\nPING\r\nPONG\r\n'))
  t.strictSame(scribe.calls, ['ping', 'ping', 'pong'])
})

t.test('stops from inside a frame', async (t) => {
  const { scribe, parser } = parserFor({})
  scribe.ping = () => { parser.stop() }
  parser.push(bytes('PING\r\nPONG\r\nPU'))
  parser.push(bytes('B foo 0\r\n\r\n'))
  t.strictSame(scribe.calls, [])
})

// Anything a client may write, as tokens and payloads.
const token = fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 12 })
const payload = fc.string({ unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 300 })
const blank = fc.constantFrom(' ', '  ', '\t', ' \t ')
const publication = fc.record({ subject: token, reply: fc.option(token), header: payload, body: payload, blank })

t.test('gives back every message, however it is cut', async () => {
  fc.assert(fc.property(fc.array(publication, { maxLength: 5 }), fc.array(fc.nat(400), { maxLength: 10 }), (list, cuts) => {
    const text = list.map(({ subject, reply, header, body, blank }) => {
      const names = [subject, ...reply === null ? [] : [reply]].join(blank)
      return header === ''
        ? `PUB ${names}${blank}${body.length}\r\n${body}\r\n`
        : `HPUB ${names}${blank}${header.length} ${header.length + body.length}\r\n${header}${body}\r\n`
    }).join('')
    const { scribe, parser } = parserFor({ headers: true })
    let at = 0
    for (const cut of cuts) {
      parser.push(bytes(text.slice(at, at + cut)))
      at += cut
    }
    parser.push(bytes(text.slice(at)))
    const read = scribe.messages.map(({ subject, reply, header, body }) => ({ subject, reply, header, body }))
    const wanted = list.map(({ subject, reply, header, body }) => ({ subject, reply: reply ?? '', header, body }))
    return JSON.stringify(read) === JSON.stringify(wanted) && scribe.calls.every((call) => !call.startsWith('fail'))
  }), { numRuns: 500 })
})

t.test('survives any bytes', async () => {
  fc.assert(fc.property(fc.array(fc.oneof(payload, fc.constantFrom(...frames.map((row) => row.bytes))), { maxLength: 8 }), (chunks) => {
    const { parser } = parserFor({ headers: true, pedantic: true }, { line: 64, payload: 100 })
    for (const chunk of chunks) parser.push(bytes(chunk))
    return (parser as unknown as { rest: string }).rest.length <= 64 + 8
  }), { numRuns: 500 })
})

t.test('blanks before an argument may be endless: they are not kept', async (t) => {
  for (const verb of ['SUB', 'PUB', 'HPUB', 'UNSUB', 'CONNECT', 'INFO', '-ERR']) {
    const { scribe, parser } = parserFor({ headers: true }, { line: 64, payload: 100 })
    parser.push(bytes(verb))
    for (let i = 0; i < 300; i++) parser.push(bytes(i % 2 === 0 ? ' \t '.repeat(100) : ' '))
    t.ok((parser as unknown as { rest: string }).rest.length < 10, verb)
    t.strictSame(scribe.calls, [], verb)
  }
  const { scribe, parser } = parserFor({})
  for (const part of ['SUB  ', '   ', '\t', ' a  ', '  ', '1\r\nSUB ', ' \n', 'b 2\r\nCONNECT', '  ', ' {} \r\n']) parser.push(bytes(part))
  t.strictSame(scribe.calls, ['sub a - 1', 'sub b - 2', 'connect {} '])
})

t.test('a payload in single bytes is one message', async (t) => {
  const { scribe, parser } = parserFor({ headers: true })
  const payload = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(i % 256)).join('')
  for (const byte of `PUB a.subject.of.some.length a.reply.of.some.length 1000\r\n${payload}\r\nHPUB a 12 1000\r\n${payload}\r\n`) parser.push(bytes(byte))
  t.equal(scribe.messages.length, 2)
  t.equal(scribe.messages[0]?.body, payload)
  t.equal(scribe.messages[0]?.subject, 'a.subject.of.some.length')
  t.equal(scribe.messages[0]?.reply, 'a.reply.of.some.length')
  t.equal(scribe.messages[1]?.header, payload.slice(0, 12))
  t.equal(scribe.messages[1]?.body, payload.slice(12))
})
