// Raw clients: they write prebuilt bytes and count frames, so that the server is what is measured and not a library.
import net from 'node:net'
import { mqttConnect, mqttPing, mqttSubscribe, natsConnect, natsPing, natsPong } from './frames.js'

// One read buffer for all sockets: what is in it is counted before the next read, and nothing is kept.
const shared = Buffer.allocUnsafe(256 * 1024)

class Client {
  // `fail(error)` is called for whatever must not happen to a connection of a benchmark.
  constructor (port, fail) {
    this.fail = fail
    this.frame = null // the frame that is counted
    this.head = -1 // its first byte
    this.size = 0
    this.checked = false
    this.got = 0
    this.want = 0
    this.rest = 0 // bytes of the last counted frame that are still to come
    this.inControl = false // within something that is not a counted frame
    this.onchunk = null
    this.waiting = []
    this.ended = false
    this.socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: { buffer: shared, callback: (n, bytes) => { this.read(n, bytes); return true } }
    })
    this.socket.setNoDelay(true)
    this.socket.on('error', (error) => this.broken(error.message))
    this.socket.on('close', () => this.broken('closed by the server'))
  }

  // hot: one step per frame. All counted frames have one size and one first byte, which no control message begins
  // with, so that walking from head to head is exact and costs some nanoseconds a message.
  read (n, bytes) {
    if (!this.checked) this.checkFirst(n, bytes)
    const { head, size } = this
    let pos = this.rest
    let got = 0
    while (pos < n) {
      if (bytes[pos] === head && !this.inControl) {
        pos += size
        got++
      } else {
        pos = this.readControl(n, bytes, pos)
      }
    }
    this.rest = pos - n
    this.got += got
    if (this.onchunk !== null) this.onchunk()
  }

  // Sizes alone would let a wrong subject or payload pass.
  checkFirst (n, bytes) {
    if (this.frame === null || bytes[0] !== this.head || this.inControl || n < this.size) return
    this.checked = true
    if (!this.frame.equals(bytes.subarray(0, this.size))) {
      this.fail(new Error(`the first frame is ${JSON.stringify(bytes.latin1Slice(0, Math.min(n, 100)))}, ` +
        `expected ${JSON.stringify(this.frame.latin1Slice(0, 100))}`))
    }
  }

  // Every frame from now on has the size and the first byte of this one; the first is compared whole.
  count (frame) {
    this.frame = frame
    this.head = frame[0]
    this.size = frame.length
  }

  // Resolves with the time at which the last byte of the n-th frame from now is here.
  receive (n) {
    this.want = this.got + n
    return new Promise((resolve) => {
      this.onchunk = () => {
        if (this.got < this.want || this.rest > 0) return
        this.onchunk = null
        resolve(process.hrtime.bigint())
      }
    })
  }

  // Resolves at the next control message of that name.
  control (name) {
    return new Promise((resolve) => this.waiting.push({ name, resolve }))
  }

  arrived (name) {
    const index = this.waiting.findIndex((entry) => entry.name === name)
    if (index !== -1) this.waiting.splice(index, 1)[0].resolve()
  }

  broken (reason) {
    if (this.ended) return
    this.ended = true
    const missing = this.want > this.got ? `, ${this.want - this.got} messages short` : ''
    this.fail(new Error(`${this.constructor.name}: connection ${reason}${missing}`))
  }

  end () {
    this.ended = true
    this.socket.destroy()
  }
}

export class NatsClient extends Client {
  line = ''

  static async open (port, fail, hello = natsConnect) {
    const client = new this(port, fail)
    await client.control('INFO')
    const pong = client.control('PONG')
    client.socket.write(hello)
    await pong
    return client
  }

  async subscribe (subject, frame) {
    this.count(frame)
    this.socket.write(`SUB ${subject} 1\r\n`)
    await this.fence()
  }

  // Everything that was written before has been handled, everything that it caused on this connection has arrived.
  fence () {
    const pong = this.control('PONG')
    this.socket.write(natsPing)
    return pong
  }

  readControl (n, bytes, pos) {
    const feed = bytes.subarray(pos, n).indexOf(10) // LF
    const end = feed === -1 ? n : pos + feed + 1
    this.line += bytes.latin1Slice(pos, end)
    this.inControl = feed === -1
    if (!this.inControl) {
      this.handle(this.line.trimEnd())
      this.line = ''
    }
    return end
  }

  handle (line) {
    const verb = line.split(' ', 1)[0]
    if (verb === 'PING') this.socket.write(natsPong)
    else if (verb === 'INFO' || verb === 'PONG') this.arrived(verb)
    else this.fail(new Error(`unexpected from the NATS side: ${JSON.stringify(line.slice(0, 100))}`))
  }
}

let mqttClients = 0

export class MqttClient extends Client {
  packet = []

  static version = 4

  static async open (port, fail, hello = mqttConnect(`bench-${process.pid}-${++mqttClients}`, true, this.version)) {
    const client = new this(port, fail)
    // CONNACK first: Aedes queues at most 42 packets that come before it.
    const connack = client.control('CONNACK')
    client.socket.write(hello)
    await connack
    return client
  }

  async subscribe (topic, frame) {
    this.count(frame)
    const suback = this.control('SUBACK')
    this.socket.write(mqttSubscribe(topic, 0, this.constructor.version))
    await suback
  }

  fence () {
    const pong = this.control('PINGRESP')
    this.socket.write(mqttPing)
    return pong
  }

  readControl (n, bytes, pos) {
    const { packet } = this
    // The control packets of this use are all shorter than 128 bytes: one byte of remaining length.
    while (pos < n && (packet.length < 2 || packet.length < 2 + packet[1])) packet.push(bytes[pos++])
    this.inControl = packet.length < 2 || packet.length < 2 + packet[1]
    if (!this.inControl) {
      this.handle(packet)
      this.packet = []
    }
    return pos
  }

  handle (packet) {
    if (packet[0] === 0x20 && packet[3] === 0) this.arrived('CONNACK')
    else if (packet[0] === 0x90 && packet[4] < 0x80) this.arrived('SUBACK')
    else if (packet[0] === 0xd0) this.arrived('PINGRESP')
    else this.fail(new Error(`unexpected from the MQTT side: ${Buffer.from(packet).toString('hex').slice(0, 100)}`))
  }
}

export class Mqtt5Client extends MqttClient {
  static version = 5
}

// Writes frames from a prebuilt buffer, round and round, as fast as the socket takes them and no faster.
export class Publisher {
  // `slice` is the most that one write hands over: large, so that the generator spends its time in the kernel.
  constructor (client, frames, size, slice = 256 * 1024) {
    this.client = client
    this.frames = frames
    this.size = size
    this.slice = slice
    this.offset = 0
    this.published = 0
  }

  send (count) {
    const { client: { socket }, frames, slice } = this
    let left = count * this.size
    this.published += count
    return new Promise((resolve) => {
      const pump = () => {
        while (left > 0) {
          const bytes = Math.min(left, slice, frames.length - this.offset)
          const chunk = frames.subarray(this.offset, this.offset + bytes)
          this.offset = (this.offset + bytes) % frames.length
          left -= bytes
          if (!socket.write(chunk)) {
            socket.once('drain', pump)
            return
          }
        }
        resolve()
      }
      pump()
    })
  }
}
