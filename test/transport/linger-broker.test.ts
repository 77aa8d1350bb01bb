import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'
import type { AedesOptions, AedesPublishPacket, Client } from 'aedes'
import mqttPacket, { type IConnectPacket, type Packet } from 'mqtt-packet'
import t from 'tap'
import { lingering, type LingeringSocket, type LingerOptions } from '../../lib/transport/linger.ts'
import { versions, type AnyAedes, type Teardown } from '../helper/brokers.ts'

type Create = (options?: AedesOptions) => Promise<AnyAedes>

const topic = 't'
let ids = 0

function connect (more: Partial<IConnectPacket> = {}): Buffer {
  return mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: `client-${++ids}`, keepalive: 0, ...more })
}

function publish (payload: string, qos: 0 | 1 = 1): Buffer {
  return mqttPacket.generate({ cmd: 'publish', topic, payload, qos, messageId: 1, dup: false, retain: false })
}

const disconnect = mqttPacket.generate({ cmd: 'disconnect' })
const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false } as const

interface Stage {
  readonly broker: AnyAedes
  /** The payloads that were published, in their order. */
  readonly payloads: string[]
}

async function stage (t: Teardown, create: Create, options: AedesOptions = {}): Promise<Stage> {
  const broker = await create(options)
  t.teardown(() => { broker.close() })
  const payloads: string[] = []
  const note = (packet: AedesPublishPacket, done: () => void): void => {
    payloads.push(packet.payload.toString())
    done()
  }
  broker.subscribe(topic, note, () => {})
  broker.subscribe('will', note, () => {})
  return { broker, payloads }
}

/** A client in memory. */
function attach (broker: AnyAedes, options: LingerOptions = {}): { stream: LingeringSocket, client: Duplex } {
  const [near, client] = duplexPair()
  client.on('error', () => {})
  const stream = lingering(near, options)
  broker.handle(stream)
  return { stream, client }
}

/** A client on TCP. */
async function attachTcp (t: Teardown, broker: AnyAedes, options: LingerOptions = {}): Promise<{ stream: LingeringSocket, socket: Socket, client: Socket }> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {})
  const [[socket]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(client, 'connect')])
  server.close()
  t.teardown(() => { client.destroy() })
  const stream = lingering(socket, options)
  broker.handle(stream)
  return { stream, socket, client }
}

/** The packets that a client receives. */
function packetsOf (client: Duplex): { next: () => Promise<Packet> } {
  const parser = mqttPacket.parser()
  const packets: Packet[] = []
  let wake: (() => void) | undefined
  parser.on('packet', (packet) => {
    packets.push(packet)
    wake?.()
  })
  client.on('data', (chunk: Buffer) => { parser.parse(chunk) })
  return {
    next: async () => {
      while (packets.length === 0) await new Promise<void>((resolve) => { wake = resolve })
      return packets.shift() as Packet
    }
  }
}

/** As `once`, but an 'error' before it does no harm. */
async function closed (stream: Duplex): Promise<void> {
  await new Promise<void>((resolve) => { stream.once('close', resolve) })
}

/** Waits until Aedes has published all that it was given, and wills have been decided. */
async function settled (broker: AnyAedes): Promise<void> {
  await new Promise((resolve) => { broker.publish({ cmd: 'publish', topic: 'fence', payload: '', qos: 1, dup: false, retain: false }, resolve) })
  await new Promise((resolve) => { setImmediate(resolve) })
}

for (const { name, create } of versions) {
  t.test(name, async (t) => {
    t.test('takes a CONNECT cut at every place', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const length = connect().length
      for (let cut = 1; cut < length; cut++) {
        const { client, stream } = attach(broker)
        const bytes = Buffer.concat([connect({ clientId: `cut-${cut}` }), publish(String(cut)), disconnect])
        const first = once(stream, 'readable')
        client.write(bytes.subarray(0, cut))
        await first
        client.end(bytes.subarray(cut))
        await closed(stream)
      }
      await settled(broker)
      t.same(payloads, [...Array(length).keys()].slice(1).map(String))
    })

    t.test('takes a stream byte by byte', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = attach(broker)
      for (const byte of Buffer.concat([connect(), publish('a'), publish('b'), disconnect])) client.write(Buffer.of(byte))
      await closed(stream)
      await settled(broker)
      t.same(payloads, ['a', 'b'])
    })

    t.test('takes many QoS 0 messages, although Aedes handles each while it still parses', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = attach(broker)
      const messages = [...Array(10_000).keys()].map(String)
      const bytes = Buffer.concat([connect(), ...messages.map((message) => publish(message, 0)), disconnect])
      for (let i = 0; i < bytes.length; i += 1000) client.write(bytes.subarray(i, i + 1000))
      await closed(stream)
      await settled(broker)
      t.same(payloads, messages)
    })

    t.test('closes on what is no MQTT, and on MQTT that does not begin with CONNECT', async (t) => {
      const { broker } = await stage(t, create)
      for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff]), publish('a'), disconnect]) {
        const { client, stream } = attach(broker)
        const refused = once(broker, 'connectionError')
        const gone = closed(stream)
        client.write(bytes)
        await Promise.all([refused, gone])
      }
    })

    t.test('ends a CONNECT that does not end by its own connectTimeout', async (t) => {
      const { broker } = await stage(t, create, { connectTimeout: 5 })
      const { client, stream } = attach(broker)
      client.write(connect().subarray(0, 10))
      const [, error] = await once(broker, 'connectionError') as [Client, Error]
      t.equal(error.message, 'connect did not arrive in time')
      t.equal(stream.destroyed, true)
    })

    t.test('answers a client that goes on behind CONNECT once that is silent', async (t) => {
      const { broker } = await stage(t, create)
      const { client } = attach(broker, { settleTime: 1 })
      const packets = packetsOf(client)
      client.write(Buffer.concat([connect(), publish('a')]))
      t.equal((await packets.next()).cmd, 'connack')
      t.equal((await packets.next()).cmd, 'puback')
    })

    t.test('takes no client for silent to whom it does not listen', async (t) => {
      const { broker, payloads } = await stage(t, create, {
        authorizePublish: (_client, packet, done) => { setTimeout(done, Number(packet.payload.toString().trim()), null) }
      })
      const { client } = attach(broker, { settleTime: 250, maxHeld: 1000 })
      client.write(connect())
      // Aedes takes half a second for each of these chunks, and reads the next one only then.
      const chunk = Buffer.concat([100, 200, 300, 400, 500].map((delay) => publish(String(delay).padEnd(4000))))
      for (let i = 0; i < 4; i++) client.write(chunk)
      client.write(disconnect)
      await once(client, 'data')
      t.ok(payloads.length >= 10, `${payloads.length} messages before the first answer`)
    })

    t.test('still answers a client that has ended its side', async (t) => {
      const { broker } = await stage(t, create)
      const { client } = await attachTcp(t, broker)
      const packets = packetsOf(client)
      client.end(Buffer.concat([connect(), publish('a')]))
      t.equal((await packets.next()).cmd, 'connack')
      t.equal((await packets.next()).cmd, 'puback')
    })

    t.test('refuses a client by authenticate, and publishes nothing of it', async (t) => {
      const { broker, payloads } = await stage(t, create, { authenticate: (_client, _user, _password, done) => { done(null, false) } })
      const { client, stream } = attach(broker)
      const packets = packetsOf(client)
      const gone = closed(stream)
      client.write(Buffer.concat([connect(), publish('a'), disconnect]))
      const packet = await packets.next()
      t.equal(packet.cmd === 'connack' && packet.returnCode, 5)
      await gone
      await settled(broker)
      t.same(payloads, [])
    })

    t.test('ends a client by keepalive', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = attach(broker)
      client.write(connect({ keepalive: 1, will }))
      const gone = closed(stream)
      await once(broker, 'keepaliveTimeout')
      await gone
      await settled(broker)
      t.same(payloads, ['gone'])
    })

    t.test('publishes the will of a client that ends or is reset, behind its messages', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const ended = attach(broker)
      ended.client.end(Buffer.concat([connect({ will }), publish('a')]))
      await once(ended.stream, 'close')
      await settled(broker)
      t.same(payloads.splice(0), ['a', 'gone'])

      const { client, stream } = await attachTcp(t, broker)
      const gone = closed(stream)
      const failed = once(broker, 'clientError')
      const packets = packetsOf(client)
      client.write(Buffer.concat([connect({ will }), publish('a')]))
      await packets.next()
      await packets.next()
      client.resetAndDestroy()
      const [, error] = await failed as [Client, NodeJS.ErrnoException]
      t.equal(error.code, 'ECONNRESET')
      await gone
      await settled(broker)
      t.same(payloads, ['a', 'gone'])
    })

    t.test('publishes no will of a client that said DISCONNECT', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = await attachTcp(t, broker)
      client.write(Buffer.concat([connect({ will }), publish('a'), disconnect]), () => { client.resetAndDestroy() })
      await closed(stream)
      await settled(broker)
      t.same(payloads, ['a'])
    })

    t.test('handles all messages before DISCONNECT, however long the hooks take', async (t) => {
      const { broker, payloads } = await stage(t, create, {
        authorizePublish: (_client, _packet, done) => { setImmediate(() => setImmediate(() => { done(null) })) }
      })
      const { client, stream } = attach(broker)
      const messages = [...Array(100).keys()].map(String)
      client.end(Buffer.concat([connect(), ...messages.map((message) => publish(message)), disconnect]))
      await closed(stream)
      await settled(broker)
      t.same(payloads, messages)
    })

    t.test('handles all messages before an end, however long the hooks take', async (t) => {
      const { broker, payloads } = await stage(t, create, {
        authorizePublish: (_client, _packet, done) => { setImmediate(() => setImmediate(() => { done(null) })) }
      })
      const { client, stream } = attach(broker)
      const messages = [...Array(100).keys()].map(String)
      client.end(Buffer.concat([connect(), ...messages.map((message) => publish(message))]))
      await closed(stream)
      await settled(broker)
      t.same(payloads, messages)
    })

    t.test('closes a client that ends inside a packet', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = attach(broker, { lingerTimeout: 1_000_000 })
      client.end(Buffer.concat([connect(), publish('a'), publish('b').subarray(0, 3)]))
      await closed(stream)
      await settled(broker)
      t.same(payloads, ['a'])
    })

    t.test('stops to wait for a hook that does not answer, and decides about the will as the client has asked', async (t) => {
      const { broker, payloads } = await stage(t, create, {
        authorizePublish: (_client, packet, done) => { if (packet.topic !== topic) done(null) }
      })
      for (const last of [disconnect, Buffer.alloc(0)]) {
        const { client, stream } = attach(broker, { lingerTimeout: 5 })
        client.end(Buffer.concat([connect({ will }), publish('a'), publish('b'), last]))
        await closed(stream)
        await settled(broker)
        t.same(payloads, last.length > 0 ? [] : ['gone'])
      }
    })

    t.test('stops to wait for an authentication that does not answer', async (t) => {
      const { broker } = await stage(t, create, { authenticate: () => {} })
      const { client, stream } = attach(broker, { lingerTimeout: 5 })
      client.end(Buffer.concat([connect(), publish('a'), disconnect]))
      await closed(stream)
      t.pass('destroyed')
    })

    t.test('reads what the kernel has received, although a write fails before', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, stream } = await attachTcp(t, broker)
      const packets = packetsOf(client)
      client.write(connect())
      await packets.next()
      const messages = [...Array(1000).keys()].map(String)
      // All in one breath, so that the write meets the reset in front of the read.
      client.write(Buffer.concat([...messages.map((message) => publish(message)), disconnect]))
      client.resetAndDestroy()
      stream.write(Buffer.alloc(100_000))
      await closed(stream)
      await settled(broker)
      t.same(payloads, messages)
    })

    t.test('takes all of a client on TLS that is reset', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const psk = { psk: Buffer.from('00112233', 'hex'), identity: 'test' }
      const options = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
      const server = tls.createServer({ ...options, pskCallback: () => psk.psk })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => { server.close() })
      const wire = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
      wire.on('error', () => {})
      const client = tls.connect({ ...options, socket: wire, pskCallback: () => psk, checkServerIdentity: () => undefined })
      client.on('error', () => {})
      const [[socket]] = await Promise.all([once(server, 'secureConnection') as Promise<[TLSSocket]>, once(client, 'secureConnect')])
      const stream = lingering(socket)
      broker.handle(stream)
      t.equal(stream.encrypted, true)
      const gone = closed(stream)
      const messages = [...Array(100).keys()].map(String)
      client.write(Buffer.concat([connect(), ...messages.map((message) => publish(message)), disconnect]), () => { wire.resetAndDestroy() })
      await gone
      await settled(broker)
      t.same(payloads, messages)
    })

    t.test('gives a slow subscriber all of 20 MB, and waits for it', async (t) => {
      const { broker } = await stage(t, create)
      const { client, stream } = await attachTcp(t, broker)
      const packets = packetsOf(client)
      client.write(Buffer.concat([connect(), mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] })]))
      t.equal((await packets.next()).cmd, 'connack')
      t.equal((await packets.next()).cmd, 'suback')
      client.pause()
      let published = 0
      for (let i = 0; i < 400; i++) {
        broker.publish({ cmd: 'publish', topic, payload: Buffer.alloc(50_000, i), qos: 0, dup: false, retain: false }, () => { published++ })
      }
      client.once('resume', () => { t.ok(published < 400) })
      while (!stream.writableNeedDrain) await new Promise((resolve) => { setImmediate(resolve) })
      t.ok(stream.writableLength > 0)
      client.resume()
      for (let i = 0; i < 400; i++) {
        const packet = await packets.next() as AedesPublishPacket
        t.same(packet.payload, Buffer.alloc(50_000, i))
      }
    })

    t.test('closes the socket when it closes the client, and leaves no timer', async (t) => {
      const { broker } = await stage(t, create)
      const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
      const before = timers()
      const { client, socket } = await attachTcp(t, broker)
      const ready = once(broker, 'clientReady')
      client.write(Buffer.concat([connect(), publish('a'), disconnect.subarray(0, 1)]))
      const [ours] = await ready as [Client]
      const ended = closed(client)
      client.resume()
      ours.close()
      await ended
      t.equal(socket.destroyed, true)
      t.equal(timers(), before)
    })

    t.test('closes the client when its host destroys the socket', async (t) => {
      const { broker, payloads } = await stage(t, create)
      const { client, socket, stream } = await attachTcp(t, broker)
      const packets = packetsOf(client)
      client.write(connect({ will }))
      await packets.next()
      socket.destroy()
      await closed(stream)
      await settled(broker)
      t.same(payloads, ['gone'])
    })
  })
}
