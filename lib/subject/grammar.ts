const DOT = 0x2e

/** Whether a subject can be subscribed to: no empty token, `>` only as the last (server/sublist.go Insert). */
export function isFilter (subject: string): boolean {
  const tokens = subject.split('.')
  return tokens.every((token, i) => token !== '' && (token !== '>' || i === tokens.length - 1))
}

/** Whether a subject names one thing: no empty token, no wildcard (server/sublist.go IsValidLiteralSubject). */
export function isLiteral (subject: string): boolean {
  return subject.split('.').every((token) => token !== '' && token !== '*' && token !== '>')
}

/** The number of tokens, empty ones included. */
export function tokenCount (subject: string): number {
  let count = 1
  for (let i = 0; i < subject.length; i++) {
    if (subject.charCodeAt(i) === DOT) count++
  }
  return count
}

/** Whether the first token of a filter is a wildcard. */
export function startsWithWildcard (filter: string): boolean {
  return filter === '*' || filter === '>' || filter.startsWith('*.')
}

/** Whether every subject that `inner` matches is one that `outer` matches (server/sublist.go subjectIsSubsetMatch). */
export function covers (outer: string, inner: string): boolean {
  const wide = outer.split('.')
  const narrow = inner.split('.')
  for (const [i, token] of wide.entries()) {
    const other = narrow[i]
    if (other === undefined) return false
    if (token === '>') return true
    if (other === '>' || (token !== '*' && token !== other)) return false
  }
  return wide.length === narrow.length
}

/** Whether some subject is matched by both (server/sublist.go SubjectsCollide). */
export function collide (one: string, other: string): boolean {
  const first = one.split('.')
  const second = other.split('.')
  for (let i = 0; ; i++) {
    const a = first[i]
    const b = second[i]
    if (a === undefined || b === undefined) return a === b
    if (a === '>' || b === '>') return true
    if (a !== b && a !== '*' && b !== '*') return false
  }
}
