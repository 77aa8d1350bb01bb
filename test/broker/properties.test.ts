import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import mqttPacket from 'mqtt-packet'
import t from 'tap'
import { replySubject, isCorrelated, uncorrelated } from '../../lib/broker/correlation.ts'
import type { PacketProperties, PublishPacket } from '../../lib/broker/host.ts'
import { headerOf, propertiesOf, publishingOf, publishingOfPacket, retainFlag } from '../../lib/broker/properties.ts'
import { PublishRules } from '../../lib/broker/publish-rules.ts'
import { headerName, nameOf } from '../../lib/wire/headers.ts'
import { messageWith } from '../../lib/wire/message.ts'
import { encodeText } from '../../lib/wire/text.ts'

// How the official client reads a block; it exports no decoder.
const require = createRequire(import.meta.url)
const { MsgHdrsImpl } = createRequire(require.resolve('@nats-io/transport-node'))('@nats-io/nats-core/internal') as {
  MsgHdrsImpl: { decode (bytes: Uint8Array): Iterable<[string, string[]]> & { code: number } }
}

type Headers = Record<string, string[]>

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString()
const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`

function natsJs (block: string): Headers {
  const decoded = MsgHdrsImpl.decode(Buffer.from(block, 'latin1'))
  assert.equal(decoded.code, 0)
  return Object.fromEntries(decoded)
}

/**
 * As nats.py and the clients that are stricter than it: Python's email.parser ends a line at CR, LF or both and the block
 * at the first line that is no header; async-nats panics, and nats.java throws, at names of other characters and at
 * control characters.
 */
function strict (block: string): Headers {
  const lines = utf8(block).split(/\r\n|\r|\n/)
  if (lines.shift() !== 'NATS/1.0' || lines.pop() !== '' || lines.pop() !== '') throw new Error('no block')
  const headers: Headers = {}
  for (const line of lines) {
    const [, name, value] = /^([!-9;-~]+):([^\0-\x08\n-\x1f\x7f]*)$/.exec(line) ?? [] // eslint-disable-line no-control-regex -- those are refused
    if (name === undefined || value === undefined) throw new Error(`no header: ${JSON.stringify(line)}`)
    const known = Object.hasOwn(headers, name) ? headers[name] as string[] : []
    Object.defineProperty(headers, name, { value: [...known, value.trim()], enumerable: true, configurable: true, writable: true })
  }
  return headers
}

function packetWith (properties: object | undefined, more: object = {}): PublishPacket {
  return { cmd: 'publish', topic: 'a', payload: '', qos: 0, retain: false, dup: false, ...properties === undefined ? {} : { properties }, ...more } as PublishPacket
}

const user = (pairs: [string, string | string[]][]): Record<string, string | string[]> => Object.assign(Object.create(null), Object.fromEntries(pairs)) as Record<string, string | string[]>

t.test('headers of a packet', async (t) => {
  const rows: [string, PublishPacket, string[]][] = [
    ['nothing', packetWith(undefined), []],
    ['empty properties', packetWith({}), []],
    ['a topic alias that is used up', packetWith({ topicAlias: undefined }), []],
    ['the same from Redis', packetWith({ topicAlias: null }), []],
    ['QoS', packetWith(undefined, { qos: 1 }), ['Nmqtt-Pub: 1']],
    ['QoS from Redis', packetWith(undefined, { qos: 2, properties: null }), ['Nmqtt-Pub: 2']],
    ['retain', packetWith(undefined, { retain: true }), ['Nmqtt-Pub: 0']],
    ['a response topic', packetWith({ responseTopic: 'r' }), ['Nmqtt-Pub: 0']],
    ['all there is', packetWith({
      contentType: 'text/plain; charset=ü', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, messageExpiryInterval: 60, userProperties: user([['A', 'é:1'], ['a', ['2', '']]])
    }, { qos: 1 }), [
      'Nmqtt-Pub: 1', 'Nmqtt-Content-Type: text/plain; charset=\xc3\xbc', 'Nmqtt-Correlation-Data: AP8=', 'Nmqtt-Payload-Format: 1', 'Nmqtt-Expiry: 60', 'A: \xc3\xa9:1', 'a: 2', 'a: '
    ]],
    ['0', packetWith({ payloadFormatIndicator: false, messageExpiryInterval: 0 }), ['Nmqtt-Pub: 0', 'Nmqtt-Payload-Format: 0', 'Nmqtt-Expiry: 0']],
    ['names of ours, and none', packetWith({ userProperties: user([['Nmqtt-Pub', '7'], ['nmqtt-qos', '2'], ['NMQTT-ID', 'x'], ['', 'empty'], ['Nmqtt-', 'x'], ['Nmqtt', 'y']]) }), ['Nmqtt-Pub: 0', 'Nmqtt-: x', 'Nmqtt: y']],
    ['names of Object.prototype', packetWith({ userProperties: user([['constructor', ['a', 'b']], ['toString', 'c'], ['2', 'two'], ['1', 'one']]) }), ['Nmqtt-Pub: 0', '1: one', '2: two', 'constructor: a', 'constructor: b', 'toString: c']],
    ['what would be protocol', packetWith({ contentType: 'a\r\nX: 1', userProperties: user([['a\r\nPUB x 0\r\n', 'b\r\n\r\nMSG y 1 0\r\n'], ['c: d', '\0'], ['e f', 'g'], ['ä', 'h']]) }), [
      'Nmqtt-Pub: 0', 'Nmqtt-Content-Type: a  X: 1', 'a%0D%0APUB%20x%200%0D%0A: b    MSG y 1 0  ', 'c%3A%20d:  ', 'e%20f: g', '%C3%A4: h'
    ]],
    // A property that came twice, or was cut off; what hosts write.
    ['wrong types', packetWith({
      responseTopic: ['a', 'b'], contentType: ['a', 'b'], correlationData: [Buffer.from('a')], payloadFormatIndicator: null, messageExpiryInterval: [1, 2], userProperties: { null: null, n: 1, l: [null, 'x'] }
    }), ['Nmqtt-Pub: 0', 'l: x']],
    ['null', packetWith({ contentType: null, userProperties: null, correlationData: null, subscriptionIdentifier: 1 }), ['Nmqtt-Pub: 0']]
  ]
  for (const [what, packet, lines] of rows) {
    t.equal(headerOf(packet, false, false), lines.length === 0 ? '' : `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`, what)
  }
})

t.test('what a NATS client published is no MQTT message', async (t) => {
  t.equal(headerOf(packetWith(undefined, { qos: 1 }), true, false), '')
  t.equal(headerOf(packetWith({ userProperties: user([['A', '1']]) }, { qos: 1 }), true, false), 'NATS/1.0\r\nA: 1\r\n\r\n')
  t.equal(headerOf(packetWith({ userProperties: user([['A', '1']]) }, { natsHeader: 'as it was' }), true, false), 'as it was')
})

t.test('a retained message says so', async (t) => {
  t.equal(headerOf(packetWith(undefined, { retain: true }), false, true), 'NATS/1.0\r\nNmqtt-Pub: 0\r\nNmqtt-Retain: true\r\n\r\n')
  t.equal(headerOf(packetWith(undefined, { retain: true, natsHeader: 'x' }), true, true), 'NATS/1.0\r\nNmqtt-Retain: true\r\n\r\n')
})

const odd = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('\r', '\n', '\0', ':', ' ', '\t', '%', '2', '0', 'D', 'ä', '\ud800', '\u0085', '\u2028', 'N', '\x7f'), maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '0', '-1', '', 'Nmqtt-Pub', 'NMQTT-retain', 'From ', ' Nmqtt-Pub', 'NATS/1.0 503')
)

t.test('whatever an MQTT client names, every client reads the same headers, and no others', async (t) => {
  const properties = fc.array(fc.tuple(odd, fc.oneof(odd, fc.array(odd, { minLength: 1, maxLength: 3 }))), { maxLength: 8 })
  fc.assert(fc.property(properties, odd, (pairs, contentType) => {
    const userProperties = user(pairs)
    const block = headerOf(packetWith({ userProperties, contentType }), false, false)
    const read = natsJs(block)
    assert.deepEqual(read, strict(block))
    const expected = new Map([['Nmqtt-Pub', ['0']], ['Nmqtt-Content-Type', [asValue(contentType)]]])
    for (const [name, values] of Object.entries(userProperties)) {
      if (name === '' || /^nmqtt-[^]/i.test(name)) continue
      const key = headerName(encodeText(name))
      expected.set(key, [...expected.get(key) ?? [], ...[values].flat().map(asValue)])
      assert.equal(utf8(nameOf(key)), Buffer.from(name.replaceAll('\0', '%00')).toString())
    }
    assert.deepEqual(read, Object.fromEntries(expected))
  }), { numRuns: 2000 })
  t.pass('all runs')
})

/** A text as a value that all clients read. */
function asValue (text: string): string {
  return Buffer.from(text).toString().replace(/[\0-\x08\n-\x1f\x7f]/g, ' ').trim() // eslint-disable-line no-control-regex -- those are not for headers
}

t.test('properties of a header block', async (t) => {
  const long = 'x'.repeat(65_535)
  const rows: [string, string[], PacketProperties][] = [
    ['nothing', [], {}],
    ['names and values', ['A: 1', 'b:2', 'A:  3 ', 'a: 4'], { userProperties: user([['A', ['1', '3']], ['b', '2'], ['a', '4']]) }],
    ['order within a name', ['A: 1', 'B: x', 'A: 2', 'A: ', 'A: 1'], { userProperties: user([['A', ['1', '2', '', '1']], ['B', 'x']]) }],
    ['colons and UTF-8', ['T: 12:30', 'N: f\xc3\xbcr citt\xc3\xa0', '\xc3\xa4: 1'], { userProperties: user([['T', '12:30'], ['N', 'für città'], ['ä', '1']]) }],
    ['escaped names', ['a%20b%3Ac: 1', '%C3%A4: 2', '%41: 3', '%FF: 4'], { userProperties: user([['a b:c', '1'], ['ä', '2'], ['%41', '3'], ['%FF', '4']]) }],
    ['names of Object.prototype', ['__proto__: 1', '__proto__: 2', 'constructor: 3', 'constructor: 4', 'toString: 5', '1: 6'], {
      userProperties: user([['1', '6'], ['__proto__', ['1', '2']], ['constructor', ['3', '4']], ['toString', '5']])
    }],
    ['what MQTT has no text for', ['A: \xff', 'B: \0', '\xff: 1', 'C: \xed\xa0\x80', 'D\0: 1', `E: ${long}x`, `${long}x: 1`, 'F: 1'], { userProperties: user([['F', '1']]) }],
    ['the longest', [`A: ${long}`, `${long}: 1`], { userProperties: user([['A', long], [long, '1']]) }],
    ['no headers', ['no colon', ': no name', ''], {}],
    ['ours', ['nmqtt-content-type: text/\xc3\xbc', 'Nmqtt-Correlation-Data: AP8=', 'NMQTT-PAYLOAD-FORMAT: 1', 'Nmqtt-Expiry: 4294967295'], {
      contentType: 'text/ü', correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true, messageExpiryInterval: 4_294_967_295
    }],
    ['ours that say nothing', ['Nmqtt-QoS: 1', 'Nmqtt-Retain: true', 'Nmqtt-Pub: 2', 'Nmqtt-Id: b:1', 'Nmqtt-What: x'], {}],
    ['ours that are wrong', ['Nmqtt-Content-Type: \xff', 'Nmqtt-Correlation-Data: ', 'Nmqtt-Payload-Format: yes', 'Nmqtt-Expiry: 4294967296', 'Nmqtt-Expiry: -1', 'Nmqtt-Expiry: 1.5', 'Nmqtt-Expiry: 0x10'], {}],
    ['the last of ours', ['Nmqtt-Expiry: 1', 'Nmqtt-Expiry: 0', 'Nmqtt-Payload-Format: 1', 'Nmqtt-Payload-Format: 0'], { messageExpiryInterval: 0, payloadFormatIndicator: false }]
  ]
  for (const [what, lines, properties] of rows) {
    // tap loses its way at `__proto__`.
    assert.deepEqual(propertiesOf(lines.length === 0 ? '' : block(...lines), null), properties, what)
    assert.deepEqual(propertiesOf(block(...lines), 'r/1'), { ...properties, responseTopic: 'r/1' })
    t.pass(what)
  }
  t.strictSame(propertiesOf('NATS/1.0 503\r\n\r\n', null), {})
  t.strictSame(propertiesOf('NATS/1.0 100 Idle Heartbeat\r\nA: 1\r\n\r\n', null), { userProperties: user([['A', '1']]) })
  t.strictSame(propertiesOf('rubbish', null), {})
})

/** What an MQTT 5 client sends, or gets: through mqtt-packet. */
function overTheWire (properties: PacketProperties): PacketProperties {
  const stream = new PassThrough()
  mqttPacket.writeToStream({ cmd: 'publish', topic: 'a', payload: '', qos: 0, retain: false, dup: false, properties: properties as object }, stream, { protocolVersion: 5 })
  const parser = mqttPacket.parser({ protocolVersion: 5 })
  let parsed: PacketProperties | undefined
  parser.on('packet', (packet) => { parsed = (packet as unknown as PublishPacket).properties })
  parser.parse(stream.read() as Buffer)
  return parsed ?? {}
}

const mqttText = fc.string({ unit: fc.oneof(fc.constantFrom('%', '2', '0', ':', ' ', 'ä', '\x01', '\u{1f600}'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }).filter((unit) => !unit.includes('\0'))), maxLength: 12 })
const mqttName = fc.oneof(mqttText.filter((name) => name !== '' && !/^nmqtt-[^]/i.test(name)), fc.constantFrom('__proto__', 'constructor', '1'))
// What a header's value can be, as clients write it: one line without blanks around it. mqtt-packet forgets an empty first value.
const line = mqttText.map((text) => text.replace(/[\0-\x1f\x7f]/g, '-').trim()).filter((text) => text !== '') // eslint-disable-line no-control-regex -- those are not for headers

t.test('user properties come back from NATS as they were, names and order too', async (t) => {
  fc.assert(fc.property(fc.array(fc.tuple(mqttName, fc.oneof(line, fc.array(line, { minLength: 2, maxLength: 4 }))), { minLength: 1, maxLength: 6 }), (pairs) => {
    const properties = overTheWire({ userProperties: user(pairs) })
    const there = headerOf(packetWith(properties), false, false)
    assert.deepEqual(overTheWire(propertiesOf(there, null)), properties)
  }), { numRuns: 1000 })
  t.pass('all runs')
})

t.test('all of an MQTT 5 message comes back from NATS', async (t) => {
  fc.assert(fc.property(fc.record({
    contentType: line,
    correlationData: fc.uint8Array({ minLength: 1, maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: fc.integer({ min: 0, max: 0xffff_ffff })
  }, { requiredKeys: [], noNullPrototype: true }), (properties) => {
    assert.deepEqual(propertiesOf(headerOf(packetWith(properties, { qos: 1 }), false, false), null), properties)
  }), { numRuns: 500 })
  t.pass('all runs')
})

t.test('how headers say to publish', async (t) => {
  const retained = retainFlag
  const rows: [string[], number, number][] = [
    [[], 0, 0], [[], 5, 5], [['A: 1'], 2, 2],
    [['Nmqtt-QoS: 1'], 0, 1], [['nmqtt-qos:2'], 1, 2], [['NMQTT-QOS:  0 '], 2 | retained, retained],
    [['Nmqtt-QoS: 3'], 1, 1], [['Nmqtt-QoS: 11'], 0, 0], [['Nmqtt-QoS: '], 1, 1], [['Nmqtt-QoS: -1'], 0, 0], [['Nmqtt-QoS: 1', 'Nmqtt-QoS: 2'], 0, 2],
    [['Nmqtt-Retain: true'], 1, 1 | retained], [['Nmqtt-Retain: TRUE', 'Nmqtt-QoS: 2'], 0, 2 | retained], [['Nmqtt-Retain: false'], 1 | retained, 1],
    [['Nmqtt-Retain: 1'], 0, 0], [['Nmqtt-Retain: '], retained, retained],
    [['X-Nmqtt-QoS: 1', 'A: Nmqtt-QoS: 1'], 0, 0]
  ]
  for (const [lines, otherwise, publishing] of rows) t.equal(publishingOf(block(...lines), otherwise), publishing, lines.join())
  t.equal(publishingOf('', 1), 1)
  t.equal(publishingOfPacket(packetWith(undefined, { qos: 2, retain: true })), 2 | retained)
  t.equal(publishingOfPacket(packetWith(undefined, { qos: 1 })), 1)
})

t.test('the answer to a request returns its correlation data', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 1024 }), fc.constantFrom('', block('A: 1'), 'NATS/1.0 200 OK\r\nA: 1\r\n\r\n'), (bytes, header) => {
    const subject = replySubject('devices.1.answer', bytes)
    assert.ok(isCorrelated(subject))
    assert.match(subject, /^_MQTT_REPLY\.[\w-]+\.devices\.1\.answer$/)
    const answer = uncorrelated(messageWith(subject, 'r', header, 'payload'))
    assert.deepEqual([answer.subject, answer.reply, answer.body], ['devices.1.answer', 'r', 'payload'])
    assert.deepEqual(propertiesOf(answer.header, null), { ...propertiesOf(header, null), correlationData: Buffer.from(bytes) })
    assert.ok(answer.header.startsWith(header.slice(0, header.indexOf('\r\n'))))
  }), { numRuns: 300 })
  t.equal(replySubject('a', Buffer.alloc(0)), 'a')
  t.equal(replySubject('a', Buffer.alloc(1025)), 'a', 'its reply would not fit into a line')
  for (const subject of ['_MQTT_REPLY.', '_MQTT_REPLY.x', '_MQTT_REPLY..a', '_MQTT_REPLY.*.a']) {
    const message = messageWith(subject, '', '', '')
    t.equal(uncorrelated(message), message, subject)
  }
  t.notOk(isCorrelated('_INBOX.a'))
})

t.test('the first rule that matches counts', async (t) => {
  const rules = new PublishRules({ 'alarms.fire': { qos: 2, retain: true }, 'alarms.>': { qos: 1 }, '*.ü': { retain: true }, 'state.*': { retain: true }, '>': {} })
  const rows: [string, number][] = [
    ['alarms.fire', 2 | retainFlag], ['alarms.flood', 1], ['alarms.fire.x', 1], ['alarms.\xc3\xbc', 1], ['x.\xc3\xbc', retainFlag], ['state.x', retainFlag], ['state', 0], ['other', 0]
  ]
  for (const [subject, publishing] of rows) t.equal(rules.publishingOf(subject), publishing, subject)
  t.equal(new PublishRules({ '>': { qos: 1 }, 'alarms.>': { qos: 2 } }).publishingOf('alarms.x'), 1)
  t.equal(new PublishRules({ a: { qos: 1 } }).publishingOf('b'), 0)
  t.equal(new PublishRules({}).publishingOf('a'), 0)
})
