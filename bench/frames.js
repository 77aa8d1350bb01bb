// The bytes that the load generator writes and the bytes that it expects. MQTT packets are made by hand (MQTT 3.1.1,
// the newest version that every peer speaks; MQTT 5 with properties), so that the harness needs no package of its own.

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

// Three of them, as a device would say what it measures: headers on the one side, user properties on the other.
const properties = [['Device-Id', 'thermometer-17'], ['Trace-Id', '0af7651916cd43dd8448eb211c80319c'], ['Content-Schema', 'reading/2']]

export function natsHpub (subject, size) {
  const header = headerBlock(properties)
  return Buffer.from(`HPUB ${subject} ${header.length} ${header.length + size}\r\n${header}${payload(size)}\r\n`)
}

// From MQTT it says that it is, as each message does there that has properties.
export function natsHmsg (subject, sid, size, fromMqtt) {
  const header = headerBlock(fromMqtt ? [['Nmqtt-Pub', '0'], ...properties] : properties)
  return Buffer.from(`HMSG ${subject} ${sid} ${header.length} ${header.length + size}\r\n${header}${payload(size)}\r\n`)
}

function headerBlock (headers) {
  return `NATS/1.0\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

const noProperties = Buffer.from([0])

export function mqttConnect (clientId, clean = true, version = 4) {
  const flags = clean ? 2 : 0
  const keepalive = 0
  const more = version === 5 ? noProperties : Buffer.alloc(0)
  return mqttPacket(0x10, Buffer.concat([text('MQTT'), Buffer.from([version, flags, 0, keepalive]), more, text(clientId)]))
}

export function mqttSubscribe (topic, qos = 0, version = 4) {
  const messageId = 1
  const more = version === 5 ? noProperties : Buffer.alloc(0)
  return mqttPacket(0x82, Buffer.concat([Buffer.from([0, messageId]), more, text(topic), Buffer.from([qos])]))
}

export function mqttPublish (topic, size) {
  return mqttPacket(0x30, Buffer.concat([text(topic), Buffer.from(payload(size))]))
}

// MQTT 5, with the properties.
export function mqtt5Publish (topic, size) {
  const userProperty = 38
  const bytes = Buffer.concat(properties.map(([name, value]) => Buffer.concat([Buffer.from([userProperty]), text(name), text(value)])))
  return mqttPacket(0x30, Buffer.concat([text(topic), variableInteger(bytes.length), bytes, Buffer.from(payload(size))]))
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
  return Buffer.concat([Buffer.from([head]), variableInteger(body.length), body])
}

function variableInteger (number) {
  const bytes = []
  do {
    bytes.push(number > 127 ? (number & 127) | 128 : number)
    number >>= 7
  } while (number > 0)
  return Buffer.from(bytes)
}
