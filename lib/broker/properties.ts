import { eachHeader, headerBlock, headerName, headerValue, nameOf } from '../wire/headers.ts'
import { decodeText, encodeText } from '../wire/text.ts'
import type { PacketProperties, PublishPacket, UserProperties } from './host.ts'

// NATS headers <-> MQTT 5 properties. Headers whose name begins with `Nmqtt-` are ours (nats-server's server/mqtt.go uses
// that prefix too), in any case; they stand for what else an MQTT message carries:
//
//   Nmqtt-Pub               to NATS: the QoS that an MQTT message was published with
//   Nmqtt-QoS, -Retain      from NATS: how to publish. A retained message comes with `Nmqtt-Retain: true`
//   Nmqtt-Content-Type      content type
//   Nmqtt-Correlation-Data  correlation data, in base64
//   Nmqtt-Payload-Format    payload format indicator, 1 for UTF-8
//   Nmqtt-Expiry            message expiry interval, in seconds
//
// Every other header is a user property; its name percent-encoded where a header's may not be what it is (wire/headers.ts).
// MQTT clients and hosts are not trusted to have sent properties of the right type: mqtt-packet makes an array of a
// property that comes twice, and null of one that is cut off.

const prefix = 'nmqtt-'
// Most bytes of an MQTT string, and of binary data (MQTT 5, 1.5.4 and 1.5.6).
const maxString = 65_535
const maxExpiry = 0xffff_ffff

function isOurs (name: string): boolean {
  // n, N
  return (name.charCodeAt(0) | 0x20) === 0x6e && name.length > prefix.length && name.slice(0, prefix.length).toLowerCase() === prefix
}

/** The name of a header without the prefix, in lower case; null when it is not ours. */
function ownName (name: string): string | null {
  return isOurs(name) ? name.slice(prefix.length).toLowerCase() : null
}

// From NATS to MQTT

/** A text that MQTT can carry; null for one that it cannot. */
function mqttString (text: string): string | null {
  return text.length > maxString || text.includes('\0') ? null : decodeText(text)
}

function addUserProperty (user: UserProperties, name: string, value: string): void {
  const known = user[name]
  if (known === undefined) user[name] = value
  else if (typeof known === 'string') user[name] = [known, value]
  else known.push(value)
}

function setOwn (properties: PacketProperties, name: string, value: string): void {
  if (name === 'content-type') {
    const contentType = mqttString(value)
    if (contentType !== null) properties.contentType = contentType
  } else if (name === 'correlation-data') {
    const data = Buffer.from(value, 'base64')
    if (data.length > 0 && data.length <= maxString) properties.correlationData = data
  } else if (name === 'payload-format') {
    if (value === '0' || value === '1') properties.payloadFormatIndicator = value === '1'
  } else if (name === 'expiry') {
    const seconds = Number(value)
    if (/^\d{1,10}$/.test(value) && seconds <= maxExpiry) properties.messageExpiryInterval = seconds
  }
}

/** The properties that carry a header block and a response topic. */
export function propertiesOf (header: string, responseTopic: string | null): PacketProperties {
  const properties: PacketProperties = {}
  if (responseTopic !== null) properties.responseTopic = responseTopic
  if (header === '') return properties
  // Without a prototype, as mqtt-packet makes it: a name may be `__proto__`.
  const user = Object.create(null) as UserProperties
  eachHeader(header, (latin1Name, latin1Value) => {
    const own = ownName(latin1Name)
    if (own !== null) {
      setOwn(properties, own, latin1Value)
      return
    }
    const name = mqttString(nameOf(latin1Name)) ?? mqttString(latin1Name)
    const value = mqttString(latin1Value)
    if (name !== null && value !== null) addUserProperty(user, name, value)
  })
  if (Object.keys(user).length > 0) properties.userProperties = user
  return properties
}

/** How a message is to be published: its QoS, with `retainFlag` added to retain it. */
export type Publishing = number
export const qosMask = 3
export const retainFlag = 4

/** What headers say of it, where they say something. */
export function publishingOf (header: string, otherwise: Publishing): Publishing {
  // Most blocks have no header of ours.
  if (!/nmqtt-/i.test(header)) return otherwise
  let publishing = otherwise
  eachHeader(header, (name, value) => {
    const own = ownName(name)
    if (own === 'qos' && /^[012]$/.test(value)) publishing = (publishing & ~qosMask) | Number(value)
    else if (own === 'retain' && /^true$/i.test(value)) publishing |= retainFlag
    else if (own === 'retain' && /^false$/i.test(value)) publishing &= ~retainFlag
  })
  return publishing
}

/** How a packet is published. */
export function publishingOfPacket ({ qos, retain }: PublishPacket): Publishing {
  return retain ? qos | retainFlag : qos
}

// From MQTT to NATS

// What lines of user properties begin with, by their names; devices use the same few over and over. Null for no line.
const starts = new Map<string, string | null>()
const maxStarts = 1024
const longestStart = 256

function startOf (name: string): string | null {
  const known = starts.get(name)
  if (known !== undefined) return known
  const start = name === '' || isOurs(name) ? null : `${headerName(encodeText(name))}: `
  if (name.length <= longestStart) {
    if (starts.size >= maxStarts) starts.clear()
    starts.set(name, start)
  }
  return start
}

function addLine (lines: string[], start: string, value: unknown): void {
  if (typeof value === 'string') lines.push(start + valueOf(value))
}

function valueOf (text: string): string {
  return /^[\t -~]*$/.test(text) ? text : headerValue(encodeText(text))
}

function addProperties (lines: string[], properties: PacketProperties): void {
  const { userProperties, contentType, correlationData, payloadFormatIndicator, messageExpiryInterval } = properties
  if (typeof contentType === 'string') lines.push(`Nmqtt-Content-Type: ${valueOf(contentType)}`)
  if (correlationData instanceof Uint8Array) lines.push(`Nmqtt-Correlation-Data: ${Buffer.from(correlationData).toString('base64')}`)
  if (typeof payloadFormatIndicator === 'boolean') lines.push(`Nmqtt-Payload-Format: ${payloadFormatIndicator ? 1 : 0}`)
  if (typeof messageExpiryInterval === 'number') lines.push(`Nmqtt-Expiry: ${messageExpiryInterval}`)
  if (userProperties === undefined || userProperties === null) return
  for (const name of Object.keys(userProperties)) {
    const start = startOf(name)
    if (start === null) continue
    const value = userProperties[name]
    if (Array.isArray(value)) for (const each of value) addLine(lines, start, each)
    else addLine(lines, start, value)
  }
}

const carriers: ReadonlySet<string | null> = new Set(['content-type', 'correlation-data', 'payload-format', 'expiry'])

/** The header block with other properties; what else we say in it stays. */
export function headerWith (header: string, properties: PacketProperties): string {
  const lines: string[] = []
  eachHeader(header, (name, value) => {
    if (isOurs(name) && !carriers.has(ownName(name))) lines.push(`${name}: ${value}`)
  })
  addProperties(lines, properties)
  return headerBlock(lines)
}

/** Properties that may be changed in any place without those given changing. */
export function copyOfProperties (properties: PacketProperties): PacketProperties {
  const { userProperties } = properties
  if (userProperties === undefined || userProperties === null) return { ...properties }
  // Also of one called `__proto__`, and alike for whoever compares.
  const user = Object.fromEntries(Object.entries(userProperties).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]))
  return { ...properties, userProperties: Object.setPrototypeOf(user, Object.getPrototypeOf(userProperties) as object | null) as UserProperties }
}

/** Whether a message has properties; Aedes leaves an empty object, or one whose topic alias is undefined, which Redis makes null. */
function hasAny (properties: PacketProperties): boolean {
  for (const name in properties) {
    if (properties[name as keyof PacketProperties] != null) return true
  }
  return false
}

/**
 * The header block of a packet as latin1 text; empty for a plain MQTT message of QoS 0.
 *
 * @param natsBorn whether its properties were headers to begin with
 * @param retained whether it comes from the store of retained messages
 */
export function headerOf (packet: PublishPacket, natsBorn: boolean, retained: boolean): string {
  if (packet.natsHeader !== undefined && !retained) return packet.natsHeader
  const { properties } = packet
  const given = properties !== undefined && properties !== null && hasAny(properties) ? properties : null
  if (packet.qos === 0 && !packet.retain && given === null) return ''
  const lines: string[] = []
  if (!natsBorn) lines.push(`Nmqtt-Pub: ${packet.qos}`)
  if (retained) lines.push('Nmqtt-Retain: true')
  if (given !== null) addProperties(lines, given)
  return headerBlock(lines)
}
