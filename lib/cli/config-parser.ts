import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NatsError } from '../errors.ts'
import { badEscape, readWord, unescape } from './config-scalars.ts'
import type { Scalar } from './config-scalars.ts'
import { Scanner } from './config-scanner.ts'

/** The keys of a block in the order of the file; a key given twice has its last value. */
export type Block = Map<string, ConfigNode>

/** A value of a configuration file and where its key stands. */
export type ConfigNode = {
  /** The key, also for what stands in its array. */
  readonly name: string
  readonly file: string
  readonly line: number
  /** Whether a `$NAME` referred to it: then it may be a key that nobody knows. */
  used: boolean
} & (Scalar | { readonly kind: 'array', readonly value: readonly ConfigNode[] } | { readonly kind: 'block', readonly value: Block })

export type Environment = Readonly<Record<string, string | undefined>>

const BARE_KEY = /[^ \t\r\n\v\f=:,;[\](){}'"][^ \t\r\n\v\f=:]*/y
const QUOTED_KEY = /"[^"]*"|'[^']*'/y
const KEY_SEPARATOR = /[=:]/y
const BLOCK_OPEN = /\{/y
const BLOCK_CLOSE = /\}/y
const BLOCK_END = /[\r\n,;]/y
const ARRAY_OPEN = /\[/y
const ARRAY_CLOSE = /\]/y
const ARRAY_END = /[\r\n,]/y
const TEXT_OPEN = /\(/y
const TEXT = /([^]*?\n)\)(?=\r?\n|$)/y
const RAW = /'([^']*)'/y
const QUOTED = /"([^"\\]*(?:\\[^][^"\\]*)*)"/y
const WORD = /(?:[^ \t\r\n,;\]}'\\]+|\\[^])+/y
const SPACE = /[ \t]/y
const INCLUDED = /"[^"]*"|'[^']*'|[^ \t\r\n;}'"[{(\\\d-][^ \t\r\n;}']*/y

/** The keys whose values no error may show, by what is in their names: a bcrypt hash without quotes looks like a variable. */
const SECRET = /pass|token|secret|seed|jwt/i

/** Deeper than any configuration, less deep than the stack of calls. */
const maxDepth = 200

/** Reads one text: a file, or the value of an environment variable. */
class ConfigParser {
  private readonly scanner: Scanner
  private readonly environment: Environment
  /** The files that include each other down to this one, or the variables that refer to each other. */
  private readonly chain: readonly string[]
  private readonly scopes: Block[] = []
  private depth = 0

  constructor (scanner: Scanner, environment: Environment, chain: readonly string[]) {
    this.scanner = scanner
    this.environment = environment
    this.chain = chain
  }

  file (): Block {
    const root: Block = new Map()
    this.entries(root, 0)
    return root
  }

  /** Reads keys and values: those of the file, of braces around them all, or of a block that opened on the given line. */
  private entries (target: Block, opened: number): void {
    const { scanner } = this
    const top = this.scopes.length === 0 || this.scopes[0] === target
    this.scopes.push(target)
    for (;;) {
      scanner.skipComments()
      if (scanner.done && opened === 0) break
      if (scanner.done) scanner.fail(`the block that begins on line ${opened} does not end`)
      const { line } = scanner
      if (scanner.take(BLOCK_CLOSE) !== null) {
        if (opened === 0) this.strayBrace(line)
        break
      }
      if (top && scanner.take(BLOCK_OPEN) !== null) this.entries(target, line)
      else this.entry(target, top)
    }
    this.scopes.pop()
  }

  /** nats-server lets a `}` too many pass at the end of the file. */
  private strayBrace (line: number): void {
    this.scanner.skipComments()
    if (!this.scanner.done) this.scanner.fail("a '}' without its '{'", line)
  }

  private entry (target: Block, top: boolean): void {
    const { scanner } = this
    const { line } = scanner
    const key = this.key()
    if (key === null) return this.include(target, line)
    scanner.skipBlank()
    if (scanner.take(KEY_SEPARATOR) !== null) {
      if (top) scanner.skipSpace()
      else scanner.skipBlank()
    }
    target.set(key, this.value(key, line))
    this.end(BLOCK_END, BLOCK_CLOSE)
  }

  /** The key, or null after the word `include`. */
  private key (): string | null {
    const { scanner } = this
    const quoted = scanner.take(QUOTED_KEY)
    if (quoted !== null) return quoted.slice(1, -1)
    const bare = scanner.take(BARE_KEY) ?? scanner.fail(`expected a key, not ${scanner.describeNext()}`)
    return bare.toLowerCase() === 'include' && scanner.sees(SPACE) ? null : bare
  }

  private include (target: Block, line: number): void {
    const { scanner } = this
    scanner.skipSpace()
    const name = scanner.take(INCLUDED) ?? scanner.fail(`expected a file to include, not ${scanner.describeNext()}`)
    this.end(BLOCK_END, BLOCK_CLOSE)
    const path = join(dirname(scanner.file), name.replace(/^(["'])(.*)\1$/, '$2'))
    const absolute = resolve(path)
    if (this.chain.includes(absolute)) scanner.fail(`${path} includes itself`, line)
    const text = this.read(path, line)
    const included = new ConfigParser(new Scanner(text, path), this.environment, [...this.chain, absolute]).file()
    for (const [key, node] of included) target.set(key, node)
  }

  private read (path: string, line: number): string {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      return this.scanner.fail(`cannot include ${path}: ${(error as Error).message}`, line)
    }
  }

  /** Takes the end of a value: a separator, or what closes the block or array, which stays. */
  private end (separator: RegExp, closer: RegExp): void {
    const { scanner } = this
    scanner.skipLine()
    if (scanner.done || scanner.take(separator) !== null || scanner.sees(closer)) return
    scanner.fail(`expected the value to end, not ${scanner.describeNext()}`)
  }

  value (name: string, line: number): ConfigNode {
    if (++this.depth > maxDepth) this.scanner.fail(`more than ${maxDepth} blocks and arrays inside each other`)
    const node = this.open(name, line)
    this.depth--
    return node
  }

  private open (name: string, line: number): ConfigNode {
    const { scanner } = this
    const at = { name, file: scanner.file, line, used: false }
    const opened = scanner.line
    if (scanner.take(BLOCK_OPEN) !== null) {
      const value: Block = new Map()
      this.entries(value, opened)
      return { ...at, kind: 'block', value }
    }
    if (scanner.take(ARRAY_OPEN) !== null) return { ...at, kind: 'array', value: this.array(name, opened) }
    if (scanner.take(TEXT_OPEN) !== null) {
      const value = scanner.take(TEXT) ?? scanner.fail("the text in parentheses does not end: ')' stands alone on a line")
      return { ...at, kind: 'string', value }
    }
    return this.scalar(at)
  }

  private array (name: string, opened: number): ConfigNode[] {
    const { scanner } = this
    const items: ConfigNode[] = []
    for (;;) {
      scanner.skipComments()
      if (scanner.done) scanner.fail(`the array that begins on line ${opened} does not end`)
      if (scanner.take(ARRAY_CLOSE) !== null) return items
      items.push(this.value(name, scanner.line))
      this.end(ARRAY_END, ARRAY_CLOSE)
    }
  }

  private scalar (at: Pick<ConfigNode, 'name' | 'file' | 'line' | 'used'>): ConfigNode {
    const { scanner } = this
    const raw = scanner.take(RAW)
    if (raw !== null) return { ...at, kind: 'string', value: raw }
    const quoted = scanner.take(QUOTED)
    if (quoted !== null) return { ...at, kind: 'string', value: unescape(quoted) ?? scanner.fail(badEscape.text) }
    if (scanner.sees(/['"]/y)) scanner.fail('the quoted text does not end')
    const text = scanner.take(WORD) ?? scanner.fail(`expected a value for '${at.name}', not ${scanner.describeNext()}`)
    const word = readWord(text, SECRET.test(at.name) ? 'the value' : text)
    if (word.kind === 'error') return scanner.fail(word.text)
    if (word.kind === 'variable') return { ...this.variable(word.name, at.name), ...at }
    return { ...at, ...word }
  }

  /** The value of the innermost block's earlier key of that name, or else of the environment's variable. */
  private variable (variable: string, name: string): ConfigNode {
    for (const scope of this.scopes.toReversed()) {
      const found = scope.get(variable)
      if (found === undefined) continue
      found.used = true
      return found
    }
    const text = (Object.hasOwn(this.environment, variable) ? this.environment[variable] : null) ?? this.scanner.fail(`the variable ${SECRET.test(name) ? 'here' : `$${variable}`} is not set; a text that begins with $ goes in quotes`)
    return this.fromEnvironment(variable, text.trim(), name)
  }

  private fromEnvironment (variable: string, text: string, name: string): ConfigNode {
    const { file, line } = this.scanner
    const reference = `$${variable}`
    if (this.chain.includes(reference)) this.scanner.fail(`the variable ${reference} refers to itself`)
    const scanner = new Scanner(text, file, line, `in the variable ${reference}: `)
    if (text === '') return { name, file, line, used: false, kind: 'string', value: '' }
    const node = new ConfigParser(scanner, this.environment, [...this.chain, reference]).value(name, line)
    scanner.skipComments()
    if (!scanner.done) scanner.fail(`expected the value to end, not ${scanner.describeNext()}`)
    return node
  }
}

/** Reads the text of a configuration file. `file` is its name in errors and the place that included files are relative to. */
export function parseConfig (text: string, file: string, environment: Environment): Block {
  return new ConfigParser(new Scanner(text, file), environment, [resolve(file)]).file()
}

/**
 * Reads a file in nats-server's configuration language (its conf/lex.go and conf/parse.go).
 *
 * @throws {NatsError} NATS_ERR_CONFIG, with file and line.
 */
export function loadConfig (file: string, environment: Environment): Block {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new NatsError('NATS_ERR_CONFIG', `cannot read the configuration file: ${(error as Error).message}`)
  }
  return parseConfig(text, file, environment)
}
