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
