import { tokenCount } from './grammar.ts'

// MQTT topic <-> NATS subject. Topic to subject is nats-server's conversion (server/mqtt.go
// mqttToNATSSubjectConversion), completed so that it is total and nothing an MQTT client can name breaks the NATS wire:
//
//   MQTT level                        NATS token
//   empty                             /
//   `.` inside a level                //
//   U+0001 to U+0020 and U+007F       / and two upper-case hexadecimal digits
//   exactly `*` or `>`                /2A, /3E
//   anything else                     itself, in UTF-8
//
// Subject to topic is the inverse on the image of that table. A subject outside it has no topic: it is NATS-only.
// Subjects are latin1 text (a character a byte), topics are ordinary strings.

const escaped = /^(?:\/\/|\/(?:0[1-9A-F]|1[0-9A-F]|20|7F)|[^\x00-\x20\x7f/+#])+$/ // eslint-disable-line no-control-regex -- the bytes that the table escapes

function isAscii (text: string): boolean {
  return /^[\0-\x7f]*$/.test(text)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8 (bytes: string): string | null {
  if (isAscii(bytes)) return bytes
  try {
    return decoder.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return null
  }
}

function escapeCharacter (character: string): string {
  if (character === '.') return '//'
  return `/${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function levelToToken (level: string): string {
  if (level === '') return '/'
  if (level === '*') return '/2A'
  if (level === '>') return '/3E'
  return level.replace(/[.\x01-\x20\x7f]/g, escapeCharacter) // eslint-disable-line no-control-regex -- as above
}

function unescapeCharacter (escape: string): string {
  return escape === '//' ? '.' : String.fromCharCode(parseInt(escape.slice(1), 16))
}

/** Null when the token is in the image of no level. */
function tokenToLevel (token: string): string | null {
  if (token === '/') return ''
  if (token === '/2A') return '*'
  if (token === '/3E') return '>'
  if (token === '*' || token === '>' || !escaped.test(token)) return null
  return token.includes('/') ? token.replace(/\/(?:\/|..)/g, unescapeCharacter) : token
}

/** The subject of a topic; null for the empty topic and one that holds NUL, which MQTT forbids. */
export function topicToSubject (topic: string): string | null {
  if (topic === '' || topic.includes('\0')) return null
  const bytes = isAscii(topic) ? topic : Buffer.from(topic, 'utf8').toString('latin1')
  return bytes.split('/').map(levelToToken).join('.')
}

// Nothing to unescape: every token is a level as it stands.
const plain = /^[^\x00-\x20\x7f-\xff/+#*>.]+(?:\.[^\x00-\x20\x7f-\xff/+#*>.]+)*$/ // eslint-disable-line no-control-regex -- the bytes that the table escapes

/** The topic of a published subject; null when it has none: it holds what no topic maps to, or too many levels. */
export function subjectToTopic (subject: string, maxLevels: number): string | null {
  if (plain.test(subject)) return tokenCount(subject) > maxLevels ? null : subject.replaceAll('.', '/')
  const levels = subject.split('.').map(tokenToLevel)
  if (levels.length > maxLevels || levels.includes(null) || subject === '/') return null
  return decodeUtf8(levels.join('/'))
}

/** The topic filter of a subscription subject; null when no topic can match it. */
export function filterToTopicFilter (filter: string, maxLevels: number): string | null {
  const tokens = filter.split('.')
  const levels = tokens.map((token, i) => {
    if (token === '*') return '+'
    return token === '>' && i === tokens.length - 1 ? '#' : tokenToLevel(token)
  })
  if (levels.length > maxLevels || levels.includes(null) || filter === '/') return null
  return decodeUtf8(levels.join('/'))
}

/** The subscription subject of a topic filter; null for a filter that holds NUL or is empty. */
export function topicFilterToFilter (topicFilter: string): string | null {
  const subject = topicToSubject(topicFilter)
  if (subject === null) return null
  return subject.split('.').map((token) => token === '+' ? '*' : token).join('.').replace(/(^|\.)#$/, '$1>')
}

/** What hooks see as the topic of a subject that has none. */
export function natsOnlyTopic (subject: string): string {
  const encoded = Buffer.from(subject, 'latin1').reduce((text, byte) => text +
    (/[\w.~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`), '')
  return `$NATS/${encoded}`
}
