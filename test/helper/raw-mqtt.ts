import net from 'node:net'
import mqttPacket, { type Packet } from 'mqtt-packet'
import type { Teardown } from './brokers.ts'
import { until } from './links.ts'

export type MqttVersion = 3 | 4 | 5

/** An MQTT client that sends packets as told, and keeps what it gets. */
export class RawMqtt {
  readonly got: Packet[] = []
  closed = false
  private readonly socket: net.Socket
  private readonly protocolVersion: MqttVersion

  constructor (socket: net.Socket, protocolVersion: MqttVersion) {
    this.socket = socket
    this.protocolVersion = protocolVersion
    const parser = mqttPacket.parser({ protocolVersion })
    parser.on('packet', (packet) => { this.got.push(packet) })
    socket.on('data', (bytes) => { parser.parse(bytes) })
    socket.on('error', () => {})
    socket.on('close', () => { this.closed = true })
  }

  /** Sends packets in one piece. */
  send (...packets: object[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => mqttPacket.generate(packet as Packet, { protocolVersion: this.protocolVersion }))))
  }

  publish (messageId: number, topic: string, payload = String(messageId), more: object = {}): object {
    return { cmd: 'publish', topic, payload, qos: 1, messageId, retain: false, dup: false, ...more }
  }

  /** The message ids of PUBACKs so far. */
  get acknowledged (): number[] {
    return this.got.flatMap((packet) => packet.cmd === 'puback' ? [packet.messageId as number] : [])
  }

  /** The next packet of a kind. */
  async take (cmd: string): Promise<Packet> {
    await until(() => this.closed || this.got.some((packet) => packet.cmd === cmd))
    const at = this.got.findIndex((packet) => packet.cmd === cmd)
    const [packet] = at === -1 ? [] : this.got.splice(at, 1)
    if (packet === undefined) throw new Error(`closed before ${cmd}`)
    return packet
  }

  /**
   * Sends packets, and resolves when they have been handled as far as they wait for nothing. In one piece, since Aedes
   * reads on only once what it has read is through.
   */
  async fence (...packets: object[]): Promise<void> {
    const before = this.got.filter(({ cmd }) => cmd === 'pingresp').length
    this.send(...packets, { cmd: 'pingreq' })
    await until(() => this.closed || this.got.filter(({ cmd }) => cmd === 'pingresp').length > before)
  }

  pause (): void { this.socket.pause() }
  destroy (): void { this.socket.destroy() }
}

/** Connects, and keeps the CONNACK. `more` is of the CONNECT. */
export async function connectRaw (t: Teardown, port: number, protocolVersion: MqttVersion, more: object = {}): Promise<RawMqtt> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  const client = new RawMqtt(socket, protocolVersion)
  client.send({ cmd: 'connect', protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT', protocolVersion, clean: true, clientId: `raw${port}${Math.random()}`.slice(0, 20), keepalive: 0, ...more })
  await until(() => client.got.length > 0)
  return client
}
