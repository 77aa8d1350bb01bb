import { NatsError } from '../errors.ts'

const BLANK = /[ \t\r\n\v\f\uFEFF]+/y
const SPACE = /[ \t]+/y
const COMMENT = /(?:#|\/\/)[^\r\n]*/y
const LINE_END = /[\r\n]/y

/** Where one reads in the text of a configuration file, and in which line that is. */
export class Scanner {
  readonly file: string
  line: number
  private readonly text: string
  private readonly prefix: string
  private at = 0

  /** `prefix` goes in front of what errors say, for a text that is not the file itself. */
  constructor (text: string, file: string, line = 1, prefix = '') {
    this.text = text
    this.file = file
    this.line = line
    this.prefix = prefix
  }

  get done (): boolean {
    return this.at >= this.text.length
  }

  /** Takes what a sticky pattern matches here, or its first group; null and nothing taken where it does not match. */
  take (pattern: RegExp): string | null {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.text)
    if (match === null) return null
    this.line += match[0].split('\n').length - 1
    this.at = pattern.lastIndex
    return match[1] ?? match[0]
  }

  /** Whether a sticky pattern matches here. */
  sees (pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    return pattern.test(this.text)
  }

  skipSpace (): void {
    this.take(SPACE)
  }

  /** Takes spaces and a comment, up to the end of the line. */
  skipLine (): void {
    this.take(SPACE)
    this.take(COMMENT)
  }

  /** Takes spaces and line ends. */
  skipBlank (): void {
    this.take(BLANK)
  }

  /** Takes spaces, line ends and comments. */
  skipComments (): void {
    while (this.take(BLANK) !== null || this.take(COMMENT) !== null);
  }

  /** What comes next, for people. */
  describeNext (): string {
    if (this.done) return 'the end of the file'
    return this.sees(LINE_END) ? 'the end of the line' : `'${this.text.charAt(this.at)}'`
  }

  fail (text: string, line = this.line): never {
    throw new NatsError('NATS_ERR_CONFIG', `${this.file}:${line}: ${this.prefix}${text}`)
  }
}
