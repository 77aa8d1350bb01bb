import { parseSize, tokenEnd } from './arguments.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20

/** The control line of a PUB or HPUB as every client library writes it: single spaces and CRLF. */
export class PublishLine {
  subject = ''
  reply = ''
  headerSize = 0
  size = 0
  /** Where the tail of the message begins: behind the subject. */
  head = 0
  /** Where the payload begins. */
  body = 0

  // hot: once per message
  /**
   * Reads the line whose subject begins at `start`.
   *
   * @param headers whether it is an HPUB
   * @returns false for any other line, or one that is not all there
   */
  read (text: string, start: number, headers: boolean): boolean {
    const subjectEnd = tokenEnd(text, start)
    if (subjectEnd === start || text.charCodeAt(subjectEnd) !== SPACE) return false
    const head = subjectEnd + 1
    // [reply] size, or [reply] header size, size
    let replyEnd = head
    let headerAt = head
    let headerEnd = head
    let sizeAt = head
    let end = tokenEnd(text, sizeAt)
    if (headers) {
      headerEnd = end
      if (end === sizeAt || text.charCodeAt(end) !== SPACE) return false
      sizeAt = end + 1
      end = tokenEnd(text, sizeAt)
    }
    if (text.charCodeAt(end) === SPACE && end > sizeAt) {
      replyEnd = headers ? headerEnd : end
      headerAt = sizeAt
      headerEnd = end
      sizeAt = end + 1
      end = tokenEnd(text, sizeAt)
    }
    if (text.charCodeAt(end) !== CR || text.charCodeAt(end + 1) !== LF) return false
    const size = parseSize(text, sizeAt, end)
    const headerSize = headers ? parseSize(text, headerAt, headerEnd) : 0
    // An empty header block is legal, and not repeated.
    if (size < 0 || headerSize < 0 || headerSize > size || (headers && headerSize === 0)) return false
    this.subject = text.slice(start, subjectEnd)
    this.reply = replyEnd === head ? '' : text.slice(head, replyEnd)
    this.headerSize = headerSize
    this.size = size
    this.head = head
    this.body = end + 2
    return true
  }
}
