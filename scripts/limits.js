// Every limit: its default from where the code has it, and what exceeding it does. The table of README.md; run after a build.
import { maxLength } from '../dist/auth/jwt.js'
import { maxReplies, maxReplyBytes } from '../dist/auth/permissions.js'
import { maxCorrelation } from '../dist/broker/correlation.js'
import * as backlog from '../dist/client/backlog.js'
import { patience } from '../dist/client/farewell.js'
import { afterHandshake, authTimeout } from '../dist/client/login.js'
import { maxHeld, maxWaiting, windowBytes } from '../dist/cluster/out-link.js'
import { errorTable } from '../dist/errors.js'
import { optionTable } from '../dist/options.js'
import { maxAwaited, maxAwaitedByAll, maxAwaitedBytes } from '../dist/routing/replies.js'
import * as routes from '../dist/routing/route-cache.js'
import { maxTopic } from '../dist/subject/names.js'
import { tlsTable } from '../dist/transport/tls-options.js'
import { joinedOperations, longest, maxFragments, payloads } from '../dist/transport/websocket-handshake.js'
import { websocketTable } from '../dist/transport/websocket-options.js'
import { maxStall, stallShare } from '../dist/wire/limits.js'

/** What the client gets for an error. */
function told (code) {
  const { wire, fatal } = errorTable[code]
  return [wire === undefined ? '' : `\`-ERR '${wire.replaceAll('%s', '…')}'\``, fatal ? 'closed' : 'the connection stays'].filter(Boolean).join(', ')
}

/** A row for an option, `table.name` where it is one of an option. */
function option (limit, name, exceeding) {
  const [table, key] = name.startsWith('tls.') ? [tlsTable, name.slice(4)] : name.startsWith('websocket.') ? [websocketTable, name.slice(10)] : [optionTable, name]
  return { limit, option: name, value: String(table[key].default), exceeding }
}

/** A row for what no option changes. */
function fixed (limit, value, exceeding) {
  return { limit, option: '', value: String(value), exceeding }
}

const handshake = 'closed without a word'

export const limits = [
  option('payload, header block included, bytes', 'maxPayload', `${told('NATS_ERR_MAX_PAYLOAD')}, at the control line`),
  option('control line without its verb, bytes', 'maxControlLine', `${told('NATS_ERR_CONTROL_LINE')}, whether the line has ended or not`),
  option('connections; those in a handshake of TLS or WebSocket count', 'maxConnections', told('NATS_ERR_MAX_CONNECTIONS')),
  option('connections from one address; 0 is none', 'maxConnectionsPerAddress', `${told('NATS_ERR_MAX_CONNECTIONS_PER_ADDRESS')}, in front of TLS; WebSocket with TLS: ${handshake}`),
  option('new connections a second from one address; 0 is none', 'maxConnectionRate', `${told('NATS_ERR_CONNECTION_RATE')}, in front of TLS; WebSocket with TLS: ${handshake}`),
  option('handshake of TLS, ms', 'tls.timeout', handshake),
  option('HTTP request of a WebSocket, ms', 'websocket.handshakeTimeout', handshake),
  { limit: `until CONNECT, where credentials are asked for, ms; with \`tls\` the default is \`tls.timeout\` and ${afterHandshake}`, option: 'authorization.timeout', value: String(authTimeout), exceeding: `${told('NATS_ERR_AUTHENTICATION_TIMEOUT')}; anything else than CONNECT ends it at its first byte` },
  { limit: 'the same for WebSocket clients, ms; null is that time', option: 'websocket.authorization.timeout', value: 'null', exceeding: 'likewise' },
  fixed('JWT, bytes', maxLength, told('NATS_ERR_AUTHORIZATION')),
  option('unanswered PINGs, one each `pingInterval` of silence; while a connection is not read none counts', 'pingMax', told('NATS_ERR_STALE')),
  option('subscriptions of a connection; 0 is none', 'maxSubscriptions', told('NATS_ERR_MAX_SUBSCRIPTIONS')),
  option('tokens of a subscription; 0 is none', 'maxSubTokens', told('NATS_ERR_TOO_MANY_TOKENS')),
  option('bytes that wait for a connection to read them; live messages that wait for retained ones as many again', 'maxPending', 'closed as slow consumer, without a word'),
  fixed('share of `maxPending` that publishers mind', stallShare, `each of them is not read for ${maxStall} ms at a time`),
  option('a write, ms', 'writeDeadline', 'closed as slow consumer, without a word'),
  fixed('time to read the last line before the connection closes, ms', patience, 'closed'),
  fixed('messages of a connection on their way through the broker', backlog.maxMessages, 'it is not read until half of them are through'),
  fixed('bytes of them', backlog.maxBytes, 'likewise'),
  fixed(`message of WebSocket, bytes: ${payloads} times \`maxPayload\`, at most`, longest, 'closed with 1009'),
  fixed('compressed one: `maxPayload`, `maxControlLine` and so many bytes', joinedOperations, 'closed with 1009'),
  fixed('fragments of a message of WebSocket', maxFragments, 'closed with 1008'),
  fixed('topic of a subject, bytes; levels as `maxTopicLevels` of Aedes', maxTopic, 'the subject is NATS-only'),
  fixed('correlation data in a reply subject, bytes', maxCorrelation, 'it is in the header `Nmqtt-Correlation-Data` alone'),
  option('answer of a device that a rule of `replies` waits for, ms', 'replyTimeout', 'the answer goes nowhere'),
  fixed('requests to one device that wait for such an answer', maxAwaited, 'the answer goes nowhere'),
  fixed('those to all devices', maxAwaitedByAll, 'the answer goes nowhere'),
  fixed('bytes of them all', maxAwaitedBytes, 'the answer goes nowhere'),
  fixed('reply subjects that a connection may answer by `responses`', maxReplies, 'the oldest may not be answered any more'),
  fixed('bytes of them', maxReplyBytes, 'likewise'),
  fixed('bytes of remembered routes', routes.maxBytes, 'they are forgotten, and looked up anew'),
  fixed('bytes that another node has not acknowledged', windowBytes, 'NATS clients that publish to it are not read, for as long as it takes as much in 5 s'),
  fixed('bytes that wait for it besides, once they are read again', maxWaiting, 'given up, counted, logged'),
  fixed('and while they are not', maxHeld, 'likewise'),
  option('patterns that a shared queue is asked for', 'maxPatterns', 'they are collapsed to common prefixes; what nobody here asked for is dropped here'),
  option('messages that a member of a durable group has not acknowledged', 'maxAckPending', 'it gets no more until it does'),
  option('acknowledgement of one, ms', 'ackWait', 'the message goes to the next member'),
  option('deliveries of one; 0 is none', 'maxDeliver', 'the message goes to `deadLetter`'),
  option('durable groups', 'maxDurables', told('NATS_ERR_QUEUE_DENIED')),
  option('messages of a durable group', 'maxDepth', 'the oldest are dropped'),
  option('durable group without a member, ms', 'expiry', 'it is removed, with what waits for it')
]
