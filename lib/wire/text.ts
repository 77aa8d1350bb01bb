// The wire is bytes. Inside the gateway they are latin1 strings, one character a byte: V8 cuts, joins and
// compares those without copying, which is what makes the path from socket to socket fast.

/** The bytes of a UTF-8 string as latin1 text. */
export function encodeText (text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The string whose UTF-8 bytes `text` holds; null when they are none. */
export function decodeText (text: string): string | null {
  if (/^[\0-\x7f]*$/.test(text)) return text
  try {
    return decoder.decode(Buffer.from(text, 'latin1'))
  } catch {
    return null
  }
}

/**
 * A copy with memory of its own. A slice of a chunk keeps the whole chunk alive (V8 sliced strings),
 * so what outlives its chunk goes through here.
 */
export function detach (text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

const shortEscapes: Record<string, string> = {
  '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '"': '\\"', '\\': '\\\\'
}

function hex (code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}

function quoteRune (rune: string): string {
  const short = shortEscapes[rune]
  if (short !== undefined) return short
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(rune)) return rune
  const code = rune.codePointAt(0) as number
  if (code < 0x80) return `\\x${hex(code, 2)}`
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

// One rune of well-formed UTF-8, or one byte that is not part of any.
const utf8Runes = new RegExp([
  '[\\x00-\\x7f]', '[\\xc2-\\xdf][\\x80-\\xbf]',
  '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]', '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}', '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
  '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}', '[\\xf1-\\xf3][\\x80-\\xbf]{3}', '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
  '[\\x80-\\xff]'
].join('|'), 'g')

/** Quotes as Go's `%q` does, which nats-server writes names with in `-ERR` lines. Latin1 text in and out. */
export function quote (text: string): string {
  const quoted = text.replace(utf8Runes, (bytes) => {
    const rune = decodeText(bytes)
    return rune === null ? `\\x${hex(bytes.charCodeAt(0), 2)}` : encodeText(quoteRune(rune))
  })
  return `"${quoted}"`
}
