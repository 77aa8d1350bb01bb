// Header blocks as latin1 text (nats.docs, ADR-4): `NATS/1.0[ status[ description]]`, a line `Name: value` each, an empty
// line. nats-server hands them on unread, so anything may stand in one.

const version = 'NATS/1.0'

/** A block with these lines, `Name: value` each. */
export function headerBlock (lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${version}\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** Calls back for each line that has a name, as clients read it: white space around the value does not count. */
export function eachHeader (block: string, callback: (name: string, value: string) => void): void {
  let at = block.indexOf('\r\n')
  while (at !== -1) {
    const start = at + 2
    at = block.indexOf('\r\n', start)
    const end = at === -1 ? block.length : at
    const colon = block.indexOf(':', start)
    if (colon > start && colon < end) callback(block.slice(start, colon), block.slice(colon + 1, end).trim())
  }
}

/** The block with lines more, in front of those that it has. */
export function withLines (block: string, lines: string): string {
  const first = block.indexOf('\r\n')
  return first === -1 ? `${version}\r\n${lines}\r\n` : block.slice(0, first + 2) + lines + block.slice(first + 2)
}
