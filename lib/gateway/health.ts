import type { Services } from '../client/services.ts'

/** Whether a gateway does its work. */
export interface Health {
  readonly ok: boolean
  /** What is wrong, in words. */
  readonly problems: readonly string[]
}

/** What keeps a gateway from doing its work. */
export function healthOf ({ cluster, durables }: Services): Health {
  const problems: string[] = []
  if (durables !== null && durables.problem !== null) problems.push(`durable subscriptions: ${durables.problem}`)
  if (cluster !== null && cluster.problem !== null) problems.push(`cluster: ${cluster.problem}`)
  return { ok: problems.length === 0, problems }
}
