/** What a client says of a message that it was given. */
export type Verdict =
  { readonly kind: 'ack' | 'progress' | 'term' } |
  /** To be delivered again, `delay` milliseconds from now. */
  { readonly kind: 'nak', readonly delay: number }

const ack: Verdict = { kind: 'ack' }
const progress: Verdict = { kind: 'progress' }
const term: Verdict = { kind: 'term' }

// A delay beyond it would not fit setTimeout.
const maxDelay = 2 ** 31 - 1

/** Milliseconds; 0 when there is no delay, or no sense in it. */
function delayOf (json: string): number {
  if (json === '') return 0
  try {
    const { delay } = JSON.parse(json) as { delay?: unknown }
    return typeof delay === 'number' && delay > 0 ? Math.min(maxDelay, Math.ceil(delay / 1e6)) : 0
  } catch {
    return 0
  }
}

/**
 * Reads the payload of an acknowledgement as JetStream does (server/consumer.go processAck): nothing, `+ACK` or `+OK`
 * is done; `-NAK` with or without ` {"delay": <ns>}` is not; `+WPI` is still being worked on; `+TERM`, with or without a
 * reason, is never to be tried again. Null for anything else, which JetStream ignores too.
 */
export function verdictOf (payload: string): Verdict | null {
  if (payload === '' || payload === '+ACK' || payload === '+OK' || payload.startsWith('+NXT')) return ack
  if (payload === '+WPI') return progress
  if (payload.startsWith('+TERM')) return term
  if (payload.startsWith('-NAK')) return { kind: 'nak', delay: delayOf(payload.slice(4).trim()) }
  return null
}
