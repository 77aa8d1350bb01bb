// Raw clients that acknowledge what they receive, and a publisher that waits for its acknowledgements.
import { MqttClient, NatsClient } from './clients.js'
import { mqttPublishAcked, mqttSubscribe, natsConnectHeaders, payload } from './frames.js'

/** A NATS connection that answers every message with an empty reply, with one write for each chunk that it reads. */
export class AckingNats extends NatsClient {
  tail = null
  expected = null

  static open (port, fail) {
    return super.open(port, fail, natsConnectHeaders)
  }

  // `size` of the payload, which ends each message: the first is looked at.
  async listen (subject, queue, size) {
    this.expected = Buffer.from(payload(size))
    this.socket.write(`SUB ${subject} ${queue && queue + ' '}1\r\n`)
    await this.fence()
  }

  read (n, shared) {
    const bytes = this.tail === null ? shared.subarray(0, n) : Buffer.concat([this.tail, shared.subarray(0, n)])
    let pos = 0
    let acks = ''
    for (let feed; (feed = bytes.indexOf(10, pos)) !== -1;) { // LF
      const line = bytes.latin1Slice(pos, feed - 1)
      if (!line.startsWith('HMSG ') && !line.startsWith('MSG ')) {
        this.handle(line)
        pos = feed + 1
        continue
      }
      const last = line.lastIndexOf(' ')
      const end = feed + 1 + Number(line.slice(last + 1))
      if (end + 2 > bytes.length) break
      if (!this.checked) this.checkPayload(line, bytes.subarray(feed + 1, end))
      acks += `PUB ${line.split(' ', 4)[3]} 0\r\n\r\n`
      this.got++
      pos = end + 2
    }
    // The chunk is overwritten by the next one.
    this.tail = pos === bytes.length ? null : Buffer.from(bytes.subarray(pos))
    if (acks !== '') this.socket.write(acks, 'latin1')
    if (this.onchunk !== null) this.onchunk()
  }

  checkPayload (line, bytes) {
    this.checked = true
    if (bytes.subarray(-this.expected.length).equals(this.expected) && line.includes(' $JS.ACK.')) return
    this.fail(new Error(`the first message is ${line} ${JSON.stringify(bytes.latin1Slice(0, 300))}`))
  }
}

/** An MQTT connection with a QoS 1 subscription. */
export class AckingMqtt extends MqttClient {
  tail = null
  expected = null

  async listen (topic, size) {
    this.expected = Buffer.from(payload(size))
    const suback = this.control('SUBACK')
    this.socket.write(mqttSubscribe(topic, 1))
    await suback
  }

  read (n, shared) {
    const bytes = this.tail === null ? shared.subarray(0, n) : Buffer.concat([this.tail, shared.subarray(0, n)])
    const acks = []
    let pos = 0
    for (;;) {
      const body = bodyOf(bytes, pos)
      if (body === null || body.end > bytes.length) break
      if (bytes[pos] >> 4 === 3) {
        const at = body.start + 2 + bytes.readUInt16BE(body.start) // of the messageId, behind the topic
        if (!this.checked) this.checkPayload(bytes[pos], bytes.subarray(at + 2, body.end))
        acks.push(0x40, 2, bytes[at], bytes[at + 1])
        this.got++
      } else {
        this.handle([...bytes.subarray(pos, body.end)])
      }
      pos = body.end
    }
    this.tail = pos === bytes.length ? null : Buffer.from(bytes.subarray(pos))
    if (acks.length > 0) this.socket.write(Buffer.from(acks))
    if (this.onchunk !== null) this.onchunk()
  }

  checkPayload (head, bytes) {
    this.checked = true
    if ((head & 6) === 2 && bytes.equals(this.expected)) return
    this.fail(new Error(`the first message is ${head.toString(16)} ${JSON.stringify(bytes.latin1Slice(0, 300))}`))
  }
}

// Where the body of the packet at `pos` begins and ends; null while its length is not all there.
function bodyOf (bytes, pos) {
  let length = 0
  let shift = 0
  for (let at = pos + 1; at < bytes.length; at++, shift += 7) {
    length |= (bytes[at] & 127) << shift
    if (bytes[at] < 128) return { start: at + 1, end: at + 1 + length }
  }
  return null
}

/** Publishes at QoS 1 with at most `window` messages unacknowledged. */
export class ConfirmedPublisher extends MqttClient {
  published = 0
  sent = 0
  acknowledged = 0
  onall = null

  prepare (topic, size, window) {
    this.window = window
    // Four windows of messageIds: none is used again while its last message may be on its way.
    this.ring = 4 * window
    this.frames = Buffer.concat(Array.from({ length: this.ring }, (_, i) => mqttPublishAcked(topic, size, i + 1)))
    this.size = this.frames.length / this.ring
    return this
  }

  // Resolves when all that were ever sent are acknowledged.
  send (count) {
    this.published += count
    this.pump()
    return new Promise((resolve) => { this.onall = resolve })
  }

  pump () {
    const { ring, size, frames, socket } = this
    const until = Math.min(this.published, this.acknowledged + this.window)
    while (this.sent < until) {
      const at = this.sent % ring
      const many = Math.min(ring - at, until - this.sent)
      socket.write(frames.subarray(at * size, (at + many) * size))
      this.sent += many
    }
  }

  // PUBACKs are all that comes, of four bytes each.
  read (n, bytes) {
    const before = this.acknowledged
    super.read(n, bytes)
    if (this.acknowledged > before && this.sent < this.published) this.pump()
    if (this.acknowledged === this.published) this.onall?.()
  }

  handle (packet) {
    if (packet[0] === 0x40) this.acknowledged++
    else super.handle(packet)
  }
}
