import type { AckKind, DurablePatterns } from '../options.ts'

function matches (pattern: readonly string[], name: readonly string[]): boolean {
  for (const [i, token] of pattern.entries()) {
    if (token === '>' && i === pattern.length - 1) return name.length > i
    if (i >= name.length || (token !== '*' && token !== name[i])) return false
  }
  return pattern.length === name.length
}

/** How a queue group acknowledges, by the first pattern that its name matches; null for an ordinary one. */
export function ackKindOf (patterns: DurablePatterns, queue: string): AckKind | null {
  const name = queue.split('.')
  if (name.includes('')) return null
  for (const [pattern, kind] of Object.entries(patterns)) {
    if (matches(pattern.split('.'), name)) return kind
  }
  return null
}
