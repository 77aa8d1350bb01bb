// Header blocks as latin1 text (nats.docs, ADR-4): `NATS/1.0[ status[ description]]`, a line `Name: value` each, an empty
// line. nats-server hands them on unread, so anything may stand in one.

const version = 'NATS/1.0'

// A name is of printable ASCII without the colon. At any other nats.js throws, async-nats panics and Python takes the rest
// for the payload, so other bytes are percent-encoded. (NUL is in no text of MQTT.)
const escapes = '0[1-9A-F]|1[0-9A-F]|2[05]|3A|7F|[89A-F][0-9A-F]'
const toEscape = new RegExp(`[^!-9;-~]|%(?=${escapes})`, 'g')
const escaped = new RegExp(`%(${escapes})`, 'g')
// CR and LF end a value; nats.java throws at the other control characters.
const forbiddenInValues = /[\0-\x08\n-\x1f\x7f]/g // eslint-disable-line no-control-regex -- those are looked for

/** Any text as a header name; `nameOf` is its inverse. */
export function headerName (text: string): string {
  return text.replace(toEscape, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** The text that a header name stands for. */
export function nameOf (name: string): string {
  return name.includes('%') ? name.replace(escaped, (_, code: string) => String.fromCharCode(parseInt(code, 16))) : name
}

/** Any text as a header value, with spaces for the characters that would end it. */
export function headerValue (text: string): string {
  return text.replace(forbiddenInValues, ' ')
}

/** A block with these lines, `Name: value` each. */
export function headerBlock (lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${version}\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** Calls back for each line that has a name, as clients read it: blanks around the value do not count. */
export function eachHeader (block: string, callback: (name: string, value: string) => void): void {
  let at = block.indexOf('\r\n')
  let colon = 0
  while (at !== -1) {
    const start = at + 2
    at = block.indexOf('\r\n', start)
    const end = at === -1 ? block.length : at
    // A block may be a million empty lines: no byte is looked at for each.
    if (colon < start) colon = block.indexOf(':', start)
    if (colon === -1) return
    if (colon > start && colon < end) callback(block.slice(start, colon), valueBetween(block, colon + 1, end))
  }
}

function isBlank (code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Not trim(): that takes the last byte of `à` for a no-break space. */
function valueBetween (block: string, start: number, end: number): string {
  while (start < end && isBlank(block.charCodeAt(start))) start++
  while (end > start && isBlank(block.charCodeAt(end - 1))) end--
  return block.slice(start, end)
}

/** The block with lines more, in front of those that it has. */
export function withLines (block: string, lines: string): string {
  const first = block.indexOf('\r\n')
  return first === -1 ? `${version}\r\n${lines}\r\n` : block.slice(0, first + 2) + lines + block.slice(first + 2)
}
