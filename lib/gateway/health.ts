import type { Services } from '../client/services.ts'

/** Whether a gateway does its work. */
export interface Health {
  readonly ok: boolean
  /** What is wrong, in words. */
  readonly problems: readonly string[]
}

/** What keeps a gateway from doing its work. */
export function healthOf ({ durables }: Services): Health {
  const problem = durables?.problem ?? null
  return { ok: problem === null, problems: problem === null ? [] : [`durable subscriptions: ${problem}`] }
}
