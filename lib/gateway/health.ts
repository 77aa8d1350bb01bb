import type { Services } from '../client/services.ts'

/** Whether a gateway does its work. */
export interface Health {
  readonly ok: boolean
  /** What is wrong, in words. */
  readonly problems: readonly string[]
}

/** What keeps a gateway from doing its work. */
export function healthOf ({ cluster, durables }: Services): Health {
  const problems = Object.entries({ 'durable subscriptions': durables?.problem, cluster: cluster?.problem })
    .flatMap(([part, problem]) => problem === null || problem === undefined ? [] : [`${part}: ${problem}`])
  return { ok: problems.length === 0, problems }
}
