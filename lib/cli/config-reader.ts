import type { Block, ConfigNode } from './config-parser.ts'
import { parseDuration } from './durations.ts'

/** An address to listen on; the host is null where the file leaves it to the default. */
export interface Listen {
  readonly host: string | null
  readonly port: number
}

function show (node: ConfigNode): string {
  switch (node.kind) {
    case 'string': return JSON.stringify(node.value)
    case 'array': return 'an array'
    case 'block': return 'a block'
    case 'date': return 'a date'
    default: return String(node.value)
  }
}

/**
 * Takes values out of a configuration and collects what is wrong with them, so that an operator sees all of
 * it at once. A value that is absent or wrong is null.
 */
export class ConfigReader {
  private readonly problems: { readonly file: string, readonly line: number, readonly text: string }[] = []
  readonly warnings: string[] = []
  /** What nats-server knows and we do not obey, by its path. */
  readonly ignored = new Set<string>()

  get isFaulty (): boolean {
    return this.problems.length > 0
  }

  problem (node: ConfigNode, text: string): null {
    this.problems.push({ file: node.file, line: node.line, text })
    return null
  }

  /** What is wrong, one line each with file and line of the file, from the top; empty if nothing is. */
  get report (): string {
    return this.problems.toSorted((a, b) => a.line - b.line).map(({ file, line, text }) => `${file}:${line}: ${text}`).join('\n')
  }

  wrong (node: ConfigNode, allowed: string, shown = show(node)): null {
    return this.problem(node, `${node.name} is ${shown}: allowed is ${allowed}`)
  }

  block (node: ConfigNode | undefined): Block | null {
    if (node === undefined || node.kind === 'block') return node?.value ?? null
    return this.wrong(node, 'a block in braces')
  }

  /**
   * The values of a block by the first name of their key. `known` has the other names of each key, `ignored` the
   * names that are allowed and not obeyed.
   */
  keys<K extends string> (block: Block, path: string, known: Readonly<Record<K, readonly string[]>>, ignored: readonly string[] = []): Partial<Record<K, ConfigNode>> {
    const names = new Map<string, K>()
    for (const key of Object.keys(known) as K[]) {
      for (const name of [key, ...known[key]]) names.set(name, key)
    }
    const found: Partial<Record<K, ConfigNode>> = {}
    for (const [written, node] of block) {
      const name = written.toLowerCase()
      const key = names.get(name)
      if (key !== undefined) found[key] = node
      else if (ignored.includes(name)) this.ignored.add(path + name)
      else if (!node.used) this.problem(node, `unknown key '${written}': known are ${Object.keys(known).join(', ')}`)
    }
    return found
  }

  text (node: ConfigNode | undefined): string | null {
    if (node === undefined || node.kind === 'string') return node?.value ?? null
    return this.wrong(node, 'a string')
  }

  /** A string that no error may show. */
  secret (node: ConfigNode | undefined): string | null {
    if (node === undefined || node.kind === 'string') return node?.value ?? null
    return this.wrong(node, 'a string; digits alone go in quotes', 'none')
  }

  flag (node: ConfigNode | undefined): boolean | null {
    if (node === undefined || node.kind === 'boolean') return node?.value ?? null
    return this.wrong(node, 'true or false')
  }

  integer (node: ConfigNode | undefined): number | null {
    if (node === undefined || node.kind === 'integer') return node?.value ?? null
    return this.wrong(node, 'a whole number')
  }

  items (node: ConfigNode | undefined): readonly ConfigNode[] | null {
    if (node === undefined || node.kind === 'array') return node?.value ?? null
    return this.wrong(node, 'an array in brackets')
  }

  /** An array of strings, or one string alone. */
  texts (node: ConfigNode | undefined): string[] | null {
    if (node === undefined) return null
    if (node.kind === 'string') return [node.value]
    if (node.kind !== 'array') return this.wrong(node, 'a string or an array of strings')
    return node.value.map((item) => this.text(item) ?? '')
  }

  /** Milliseconds. nats-server takes a bare number for seconds in some places and in others not at all. */
  duration (node: ConfigNode | undefined, bare: 'seconds' | 'warn' | 'refuse'): number | null {
    if (node === undefined) return null
    if (node.kind === 'string') return parseDuration(node.value) ?? this.wrong(node, 'a duration such as "10s", "500ms" or "1h30m"')
    const seconds = node.kind === 'integer' || (node.kind === 'float' && bare === 'seconds') ? node.value : null
    if (seconds === null || bare === 'refuse') return this.wrong(node, 'a duration in quotes such as "10s", "500ms" or "1h30m"')
    if (bare === 'warn') this.warnings.push(`${node.file}:${node.line}: ${node.name} is taken for ${seconds} seconds; write a duration in quotes, such as "10s"`)
    return seconds * 1000
  }

  /** A port, `host:port`, `:port` or `[address]:port`. */
  listen (node: ConfigNode | undefined): Listen | null {
    if (node === undefined) return null
    if (node.kind === 'integer') return this.listenOn(node, null, node.value)
    const [, address, host, port] = (node.kind === 'string' && /^(?:\[([^[\]]*)\]|([^:[\]]*)):([+-]?\d+)$/.exec(node.value)) || []
    if (port === undefined) return this.wrong(node, "a port or 'host:port'")
    return this.listenOn(node, address || host || null, Number(port))
  }

  port (node: ConfigNode | undefined): number | null {
    const port = this.integer(node)
    return node === undefined || port === null ? null : this.listenOn(node, null, port)?.port ?? null
  }

  private listenOn (node: ConfigNode, host: string | null, port: number): Listen | null {
    if (port < -1 || port > 65535) return this.wrong(node, 'a port from 0 to 65535, or -1 for any free one')
    return { host, port }
  }
}
