const milliseconds = {
  ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000
} as const

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g
const WHOLE = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/

/** Reads a duration of Go (time.ParseDuration), such as `1h30m` or `500ms`; null for anything else. Less than a millisecond counts as one. */
export function parseDuration (text: string): number | null {
  if (/^[+-]?0$/.test(text)) return 0
  if (!WHOLE.test(text)) return null
  let sum = 0
  for (const [, count, unit] of text.matchAll(PART)) sum += Number(count) * milliseconds[unit as keyof typeof milliseconds]
  const rounded = sum > 0 ? Math.max(1, Math.round(sum)) : 0
  return text.startsWith('-') ? -rounded : rounded
}
