// An MQTT 3.1.1 connection that comes back by itself, for the processes of the crash tests: a library would resend,
// store and hide what they have to count.
import net from 'node:net'
import { generate, parser as createParser } from 'mqtt-packet'

// How long a broken connection rests before the next port is tried, in milliseconds.
const rest = 50

export class MqttLink {
  /**
   * Connects, and again after each end, to one port after the other.
   *
   * @param {{ ports: number[], clientId: string, clean: boolean }} place
   * @param {{ open (link: MqttLink): void, packet (packet: object): void, lost (): void }} owner `open` after CONNACK
   */
  constructor ({ ports, clientId, clean }, owner) {
    this.ports = ports
    this.hello = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean, keepalive: 0 })
    this.owner = owner
    this.attempt = 0
    this.socket = null
    this.isOpen = false
    this.isEnded = false
    this.connect()
  }

  connect () {
    const port = this.ports[this.attempt++ % this.ports.length]
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const parser = createParser({ protocolVersion: 4 })
    this.socket = socket
    parser.on('packet', (packet) => {
      if (packet.cmd !== 'connack') return this.owner.packet(packet)
      if (packet.returnCode !== 0) throw new Error(`CONNACK ${packet.returnCode}`)
      this.isOpen = true
      this.owner.open(this)
    })
    parser.on('error', () => socket.destroy())
    socket.on('connect', () => socket.write(this.hello))
    socket.on('data', (chunk) => parser.parse(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isOpen = false
      if (this.isEnded) return
      this.owner.lost()
      setTimeout(() => this.connect(), rest)
    })
  }

  /** @returns {boolean} whether the socket takes more at once */
  send (packet) {
    return this.socket.write(generate(packet))
  }

  /** Ends by DISCONNECT; resolves when the other side has closed. */
  end () {
    this.isEnded = true
    return new Promise((resolve) => {
      this.socket.once('close', resolve)
      if (this.isOpen) this.socket.end(generate({ cmd: 'disconnect' }))
      else this.socket.destroy()
    })
  }
}
