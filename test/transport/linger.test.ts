import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import mqttPacket from 'mqtt-packet'
import t from 'tap'
import { lingering } from '../../lib/transport/linger.ts'
import { versions, type AnyAedes, type Teardown } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'

type Qos = 0 | 1 | 2
type Protocol = 4 | 5
type Wrap = (socket: Duplex) => Duplex

// Aedes 1 refuses more than 1,000 QoS 2 messages whose PUBREL is missing, and this publisher never sends one.
const unlimited = { maxInflightInbound: 0 } as object

const topic = 't'

let publishers = 0

/**
 * All that a publisher sends: `count` messages, each of which holds its number. Its client id is new, since Aedes 2 takes
 * a QoS 2 message for a duplicate where an earlier connection of that id has left one without PUBREL.
 */
function script (protocolVersion: Protocol, qos: Qos, count: number): { connect: Buffer, rest: Buffer } {
  const options = { protocolVersion }
  const rest = []
  for (let i = 0; i < count; i++) {
    rest.push(mqttPacket.generate({ cmd: 'publish', topic, payload: String(i), qos, messageId: i % 65_535 + 1, dup: false, retain: false }, options))
  }
  rest.push(mqttPacket.generate({ cmd: 'disconnect', reasonCode: 0 }, options))
  return {
    connect: mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean: true, clientId: `publisher-${++publishers}`, keepalive: 60 }, options),
    rest: Buffer.concat(rest)
  }
}

async function serve (t: Teardown, broker: AnyAedes, wrap: Wrap): Promise<net.Server> {
  const server = net.createServer({ noDelay: true }, (socket) => { broker.handle(wrap(socket)) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return server
}

function portOf (server: net.Server): number {
  return (server.address() as AddressInfo).port
}

/** A connection whose client never reads, from both sides. */
async function connectUnread (server: net.Server): Promise<{ client: Socket, accepted: Socket }> {
  const client = new net.Socket()
  client.pause()
  client.on('error', () => {})
  client.connect(portOf(server), '127.0.0.1')
  const [[accepted]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(client, 'connect')])
  return { client, accepted }
}

async function sent (socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise((resolve) => { socket.write(bytes, resolve) })
}

// A reset throws away what is still in the kernel of the sender: more than a receiver's kernel takes has to be awaited.
async function arrived (socket: Socket, bytes: number): Promise<void> {
  if (bytes < 30_000) return
  while (socket.bytesRead < bytes) await once(socket, 'data')
}

/** The ways to leave without reading. */
const leave: Record<string, (server: net.Server, connect: Buffer, rest: Buffer) => Promise<void>> = {
  'all at once, FIN': async (server, connect, rest) => {
    const { client } = await connectUnread(server)
    client.end(Buffer.concat([connect, rest]), () => { client.destroy() })
  },
  'all at once, reset': async (server, connect, rest) => {
    const { client, accepted } = await connectUnread(server)
    await sent(client, Buffer.concat([connect, rest]))
    await arrived(accepted, connect.length + rest.length)
    client.resetAndDestroy()
  },
  'after CONNACK, reset': async (server, connect, rest) => {
    const { client, accepted } = await connectUnread(server)
    client.write(connect)
    client.resume()
    await once(client, 'data')
    client.pause()
    await sent(client, rest)
    await arrived(accepted, connect.length + rest.length)
    client.resetAndDestroy()
  }
}

for (const { name, mqtt5, create } of versions) {
  for (const protocol of (mqtt5 ? [4, 5] : [4]) as Protocol[]) {
    for (const qos of [0, 1, 2] as Qos[]) {
      t.test(`${name}: a publisher that closes without reading loses nothing: MQTT ${protocol === 5 ? '5' : '3.1.1'}, QoS ${qos}`, async (t) => {
        const broker = await create(unlimited)
        t.teardown(() => { broker.close() })
        const server = await serve(t, broker, lingering)
        const subscriber = await connectMqtt(t, `mqtt://127.0.0.1:${portOf(server)}`, { protocolVersion: protocol })
        await subscriber.subscribe(topic, { qos })
        for (const count of [1, 100, 5000]) {
          for (const [how, go] of Object.entries(leave)) {
            const { connect, rest } = script(protocol, qos, count)
            const gone = once(broker, 'clientDisconnect')
            await go(server, connect, rest)
            await gone
            broker.publish({ cmd: 'publish', topic, payload: 'end', qos, dup: false, retain: false }, () => {})
            const received = await subscriber.take(count + 1)
            t.same(received.map((message) => message.payload.toString()), [...Array(count).keys(), 'end'].map(String), `${count} messages, ${how}`)
          }
        }
      })
    }
  }

  t.test(`${name}: loses the message by itself, and keeps it with the wrapper`, async (t) => {
    const broker = await create()
    t.teardown(() => { broker.close() })
    const received: string[] = []
    broker.subscribe(topic, (packet, done) => {
      received.push(packet.payload.toString())
      done()
    }, () => {})
    const play = async (wrap: Wrap): Promise<void> => {
      const [near, far] = duplexPair()
      const conn = wrap(near)
      broker.handle(conn)
      const { connect, rest } = script(4, 1, 1)
      far.end(Buffer.concat([connect, rest]))
      await once(conn, 'close')
    }
    await play((socket) => socket)
    t.same(received, [])
    await play(lingering)
    t.same(received, ['0'])
  })

  t.test(`${name}: refuses 100 packets behind CONNECT by itself, and takes them with the wrapper`, async (t) => {
    const broker = await create()
    t.teardown(() => { broker.close() })
    const { connect, rest } = script(4, 0, 100)
    const play = (wrap: Wrap): void => {
      const [near, far] = duplexPair()
      broker.handle(wrap(near))
      far.write(Buffer.concat([connect, rest]))
    }
    const refused = once(broker, 'connectionError')
    play((socket) => socket)
    const [, error] = await refused as [unknown, Error]
    t.equal(error.message, 'Client queue limit reached')
    let count = 0
    broker.subscribe(topic, (_packet, done) => {
      count++
      done()
    }, () => {})
    const gone = once(broker, 'clientDisconnect')
    play(lingering)
    await gone
    t.equal(count, 100)
  })
}
