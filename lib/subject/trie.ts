const DOT = 0x2e

class Node<T> {
  /** Children by literal token; most nodes have none. */
  literal: Map<string, Node<T>> | null = null
  /** The child for `*`. */
  one: Node<T> | null = null
  /** Values whose filter ends here. */
  values: Set<T> | null = null
  /** Values whose filter goes on with `>`. */
  rest: Set<T> | null = null

  get isEmpty (): boolean {
    return this.literal === null && this.one === null && this.values === null && this.rest === null
  }
}

/** The way not taken at a node whose literal child fits, too. */
interface Branch<T> {
  readonly node: Node<T>
  readonly at: number
}

function addAll<T> (found: T[], values: Set<T>): void {
  for (const value of values) found.push(value)
}

/**
 * Subscription filters and the subjects that match them: `*` is one token that is not empty, a final `>` one or more
 * (server/sublist.go). The cost of a match does not depend on the number of filters, but on that of the tokens, and of the
 * nodes that fit: `*` and the literal token at each of n levels make 2^n of them, by as many filters.
 */
export class Trie<T> {
  private readonly root = new Node<T>()
  size = 0

  /** `filter` must be one that `isFilter` allows. */
  insert (filter: string, value: T): void {
    const tokens = filter.split('.')
    const full = tokens.at(-1) === '>'
    if (full) tokens.pop()
    let node = this.root
    for (const token of tokens) {
      if (token === '*') {
        node = node.one ??= new Node()
      } else {
        node.literal ??= new Map()
        let child = node.literal.get(token)
        if (child === undefined) node.literal.set(token, child = new Node())
        node = child
      }
    }
    const values = full ? node.rest ??= new Set() : node.values ??= new Set()
    values.add(value)
    this.size++
  }

  /** Does nothing when `value` is not there. */
  remove (filter: string, value: T): void {
    const tokens = filter.split('.')
    const full = tokens.at(-1) === '>'
    if (full) tokens.pop()
    const path: Node<T>[] = [this.root]
    for (const token of tokens) {
      const node = path.at(-1) as Node<T>
      const child = token === '*' ? node.one : node.literal?.get(token)
      if (child === null || child === undefined) return
      path.push(child)
    }
    const last = path.at(-1) as Node<T>
    const values = full ? last.rest : last.values
    if (values === null || !values.delete(value)) return
    this.size--
    if (values.size > 0) return
    if (full) last.rest = null
    else last.values = null
    this.prune(path, tokens)
  }

  private prune (path: readonly Node<T>[], tokens: readonly string[]): void {
    for (let i = tokens.length - 1; i >= 0; i--) {
      const child = path[i + 1] as Node<T>
      const parent = path[i] as Node<T>
      if (!child.isEmpty) return
      const token = tokens[i] as string
      if (token === '*') {
        parent.one = null
      } else {
        parent.literal?.delete(token)
        if (parent.literal?.size === 0) parent.literal = null
      }
    }
  }

  /**
   * Adds to `found` every value whose filter matches. A subject with an empty token matches nothing.
   *
   * @param literalStart leaves out filters with a wildcard among so many first tokens
   */
  match (subject: string, found: T[], literalStart = 0): void {
    if (subject === '' || subject.startsWith('.') || subject.endsWith('.') || subject.includes('..')) return
    let node = this.root
    let at = 0
    for (let left = literalStart; left > 0 && at < subject.length; left--) {
      const dot = subject.indexOf('.', at)
      const child = node.literal?.get(dot === -1 ? subject.slice(at) : subject.slice(at, dot))
      if (child === undefined) return
      node = child
      at = dot === -1 ? subject.length : dot + 1
    }
    this.descend(node, subject, at, found)
  }

  /** Looks at each node once at most; a filter may have any number of tokens, so the way back is no recursion. */
  private descend (from: Node<T>, subject: string, start: number, found: T[]): void {
    let branches: Branch<T>[] | null = null
    let node: Node<T> | null = from
    let at = start
    while (node !== null) {
      let next: Node<T> | null = null
      if (at === subject.length) {
        if (node.values !== null) addAll(found, node.values)
      } else {
        if (node.rest !== null) addAll(found, node.rest)
        if (node.literal !== null || node.one !== null) {
          let end = at
          while (end < subject.length && subject.charCodeAt(end) !== DOT) end++
          next = node.literal?.get(subject.slice(at, end)) ?? null
          at = end === subject.length ? end : end + 1
          if (next === null) next = node.one
          else if (node.one !== null) (branches ??= []).push({ node: node.one, at })
        }
      }
      if (next === null) {
        const branch: Branch<T> | undefined = branches?.pop()
        if (branch === undefined) return
        next = branch.node
        at = branch.at
      }
      node = next
    }
  }
}
