import { maxSizeDigits } from './limits.ts'

const SPACE = 0x20
const TAB = 0x09

export function isBlank (code: number): boolean {
  return code === SPACE || code === TAB
}

/** The place of the first blank or control character from `at` on. */
export function tokenEnd (text: string, at: number): number {
  let end = at
  while (text.charCodeAt(end) > SPACE) end++
  return end
}

/** A size of 1 to 9 digits, or -1 (server/util.go parseSize). */
export function parseSize (text: string, at: number, end: number): number {
  if (at === end || end - at > maxSizeDigits) return -1
  let size = 0
  for (let i = at; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    size = size * 10 + digit
  }
  return size
}

function isNotEmpty (text: string): boolean {
  return text !== ''
}

/** The arguments of SUB and UNSUB (server/client.go splitArg). */
export function splitArguments (argument: string): string[] {
  return argument.split(/[ \t\r\n]+/).filter(isNotEmpty)
}

/** The arguments of a PUB or HPUB; sizes that are no number or contradict each other are -1. */
export interface PublishArguments {
  readonly subject: string
  readonly reply: string
  readonly headerSize: number
  readonly size: number
  /** The tail of the message up to its header block, sizes as the client spelt them. */
  readonly head: string
}

/** Null when there are too few or too many (server/client.go processPub, processHeaderPub). */
export function parsePublish (argument: string, headers: boolean): PublishArguments | null {
  const words = argument.split(/[ \t]+/).filter(isNotEmpty)
  const sizeText = words.pop() ?? ''
  const headerText = headers ? words.pop() ?? '' : '0'
  const [subject, reply, ...more] = words
  if (subject === undefined || more.length > 0) return null
  const size = parseSize(sizeText, 0, sizeText.length)
  const headerSize = parseSize(headerText, 0, headerText.length)
  if (headerSize < 0 || headerSize > size) return null
  // A header block of no bytes is legal, and its message a MSG for everybody.
  const sizes = headerSize === 0 ? sizeText : `${headerText} ${sizeText}`
  return { subject, reply: reply ?? '', headerSize, size, head: `${reply === undefined ? '' : `${reply} `}${sizes}\r\n` }
}
