import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { Duplex, duplexPair } from 'node:stream'
import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { lingering, type LingeringSocket } from '../../lib/transport/linger.ts'
import type { Teardown } from '../helper/brokers.ts'

const connect: Packet = { cmd: 'connect', clientId: 'c', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 }

function bytesOf (...packets: Packet[]): Buffer {
  return Buffer.concat(packets.map((packet) => mqttPacket.generate(packet)))
}

/** A stream whose bytes are seen below as they are written. */
class Wire extends Duplex {
  readonly written: string[] = []
  /** Set: writes wait until it is called. */
  next: (() => void) | undefined
  isSlow = false

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk.toString())
    if (this.isSlow) this.next = done
    else done()
  }

  override _writev (chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done)
  }
}

async function turn (): Promise<void> {
  await new Promise((resolve) => { setImmediate(resolve) })
}

async function tick (): Promise<void> {
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
}

async function tcpPair (t: Teardown): Promise<[Socket, Socket]> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[socket]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(client, 'connect')])
  server.close()
  t.teardown(() => {
    client.destroy()
    socket.destroy()
  })
  return [socket, client]
}

async function readAll (stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function kernelError (syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ECONNRESET`), { code: 'ECONNRESET', syscall })
}

t.test('options out of their range are refused', (t) => {
  const [socket] = duplexPair()
  t.throws(() => lingering(socket, { lingerTimeout: 0 }), { code: 'NATS_ERR_OPTION', message: "option 'lingerTimeout' is 0: allowed is a whole number from 1 to 2147483647" })
  t.throws(() => lingering(socket, { maxHeld: 1.5 }), { code: 'NATS_ERR_OPTION' })
  t.throws(() => lingering(socket, { settleTime: -1 }), { code: 'NATS_ERR_OPTION' })
  t.throws(() => lingering(socket, { settleTime: 2 ** 31 }), { code: 'NATS_ERR_OPTION' })
  t.end()
})

t.test('any reader gets all bytes and the end', async (t) => {
  const [near, far] = duplexPair()
  const bytes = bytesOf(connect, { cmd: 'pingreq' }, { cmd: 'disconnect' }, { cmd: 'pingreq' })
  far.end(bytes)
  far.resume()
  const stream = lingering(near)
  t.same(await readAll(stream), bytes)
  t.equal(stream.destroyed, true)
})

t.test('a stream that may not be half open ends its side behind the other', async (t) => {
  const [socket, client] = await tcpPair(t)
  const stream = lingering(socket)
  stream.resume()
  client.resume()
  client.end()
  await once(stream, 'close')
  t.equal(socket.destroyed, true)
})

t.test('a stream that may be half open writes on behind the end', async (t) => {
  const [near, far] = duplexPair()
  near.allowHalfOpen = true
  const stream = lingering(near)
  far.end()
  stream.resume()
  await once(stream, 'end')
  stream.end('still here')
  t.equal((await readAll(far)).toString(), 'still here')
})

t.test('small writes of a tick leave together', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  stream.cork()
  t.equal(stream.write(Buffer.from('a')), true)
  t.equal(stream.write('b'), true)
  t.equal(stream.write('ü', 'utf8'), true)
  t.equal(stream.write('63', 'hex'), true)
  t.equal(stream.write(Buffer.from('a part of more than sixteen bytes')), true)
  stream.uncork()
  t.equal(stream.writableLength, 38)
  t.same(wire.written, [])
  await tick()
  t.same(wire.written, ['abüca part of more than sixteen bytes'])
  t.equal(stream.writableLength, 0)
})

t.test('a single write leaves as it is', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  stream.write('alone')
  await tick()
  t.same(wire.written, ['alone'])
})

t.test('later writes of a turn leave at its end, and so does what follows in the next one', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  stream.write('a')
  await tick()
  t.same(wire.written, ['a'])
  stream.write('b')
  await tick()
  stream.write('c')
  await tick()
  t.same(wire.written, ['a'])
  await turn()
  t.same(wire.written, ['a', 'bc'])
})

t.test('several streams leave at the end of the same tick and turn', async (t) => {
  const wires = [new Wire(), new Wire(), new Wire()]
  const streams = wires.map((wire) => lingering(wire))
  for (const text of ['a', 'b']) {
    for (const stream of streams) stream.write(text)
    await tick()
  }
  t.same(wires.map((wire) => wire.written), [['a'], ['a'], ['a']])
  await turn()
  t.same(wires.map((wire) => wire.written), [['a', 'b'], ['a', 'b'], ['a', 'b']])
})

t.test('callbacks are called when the socket has written', async (t) => {
  const wire = new Wire()
  wire.isSlow = true
  const stream = lingering(wire)
  const done: string[] = []
  stream.write('a', () => { done.push('a') })
  stream.write('b')
  stream.write('c', 'utf8', () => { done.push('c') })
  await turn()
  t.same(done, [])
  wire.next?.()
  await turn()
  t.same(done, ['a', 'c'])
})

t.test('callbacks of what nobody will read are called', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  const written = new Promise((resolve) => { stream.write('a', resolve) })
  wire.destroy()
  wire.emit('close')
  await written
  await new Promise((resolve) => { stream.write('b', resolve) })
  t.same(wire.written, [])
})

t.test('a long write leaves at once, behind what was written before', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  const long = 'x'.repeat(10_000)
  stream.write('a')
  t.equal(stream.write(long), true)
  t.same(wire.written, [`a${long}`])
  await turn()
  t.same(wire.written, [`a${long}`])
})

t.test('a write returns false when the socket is full, and drain follows', async (t) => {
  const wire = new Wire({ highWaterMark: 100 })
  wire.isSlow = true
  const stream = lingering(wire)
  let drains = 0
  stream.on('drain', () => { drains++ })
  t.equal(stream.writableHighWaterMark, 100)
  t.equal(stream.write('x'.repeat(99)), true)
  t.equal(stream.write('x'), false)
  t.equal(stream.writableNeedDrain, true)
  t.equal(stream.writableLength, 100)
  t.equal(stream.write('y'), false)
  wire.isSlow = false
  wire.next?.()
  t.equal(drains, 0)
  await once(stream, 'drain')
  t.equal(drains, 1)
  t.equal(stream.writableNeedDrain, false)
  t.equal(stream.writableLength, 0)
  await turn()
  t.same(wire.written, ['x'.repeat(100), 'y'])
})

t.test('a write that a socket takes at once returns true, however long it is', async (t) => {
  const wire = new Wire({ highWaterMark: 100 })
  const stream = lingering(wire)
  t.equal(stream.write('x'.repeat(200)), true)
  t.equal(stream.writableNeedDrain, false)
  stream.on('drain', () => { t.fail('nobody waits') })
  await turn()
})

t.test('what cannot be written is refused as by any stream', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  t.throws(() => stream.write(5), { code: 'ERR_INVALID_ARG_TYPE' })
  stream.end('last')
  const failed = once(stream, 'error') as Promise<[NodeJS.ErrnoException]>
  t.equal(stream.write('more'), false)
  t.equal((await failed)[0].code, 'ERR_STREAM_WRITE_AFTER_END')
  t.same(wire.written, ['last'])
})

t.test('what was written before destroy is sent', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  stream.write('farewell')
  stream.destroy()
  t.same(wire.written, ['farewell'])
  t.equal(wire.destroyed, true)
  await once(stream, 'close')
})

t.test('an error of destroy reaches both streams', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  const wanted = new Error('enough')
  const failures = Promise.all([once(wire, 'error'), once(stream, 'error')])
  stream.destroy(wanted)
  t.same(await failures, [[wanted], [wanted]])
})

t.test('answers to a client that goes on behind CONNECT wait until it is silent', async (t) => {
  const wire = new Wire({ highWaterMark: 100 })
  const stream = lingering(wire, { settleTime: 300 })
  await feed(wire, stream, bytesOf(connect, { cmd: 'pingreq' }))
  t.equal(stream.write('connack'), true)
  t.equal(stream.write('x'.repeat(9_000)), true, 'what is held does not count')
  await turn()
  t.same(wire.written, [])
  wire.push(bytesOf({ cmd: 'pingreq' }))
  while (wire.written.length === 0) await turn()
  t.same(wire.written, [`connack${'x'.repeat(9_000)}`])
})

t.test('answers that are too many wait for drain', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire, { settleTime: 300, maxHeld: 2000 })
  await feed(wire, stream, bytesOf(connect, { cmd: 'pingreq' }))
  t.equal(stream.write('x'.repeat(20_000)), false)
  t.same(wire.written, [])
  await once(stream, 'drain')
  t.same(wire.written, ['x'.repeat(20_000)])
})

t.test('answers wait no longer than to the end of the client', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire, { settleTime: 1_000_000 })
  await feed(wire, stream, bytesOf(connect, { cmd: 'pingreq' }))
  stream.write('x'.repeat(2_000_000), () => { t.pass('written') })
  t.equal(stream.writableNeedDrain, true)
  wire.push(null)
  await once(stream, 'drain')
  t.equal(wire.written.length, 1)
  stream.destroy()
})

t.test('answers to a client that never stops wait for a limited time', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire, { settleTime: 1 })
  await feed(wire, stream, bytesOf(connect, { cmd: 'pingreq' }))
  stream.resume()
  stream.write('connack')
  while (wire.written.length === 0) {
    wire.push(bytesOf({ cmd: 'pingreq' }))
    await turn()
  }
  t.same(wire.written, ['connack'])
  stream.destroy()
})

t.test('answers do not wait with settleTime 0', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire, { settleTime: 0 })
  await feed(wire, stream, bytesOf(connect, { cmd: 'pingreq' }))
  stream.write('connack')
  await tick()
  t.same(wire.written, ['connack'])
})

t.test('answers that a parting client does not read are thrown away', async (t) => {
  const wire = new Wire({ highWaterMark: 10 })
  wire.isSlow = true
  const stream = lingering(wire)
  wire.push(bytesOf({ cmd: 'disconnect' }))
  await turn()
  t.equal(stream.write('x'.repeat(20)), true)
  await new Promise((resolve) => { stream.write('y', resolve) })
  t.equal(stream.writableNeedDrain, false)
  wire.next?.()
  await turn()
  t.same(wire.written, ['x'.repeat(20)])
  stream.destroy()
})

t.test('a client that sends 10 MB is paused until it is read', async (t) => {
  const [socket, client] = await tcpPair(t)
  const maxHeld = 200_000
  const stream = lingering(socket, { maxHeld })
  const bytes = Buffer.alloc(10_000_000)
  for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251
  client.end(Buffer.concat([Buffer.from([0x30, 0x80, 0xad, 0xe2, 0x04]), bytes]))
  await once(socket, 'pause')
  t.ok(socket.bytesRead < maxHeld + 2 * 65_536)
  const all = await readAll(stream)
  t.equal(all.length, bytes.length + 5)
  t.equal(all.subarray(5).equals(bytes), true)
})

t.test('a socket that is closed before it is wrapped closes the stream', async (t) => {
  const [destroyed] = duplexPair()
  destroyed.destroy()
  await once(lingering(destroyed), 'close')
  const [near, far] = duplexPair()
  far.end()
  near.resume()
  await once(near, 'end')
  await once(lingering(near), 'close')
  t.pass('closed')
})

t.test('an error that is none of the kernel comes behind the bytes before it', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  wire.push(bytesOf({ cmd: 'pingreq' }))
  await turn()
  const wanted = new Error('cut')
  wire.destroy(wanted)
  await turn()
  t.equal(stream.destroyed, false)
  t.equal(stream.write('to nobody'), true)
  const failed = once(stream, 'error')
  t.same(stream.read(), bytesOf({ cmd: 'pingreq' }))
  t.same(await failed, [wanted])
})

t.test('what a failed socket still reads comes before its error', async (t) => {
  const wire = new Wire({ highWaterMark: 100 })
  const stream = lingering(wire, { maxHeld: 1000 })
  const pings = Array<Packet>(30).fill({ cmd: 'pingreq' })
  let sent = 0
  const push = (): boolean => {
    sent++
    return wire.push(bytesOf(...pings))
  }
  for (let i = 0; i < 6; i++) push()
  await turn()
  t.equal(wire.isPaused(), true)
  push()
  wire.destroy(kernelError('write'))
  t.equal(wire.destroyed, false)
  t.equal(push(), false, 'enough is held')
  const failed = once(stream, 'error') as Promise<[Error]>
  let read = 0
  stream.on('data', (chunk: Buffer) => { read += chunk.length })
  await turn()
  t.equal(read, sent * 60)
  t.equal(push(), true)
  wire.push(null)
  t.equal((await failed)[0].message, 'write ECONNRESET')
  t.equal(read, sent * 60)
  t.equal(wire.destroyed, true)
})

t.test('a failed write behind the end of the client is no error', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  wire.push(bytesOf({ cmd: 'pingreq' }))
  wire.push(null)
  await turn()
  wire.destroy(kernelError('write'))
  t.equal(stream.destroyed, false)
  stream.on('error', () => { t.fail('no error') })
  stream.resume()
  await once(stream, 'close')
})

t.test('a failed read tells that nothing more comes', async (t) => {
  const wire = new Wire()
  const stream = lingering(wire)
  wire.push(bytesOf({ cmd: 'pingreq' }))
  await turn()
  wire.destroy(kernelError('read'))
  const failed = once(stream, 'error') as Promise<[Error]>
  stream.resume()
  t.equal((await failed)[0].message, 'read ECONNRESET')
  wire.destroy(kernelError('read'))
})

t.test('the details of the socket are those of the stream', async (t) => {
  const [socket, client] = await tcpPair(t)
  const stream = lingering(socket)
  t.equal(stream.socket, socket)
  t.equal(stream.remoteAddress, '127.0.0.1')
  t.equal(stream.remotePort, client.localPort)
  t.equal(stream.localPort, client.remotePort)
  t.same(stream.address?.(), socket.address())
  t.equal(stream.setKeepAlive?.(true, 1000), stream)
  t.equal(stream.setNoDelay?.(), stream)
  t.equal(stream.encrypted, undefined)
  const [near] = duplexPair()
  t.equal(lingering(near).remoteAddress, undefined)
})

t.test('a timeout of the socket is one of the stream', async (t) => {
  const [socket] = await tcpPair(t)
  const stream = lingering(socket)
  stream.setTimeout?.(1)
  await once(stream, 'timeout')
  t.equal(stream.timeout, 1)
})

/** Lets a reader take all that it may have. */
async function feed (wire: Wire, stream: LingeringSocket, bytes: Buffer): Promise<void> {
  wire.push(bytes)
  await turn()
  stream.read()
}
