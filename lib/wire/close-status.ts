import type { ErrorCode, NatsError } from '../errors.ts'

/** How a WebSocket ends: the code of RFC 6455, 7.4, and the text of nats-server's closed state (server/monitor.go ClosedState). */
export interface CloseStatus {
  readonly code: number
  readonly text: string
}

// server/websocket.go wsEnqueueCloseMessage
const normal = 1000
const goingAway = 1001
const protocolError = 1002
const policyViolation = 1008
const tooBig = 1009

export const clientClosed: CloseStatus = { code: normal, text: 'Client Closed' }
export const serverShutdown: CloseStatus = { code: goingAway, text: 'Server Shutdown' }

const states: Readonly<Partial<Record<ErrorCode, CloseStatus>>> = {
  NATS_ERR_ACCOUNT_CONNECTIONS: { code: policyViolation, text: 'Maximum Account Connections Exceeded' },
  NATS_ERR_ACCOUNT_EXPIRED: { code: policyViolation, text: 'Authentication Expired' },
  NATS_ERR_AUTHENTICATION_TIMEOUT: { code: policyViolation, text: 'Authentication Timeout' },
  NATS_ERR_AUTHORIZATION: { code: policyViolation, text: 'Authentication Failure' },
  NATS_ERR_CLIENT_PROTOCOL: { code: protocolError, text: 'Bad Client Protocol Version' },
  NATS_ERR_CONTROL_LINE: { code: policyViolation, text: 'Maximum Control Line Exceeded' },
  NATS_ERR_MALFORMED: { code: protocolError, text: 'Protocol Violation' },
  NATS_ERR_MAX_CONNECTIONS: { code: policyViolation, text: 'Maximum Connections Exceeded' },
  NATS_ERR_MAX_PAYLOAD: { code: tooBig, text: 'Maximum Message Payload Exceeded' },
  NATS_ERR_NO_RESPONDERS: { code: protocolError, text: 'Protocol Violation' },
  NATS_ERR_PEER: { code: protocolError, text: 'Protocol Violation' },
  NATS_ERR_SLOW_CONSUMER: { code: policyViolation, text: 'Slow Consumer' },
  NATS_ERR_STALE: { code: goingAway, text: 'Stale Connection' },
  NATS_ERR_TAKEN_OVER: { code: policyViolation, text: 'Session Taken Over' },
  NATS_ERR_UNKNOWN_OPERATION: { code: protocolError, text: 'Protocol Violation' },
  NATS_ERR_USER_EXPIRED: { code: policyViolation, text: 'Authentication Expired' },
  NATS_ERR_USER_REVOKED: { code: policyViolation, text: 'Credentials Revoked' }
}

/** How an error ends a WebSocket. */
export function closeStatusOf ({ code }: NatsError): CloseStatus {
  return states[code] ?? clientClosed
}
