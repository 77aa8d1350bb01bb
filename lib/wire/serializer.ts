// Frames to a client, as latin1 text. MSG and HMSG are put together in client/subscription.ts, which keeps their
// unchanging part.

export const PING = 'PING\r\n'
export const PONG = 'PONG\r\n'
export const OK = '+OK\r\n'

/** `-ERR '<text>'`, the text as latin1 (server/const.go errProto). */
export function errorLine (text: string): string {
  return `-ERR '${text}'\r\n`
}

/** The answer to a request that nobody serves (server/client.go processInboundClientMsg). Latin1 text. */
export function noResponders (reply: string, sid: string): string {
  return `HMSG ${reply} ${sid} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n`
}
