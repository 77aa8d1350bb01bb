import fc from 'fast-check'
import t from 'tap'
import { eachHeader, headerBlock, headerName, headerValue, nameOf, withLines } from '../../lib/wire/headers.ts'

function read (block: string): [string, string][] {
  const found: [string, string][] = []
  eachHeader(block, (name, value) => { found.push([name, value]) })
  return found
}

t.test('the lines of a block, as clients read them', async (t) => {
  const rows: [string, [string, string][]][] = [
    ['NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n', [['A', '1'], ['B', '2']]],
    ['NATS/1.0\r\nA:1\r\na: \t 2 \t\r\nA:\r\n\r\n', [['A', '1'], ['a', '2'], ['A', '']]],
    ['NATS/1.0 503\r\n\r\n', []],
    ['NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 3\r\n\r\n', [['Nats-Last-Consumer', '3']]],
    ['NATS/1.0\r\nT: 12:30:00\r\n: no name\r\nno colon\r\n\r\n', [['T', '12:30:00']]],
    // The last byte of `à` is U+00A0 as latin1 text.
    ['NATS/1.0\r\nA: citt\xc3\xa0\r\n\r\n', [['A', 'citt\xc3\xa0']]],
    ['NATS/1.0\r\nA: one\ntwo\rthree\r\n\r\n', [['A', 'one\ntwo\rthree']]],
    ['NATS/1.0\r\nA : 1\r\n B: 2\r\n\r\n', [['A ', '1'], [' B', '2']]],
    // What is no block at all is none of nats-server's business.
    ['NATS/1.0\r\nA: 1', [['A', '1']]],
    ['A: 1\r\n', []],
    ['NATS/1.0', []],
    ['\r\n\r\n', []],
    ['', []]
  ]
  for (const [block, headers] of rows) t.strictSame(read(block), headers, JSON.stringify(block))
})

t.test('a block of the largest size is read in one go, whatever is in it', async (t) => {
  const size = 1_048_576
  // Each would be looked through once per line, or once per blank, by a reader that begins anew.
  for (const filler of ['\r\n', ' ', 'A', ':', ': \r\n', 'A:\r\n']) {
    const block = 'NATS/1.0\r\nX: ' + filler.repeat(size / filler.length) + 'y\r\n\r\n'
    const began = process.cpuUsage().user
    read(block)
    t.ok(process.cpuUsage().user - began < 5_000_000, JSON.stringify(filler))
  }
})

t.test('a block of lines', async (t) => {
  t.equal(headerBlock([]), '')
  t.equal(headerBlock(['A: 1', 'B: 2']), 'NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n')
})

t.test('lines more stand in front, and the status stays', async (t) => {
  t.equal(withLines('NATS/1.0 503\r\nA: 1\r\n\r\n', 'B: 2\r\n'), 'NATS/1.0 503\r\nB: 2\r\nA: 1\r\n\r\n')
  t.equal(withLines('', 'B: 2\r\n'), 'NATS/1.0\r\nB: 2\r\n\r\n')
  t.equal(withLines('no block', 'B: 2\r\n'), 'NATS/1.0\r\nB: 2\r\n\r\n')
})

t.test('names of any text', async (t) => {
  const rows: [string, string][] = [
    ['X-Trace-Id', 'X-Trace-Id'], ['constructor', 'constructor'], ['a b', 'a%20b'], ['a:b', 'a%3Ab'], ['a\r\nb', 'a%0D%0Ab'],
    ['\xc3\xa4', '%C3%A4'], ['100%', '100%'], ['100%25', '100%2525'], ['%41', '%41'], ['%3a', '%3a'], ['%3A', '%253A'], ['\x7f\x01', '%7F%01']
  ]
  for (const [text, name] of rows) {
    t.equal(headerName(text), name)
    t.equal(nameOf(name), text)
  }
  t.equal(headerName('a\0b'), 'a%00b')
  t.equal(nameOf('a%00b'), 'a%00b', 'no text of MQTT holds NUL')
  fc.assert(fc.property(fc.string({ unit: fc.oneof(fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), fc.constantFrom('%', '2', '5', 'A')) }), (text) => {
    const name = headerName(text)
    return /^[!-9;-~]*$/.test(name) && nameOf(name) === text
  }), { numRuns: 2000 })
})

t.test('values of any text', async (t) => {
  t.equal(headerValue('a: b\tc \xc3\xa4'), 'a: b\tc \xc3\xa4')
  t.equal(headerValue('a\r\nB: 1\0\x0b\x7f'), 'a  B: 1   ')
})
