/**
 * What an error code means: the text for developers, the text of the `-ERR` line that the
 * client gets (none: the connection closes silently, as nats-server does), and whether the
 * connection ends. `%s` is replaced by the details of the occurrence, in their order.
 */
interface ErrorEntry {
  readonly text: string
  readonly wire?: string
  readonly fatal: boolean
}

// The wire texts are nats-server's own (server/errors.go, server/client.go): clients compare them.
export const errorTable = {
  NATS_ERR_BROKER: { text: '%s', fatal: true },
  NATS_ERR_CLOSED: { text: 'the gateway is closed', fatal: true },
  NATS_ERR_CONFIG: { text: '%s', fatal: true },
  NATS_ERR_DURABLE_IN_USE: { text: 'durable %s has %s members', fatal: false },
  NATS_ERR_LISTEN: { text: 'cannot listen on %s: %s', fatal: true },
  NATS_ERR_MAX_DURABLES: { text: 'more than %s durable groups', fatal: false },
  NATS_ERR_NO_DURABLES: { text: 'no queue group is durable: see the option durable', fatal: false },
  NATS_ERR_OPTION: { text: "option '%s' is %s: allowed is %s", fatal: true },
  NATS_ERR_OPTION_UNKNOWN: { text: "unknown option '%s': known are %s", fatal: true },
  NATS_ERR_REDIS: { text: 'cannot reach Redis at %s: %s', fatal: true },
  NATS_ERR_SUBSCRIBE: { text: 'a NATS client subscribes itself, since it alone chooses the sid', fatal: false },

  NATS_ERR_ACCOUNT_CONNECTIONS: { text: 'more than %s connections of account %s', wire: 'maximum account active connections exceeded', fatal: true },
  NATS_ERR_ACCOUNT_EXPIRED: { text: 'the account has expired', wire: 'Account Authentication Expired', fatal: true },
  NATS_ERR_AUTHENTICATION_TIMEOUT: { text: 'no CONNECT within %s ms', wire: 'Authentication Timeout', fatal: true },
  NATS_ERR_AUTHORIZATION: { text: 'authorization violation: %s', wire: 'Authorization Violation', fatal: true },
  NATS_ERR_CLIENT_PROTOCOL: { text: 'CONNECT asks for protocol %s', wire: 'invalid client protocol', fatal: true },
  NATS_ERR_CONNECTION_RATE: { text: 'more than %s connections a second from %s', wire: 'Connection throttling is active. Please try again later.', fatal: true },
  NATS_ERR_CONTROL_LINE: { text: 'control line longer than %s bytes', wire: 'maximum control line exceeded', fatal: true },
  NATS_ERR_INVALID_PUBLISH: { text: 'invalid publish subject', wire: 'Invalid Publish Subject', fatal: false },
  NATS_ERR_INVALID_SUBJECT: { text: 'invalid subject %s', wire: 'Invalid Subject', fatal: false },
  NATS_ERR_MALFORMED: { text: 'malformed %s', fatal: true },
  NATS_ERR_MAX_CONNECTIONS: { text: 'more than %s connections', wire: 'maximum connections exceeded', fatal: true },
  NATS_ERR_MAX_CONNECTIONS_PER_ADDRESS: { text: 'more than %s connections from %s', wire: 'maximum connections exceeded', fatal: true },
  NATS_ERR_MAX_PAYLOAD: { text: 'payload of %s bytes', wire: 'Maximum Payload Violation', fatal: true },
  NATS_ERR_MAX_SUBSCRIPTIONS: { text: 'more than %s subscriptions', wire: 'maximum subscriptions exceeded', fatal: false },
  NATS_ERR_NO_RESPONDERS: { text: 'no_responders without headers', wire: 'no responders requires headers support', fatal: true },
  NATS_ERR_PEER: { text: 'the client sent -ERR %s', fatal: true },
  NATS_ERR_PUBLISH_DENIED: { text: 'publish to %s denied', wire: 'Permissions Violation for Publish to %s', fatal: false },
  NATS_ERR_QUEUE_DENIED: { text: 'subscription to %s with queue group %s denied', wire: 'Permissions Violation for Subscription to %s using queue %s', fatal: false },
  NATS_ERR_QUEUE_REMOVED: { text: 'subscription to %s with queue group %s, sid %s, is not allowed any more', wire: 'Permissions Violation for Subscription to %s using queue %s (sid %s)', fatal: false },
  NATS_ERR_REPLY_DENIED: { text: 'reply subject %s is reserved', wire: 'Permissions Violation for Publish with Reply of %s', fatal: false },
  NATS_ERR_SLOW_CONSUMER: { text: 'slow consumer: %s', fatal: true },
  NATS_ERR_STALE: { text: 'stale connection', wire: 'Stale Connection', fatal: true },
  NATS_ERR_SUBSCRIBE_DENIED: { text: 'subscription to %s denied', wire: 'Permissions Violation for Subscription to %s', fatal: false },
  NATS_ERR_SUBSCRIPTION_REMOVED: { text: 'subscription to %s, sid %s, is not allowed any more', wire: 'Permissions Violation for Subscription to %s (sid %s)', fatal: false },
  NATS_ERR_TAKEN_OVER: { text: 'another connection has the client id %s now', wire: 'Session Taken Over', fatal: true },
  NATS_ERR_TOO_MANY_TOKENS: { text: 'subscription to %s has too many tokens', wire: 'Permissions Violation for Subscription to %s, too many tokens', fatal: false },
  NATS_ERR_UNKNOWN_OPERATION: { text: 'unknown protocol operation', wire: 'Unknown Protocol Operation', fatal: true },
  NATS_ERR_USER_EXPIRED: { text: 'the user has expired', wire: 'User Authentication Expired', fatal: true },
  NATS_ERR_USER_REVOKED: { text: 'the user is revoked', wire: 'User Authentication Revoked', fatal: true }
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorTable

function fill (template: string, details: readonly string[]): string {
  let next = 0
  return template.replaceAll('%s', () => details[next++] ?? '')
}

/**
 * An error of the gateway. `code` is a key of {@link errorTable}; `wire` is the text between the
 * quotes of the `-ERR` line, absent where nats-server closes without one; `fatal` says whether the
 * connection ends.
 */
export class NatsError extends Error {
  readonly code: ErrorCode
  readonly wire: string | undefined
  readonly fatal: boolean

  constructor (code: ErrorCode, ...details: string[]) {
    const entry: ErrorEntry = errorTable[code]
    super(fill(entry.text, details))
    this.name = 'NatsError'
    this.code = code
    this.wire = entry.wire === undefined ? undefined : fill(entry.wire, details)
    this.fatal = entry.fatal
  }
}
