import { NatsError } from '../errors.ts'

/** The options of {@link lingering}; every one may be left out. */
export interface LingerOptions {
  /**
   * Milliseconds that the broker gets once the client has said its last (DISCONNECT, end or reset), from one packet
   * that it handles to the next; then the stream is destroyed. Default 10,000.
   */
  lingerTimeout?: number
  /**
   * Bytes read from the socket that the broker has not taken; from there on the socket is paused. Default 256 KiB: more
   * saves no message that has reached this kernel, and is slower, since it no longer fits the cache of the processor.
   */
  maxHeld?: number
  /**
   * A client that goes on behind its CONNECT without waiting for the CONNACK may close without reading it, and its
   * kernel then answers the CONNACK with a reset and drops what it has not sent yet. So what is written to such a
   * client waits for its DISCONNECT or end, or for so many milliseconds of silence (for twenty times as many at most).
   * Default 50, 0 is off.
   */
  settleTime?: number
}

export type LingerLimits = Required<LingerOptions>

const defaults: LingerLimits = { lingerTimeout: 10_000, maxHeld: 262_144, settleTime: 50 }
const lowest: LingerLimits = { lingerTimeout: 1, maxHeld: 1, settleTime: 0 }
const highest = 2 ** 31 - 1

/** Fills in the defaults. Throws NATS_ERR_OPTION for a value that is not allowed. */
export function resolveLinger (options: LingerOptions): LingerLimits {
  const all = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof LingerOptions)[]) {
    const value = options[name] ?? defaults[name]
    if (!Number.isInteger(value) || value < lowest[name] || value > highest) {
      throw new NatsError('NATS_ERR_OPTION', name, String(value), `a whole number from ${lowest[name]} to ${highest}`)
    }
    all[name] = value
  }
  return all
}
