import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { inflateRawSync } from 'node:zlib'
import t from 'tap'
import { farewell } from '../../lib/client/farewell.ts'
import type { WebsocketStream } from '../../lib/transport/websocket-stream.ts'
import type { Teardown } from '../helper/brokers.ts'
import { dial, handshake, pair, startListener, type Rig } from './websocket-rig.ts'

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

/** All that a stream brings, and whether it has ended. */
function collect (stream: WebsocketStream): { text: string, isEnded: boolean } {
  const all = { text: '', isEnded: false }
  stream.on('data', (chunk: Buffer) => { all.text += chunk.toString('latin1') })
  stream.on('end', () => { all.isEnded = true })
  return all
}

interface Frame {
  readonly isFinal: boolean
  readonly isCompressed: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** Connects with headers of its own, and reads frames as they are on the wire. */
async function frames (t: Teardown, rig: Rig, headers: Readonly<Record<string, string>>): Promise<{ stream: WebsocketStream, until: (length: number) => Promise<Frame[]> }> {
  const socket = net.connect({ port: rig.port, host: '127.0.0.1' })
  t.teardown(() => { socket.destroy() })
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...handshake, ...headers }).map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n`)
  const { stream } = await rig.arrivals.next()
  let bytes = Buffer.alloc(0)
  const more = async (): Promise<void> => {
    const [chunk] = await once(socket, 'data') as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
  }
  const read = (): Frame | null => {
    const [first = 0, second = 0] = bytes
    const [from, length] = second < 126 ? [2, second] : second === 126 ? [4, bytes.length < 4 ? 0 : bytes.readUInt16BE(2)] : [10, bytes.length < 10 ? 0 : bytes.readUIntBE(4, 6)]
    if (bytes.length < from + length || bytes.length < from) return null
    const payload = bytes.subarray(from, from + length)
    bytes = bytes.subarray(from + length)
    return { isFinal: first >= 0x80, isCompressed: (first & 0x40) !== 0, opcode: first & 0xf, payload }
  }
  while (!bytes.includes('\r\n\r\n')) await more()
  bytes = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)
  const until = async (length: number): Promise<Frame[]> => {
    const all: Frame[] = []
    for (;;) {
      for (let frame = read(); frame !== null; frame = read()) all.push(frame)
      if (bytes.length === 0 && inflated(all).length >= length) return all
      await more()
    }
  }
  return { stream, until }
}

/** The bytes of whole messages. */
function inflated (frames: readonly Frame[]): Buffer {
  const messages: Buffer[] = []
  let parts: Buffer[] = []
  let isCompressed = false
  for (const frame of frames) {
    if (frame.opcode !== 0) isCompressed = frame.isCompressed
    parts.push(frame.payload)
    if (!frame.isFinal) continue
    messages.push(isCompressed ? inflateRawSync(Buffer.concat([...parts, Buffer.from([0, 0, 0xff, 0xff])]), { finishFlush: 2 }) : Buffer.concat(parts))
    parts = []
  }
  return Buffer.concat(messages)
}

const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const chrome = { 'User-Agent': 'Mozilla/5.0 (Macintosh) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36' }
const safari = { 'User-Agent': 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15' }

t.test('one binary message for each write', async (t) => {
  const { client, stream } = await pair(t, await startListener(t))
  const got: string[] = []
  client.on('message', (data, isBinary) => { got.push(`${isBinary} ${(data as Buffer).toString('latin1')}`) })
  stream.write('INFO \xe9\r\n', 'latin1')
  stream.cork()
  stream.write(Buffer.from('a'))
  stream.write('b', 'latin1')
  stream.uncork()
  stream.write('', 'latin1')
  stream.end('', 'latin1')
  await once(client, 'close')
  t.strictSame(got, ['true INFO \xe9\r\n', 'true a', 'true b'])
})

t.test('what the kernel takes at once is no longer pending', async (t) => {
  const { stream } = await pair(t, await startListener(t))
  stream.write('x'.repeat(10_000), 'latin1')
  t.equal(stream.writableLength, 0)
})

t.test('a client that does not read makes write return false, until it does', async (t) => {
  for (const compression of [false, true]) {
    const rig = await startListener(t, { compression })
    const { client, stream } = await pair(t, rig, { perMessageDeflate: compression })
    let got = 0
    client.on('message', (data) => { got += (data as Buffer).length })
    client.pause()
    const block = randomBytes(1_048_576)
    let isDrained = false
    stream.on('drain', () => { isDrained = true })
    let isReady = true
    for (let i = 0; i < 32; i++) isReady = stream.write(block)
    t.notOk(isReady)
    for (let i = 0; i < 20; i++) await turn()
    t.ok(stream.writableLength > 0)
    t.notOk(isDrained)
    client.resume()
    await once(stream, 'drain')
    t.equal(stream.writableLength, 0)
    stream.end()
    await once(client, 'close')
    t.equal(got, 32 * block.length)
  }
})

t.test('a stream that is not read makes the client wait', async (t) => {
  const { client, stream } = await pair(t, await startListener(t))
  const block = Buffer.alloc(65_536, 'x')
  for (let i = 0; i < 512; i++) client.send(block)
  while (stream.readableLength < block.length) await turn()
  for (let i = 0; i < 100; i++) await turn()
  t.ok(stream.readableLength < 4 * block.length, `${stream.readableLength}`)
  t.ok(client.bufferedAmount > 0)
  let got = 0
  stream.on('data', (chunk: Buffer) => {
    got += chunk.length
    stream.pause()
    setImmediate(() => { stream.resume() })
  })
  while (got < 512 * block.length) await turn()
  t.equal(got, 512 * block.length)
})

t.test('end says why', async (t) => {
  const rig = await startListener(t)
  const bye = async (close: (stream: WebsocketStream) => void): Promise<[string, number, string]> => {
    const { client, stream } = await pair(t, rig)
    let last = ''
    client.on('message', (data) => { last = String(data) })
    stream.resume()
    close(stream)
    const [code, text] = await once(client, 'close') as [number, Buffer]
    await once(stream, 'close')
    return [last, code, text.toString()]
  }
  t.strictSame(await bye((stream) => { stream.end('last') }), ['last', 1000, 'Client Closed'])
  t.strictSame(await bye((stream) => {
    stream.closeWith(1002, 'Protocol Violation')
    stream.end("-ERR 'Unknown Protocol Operation'\r\n", 'latin1')
  }), ["-ERR 'Unknown Protocol Operation'\r\n", 1002, 'Protocol Violation'])
  t.strictSame(await bye((stream) => {
    stream.closeWith(1008, 'x'.repeat(200))
    stream.end()
    farewell(stream, false)
  }), ['', 1008, `${'x'.repeat(120)}...`])
})

t.test('a client that does not answer the close frame is closed', async (t) => {
  const rig = await startListener(t)
  const { stream } = await frames(t, rig, {})
  stream.resume().end('last')
  await once(stream, 'close')
})

t.test('ends when the client closes, and takes no more', async (t) => {
  const { client, stream } = await pair(t, await startListener(t))
  const all = collect(stream)
  client.send('one')
  client.send(Buffer.from('two'))
  client.close(1000)
  client.once('close', () => { stream.write('to nobody') })
  await once(stream, 'end')
  t.equal(all.text, 'onetwo')
  stream.write('to nobody')
  stream.end()
  await once(stream, 'close')
})

t.test('ends when the connection does', async (t) => {
  const { client, stream } = await pair(t, await startListener(t))
  const all = collect(stream)
  client.send('one')
  client.terminate()
  stream.on('error', () => {})
  await Promise.race([once(stream, 'end'), once(stream, 'close')])
  t.equal(all.text, 'one')
})

t.test('an error of the socket is an error of the stream', async (t) => {
  const rig = await startListener(t)
  const { stream } = await pair(t, rig)
  const failure = new Error('broken')
  stream.socket.destroy(failure)
  const [error] = await once(stream, 'error') as [Error]
  t.equal(error, failure)
})

t.test('destroy closes without a word', async (t) => {
  const { client, stream } = await pair(t, await startListener(t))
  stream.destroy()
  t.equal((await once(client, 'close'))[0], 1006)
})

t.test('a message that is too large ends the connection with 1009', async (t) => {
  const rig = await startListener(t, {}, { maxPayload: 100_000, maxControlLine: 1000 })
  const { client, stream } = await pair(t, rig)
  const all = collect(stream)
  client.send(Buffer.alloc(800_000, 'x'))
  client.send(Buffer.alloc(800_001, 'y'))
  const [[error], [code]] = await Promise.all([once(stream, 'error'), once(client, 'close')])
  t.equal(error.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
  t.equal(code, 1009)
  t.equal(all.text.length, 800_000)
})

t.test('small payloads leave room for joined operations', async (t) => {
  const rig = await startListener(t, {}, { maxPayload: 10, maxControlLine: 1000 })
  const { client, stream } = await pair(t, rig)
  const all = collect(stream)
  client.send(Buffer.alloc(66_546, 'x'))
  client.send(Buffer.alloc(66_547, 'y'))
  const [[code]] = await Promise.all([once(client, 'close'), once(stream, 'error')])
  t.equal(code, 1009)
  t.equal(all.text.length, 66_546)
  rig.listener.reconfigure({ maxPayload: 11, maxControlLine: 1000 })
  const next = await pair(t, rig)
  const more = collect(next.stream)
  next.client.send(Buffer.alloc(66_547, 'y'))
  next.client.close()
  await once(next.stream, 'end')
  t.equal(more.text.length, 66_547)
})

t.test('what is inflated counts', async (t) => {
  const rig = await startListener(t, { compression: true }, { maxPayload: 100_000, maxControlLine: 1000 })
  const { client, stream } = await pair(t, rig)
  const all = collect(stream)
  client.send(Buffer.alloc(166_536, 'x'))
  client.send(Buffer.alloc(50_000_000, 'x'))
  const [[error], [code]] = await Promise.all([once(stream, 'error'), once(client, 'close')])
  t.match(error, { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  t.equal(code, 1009)
  t.equal(all.text.length, 166_536)
})

t.test('a garbled compressed message ends the connection with 1007', async (t) => {
  const rig = await startListener(t, { compression: true })
  const socket = net.connect({ port: rig.port, host: '127.0.0.1' })
  t.teardown(() => { socket.destroy() })
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${Object.entries({ ...handshake, ...offer }).map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n`)
  const { stream } = await rig.arrivals.next()
  let got = ''
  socket.on('data', (chunk) => { got += chunk.toString('latin1') })
  socket.write(Buffer.from([0xc2, 0x84, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]))
  await Promise.all([once(stream, 'error'), once(socket, 'end')])
  t.match(got, /\x88\x02\x03\xef$/) // eslint-disable-line no-control-regex -- a close frame is control characters
})

t.test('clients that are no browsers get a write as one frame, whatever its length', async (t) => {
  const { stream, until } = await frames(t, await startListener(t), {})
  stream.write(Buffer.alloc(100_000, 'x'))
  const all = await until(100_000)
  t.match(all, [{ isFinal: true, opcode: 2, isCompressed: false }])
  t.equal(all.length, 1)
})

t.test('only what is longer than 64 bytes is compressed', async (t) => {
  const { stream, until } = await frames(t, await startListener(t, { compression: true }), offer)
  stream.write(Buffer.alloc(64, 'x'))
  t.match(await until(64), [{ isCompressed: false }])
  stream.write(Buffer.alloc(65, 'x'))
  const all = await until(65)
  t.match(all, [{ isFinal: true, isCompressed: true }])
  t.ok((all[0]?.payload.length ?? 65) < 20)
  t.equal(inflated(all).length, 65)
})

t.test('compression is for clients that offer it', async (t) => {
  const { stream, until } = await frames(t, await startListener(t, { compression: true }), {})
  stream.write(Buffer.alloc(1000, 'x'))
  t.match(await until(1000), [{ isCompressed: false }])
})

t.test('browsers get frames of at most 4096 bytes', async (t) => {
  const bytes = randomBytes(100_000)
  const text = Buffer.alloc(100_000, 'telemetry ')
  const plain = await frames(t, await startListener(t), chrome)
  plain.stream.write(bytes)
  const messages = await plain.until(bytes.length)
  t.strictSame(messages.map(({ payload }) => payload.length), [...Array<number>(24).fill(4096), 1696])
  t.ok(messages.every(({ isFinal, opcode }) => isFinal && opcode === 2))
  t.ok(inflated(messages).equals(bytes))

  const rig = await startListener(t, { compression: true })
  for (const sent of [bytes, text]) {
    const { stream, until } = await frames(t, rig, { ...chrome, ...offer })
    stream.write(sent)
    const all = await until(sent.length)
    t.ok(all.every(({ payload }) => payload.length <= 4096), `${Math.max(...all.map(({ payload }) => payload.length))}`)
    t.strictSame(all.map(({ isFinal }) => isFinal).filter(Boolean).length, 1)
    t.ok(all.every(({ isCompressed }, i) => isCompressed === (i === 0)))
    t.ok(inflated(all).equals(sent))
  }

  const { stream, until } = await frames(t, rig, { ...safari, ...offer })
  stream.write(bytes)
  const all = await until(bytes.length)
  t.equal(all.length, 1)
  t.ok(inflated(all).equals(bytes))
})

t.test('a browser that reads slowly gets all of it', async (t) => {
  for (const compression of [false, true]) {
    const rig = await startListener(t, { compression })
    const client = dial(t, `ws://127.0.0.1:${rig.port}/`, { headers: chrome })
    const { stream } = await rig.arrivals.next()
    const sent = randomBytes(1_000_000)
    const got: Buffer[] = []
    client.on('message', (data) => { got.push(data as Buffer) })
    stream.cork()
    for (let at = 0; at < sent.length; at += 65_536) stream.write(sent.subarray(at, at + 65_536))
    stream.uncork()
    stream.end()
    await once(client, 'close')
    t.ok(Buffer.concat(got).equals(sent))
  }
})
