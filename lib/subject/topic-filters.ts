// MQTT topic filters as sets of topics (MQTT 5, 4.7). Registering is rare: clear code before fast code.

/** Whether every topic that `inner` matches is matched by `outer`. Filters that only happen to be equal sets may give false. */
export function covers (outer: string, inner: string): boolean {
  const wide = outer.split('/')
  const narrow = inner.split('/')
  for (let i = 0; i < wide.length; i++) {
    const level = wide[i]
    const other = narrow[i]
    // A wildcard in front does not match $SYS and its like (4.7.2).
    if (i === 0 && (level === '#' || level === '+') && other?.startsWith('$') === true) return false
    // Also the parent: foo/# matches foo.
    if (level === '#') return true
    if (other === undefined || other === '#') return false
    if (level !== '+' && level !== other) return false
  }
  return narrow.length === wide.length
}

/** Whether some topic may be matched by both, as the trie of Aedes' persistence matches: `#` also finds `$x` there. */
export function overlap (one: string, other: string): boolean {
  const first = one.split('/')
  const second = other.split('/')
  for (let i = 0; ; i++) {
    const a = first[i]
    const b = second[i]
    if (a === '#' || b === '#' || (a === undefined && b === undefined)) return true
    if (a === undefined || b === undefined) return false
    if (a !== b && a !== '+' && b !== '+') return false
  }
}

/** Those filters that no other of them contains. */
export function outermost (filters: Iterable<string>): string[] {
  const kept: string[] = []
  for (const filter of new Set(filters)) {
    if (kept.some((other) => covers(other, filter))) continue
    for (let i = kept.length - 1; i >= 0; i--) if (covers(filter, kept[i] as string)) kept.splice(i, 1)
    kept.push(filter)
  }
  return kept
}

/** Whether a topic may be matched by two of the filters, so that Aedes stores its messages twice. */
export function overlapping (filters: readonly string[]): boolean {
  return filters.some((filter, i) => filters.some((other, j) => j > i && overlap(filter, other)))
}
