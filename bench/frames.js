// The bytes that the load generator writes and the bytes that it expects. MQTT packets are made by hand (MQTT 3.1.1,
// the newest version that every peer speaks), so that the harness needs no package of its own.

export const natsConnect = Buffer.from('CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"name":"bench",' +
  '"lang":"raw","version":"1.0.0","protocol":1,"echo":true,"headers":false,"no_responders":false}\r\nPING\r\n')

// For clients that are told more than a MSG can say.
export const natsConnectHeaders = Buffer.from(natsConnect.toString().replace('"headers":false', '"headers":true'))

export const natsPing = Buffer.from('PING\r\n')
export const natsPong = Buffer.from('PONG\r\n')
export const mqttPing = Buffer.from([0xc0, 0])

export function natsPub (subject, size, reply = '') {
  return Buffer.from(`PUB ${subject} ${reply && reply + ' '}${size}\r\n${payload(size)}\r\n`)
}

export function natsMsg (subject, sid, size, reply = '') {
  return Buffer.from(`MSG ${subject} ${sid} ${reply && reply + ' '}${size}\r\n${payload(size)}\r\n`)
}

export function mqttConnect (clientId, clean = true) {
  const flags = clean ? 2 : 0
  const keepalive = 0
  return mqttPacket(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, keepalive]), text(clientId)]))
}

export function mqttSubscribe (topic, qos = 0) {
  const messageId = 1
  return mqttPacket(0x82, Buffer.concat([Buffer.from([0, messageId]), text(topic), Buffer.from([qos])]))
}

export function mqttPublish (topic, size) {
  return mqttPacket(0x30, Buffer.concat([text(topic), Buffer.from(payload(size))]))
}

// QoS 1. All frames of one topic and size are of one length.
export function mqttPublishAcked (topic, size, messageId) {
  return mqttPacket(0x32, Buffer.concat([text(topic), Buffer.from([messageId >> 8, messageId & 255]), Buffer.from(payload(size))]))
}

// As many copies of a frame as fit into `bytes`, at least one.
export function repeat (frame, bytes) {
  return Buffer.concat(Array(Math.max(1, Math.floor(bytes / frame.length))).fill(frame))
}

export function payload (size) {
  return 'x'.repeat(size)
}

function text (string) {
  const bytes = Buffer.from(string)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

function mqttPacket (head, body) {
  const start = [head]
  let length = body.length
  do {
    start.push(length > 127 ? (length & 127) | 128 : length)
    length >>= 7
  } while (length > 0)
  return Buffer.concat([Buffer.from(start), body])
}
