import type { PublishRule } from '../options.ts'
import { Trie } from '../subject/trie.ts'
import { encodeText } from '../wire/text.ts'
import { type Publishing, retainFlag } from './properties.ts'

/** The option `publish`: subject filters with a rule each. The first that matches counts. */
export class PublishRules {
  private readonly rules = new Trie<{ readonly order: number, readonly publishing: Publishing }>()

  constructor (rules: Readonly<Record<string, PublishRule>>) {
    for (const [order, [filter, { qos = 0, retain = false }]] of Object.entries(rules).entries()) {
      this.rules.insert(encodeText(filter), { order, publishing: qos | (retain ? retainFlag : 0) })
    }
  }

  publishingOf (subject: string): Publishing {
    if (this.rules.size === 0) return 0
    const found: { readonly order: number, readonly publishing: Publishing }[] = []
    this.rules.match(subject, found)
    return found.reduce((first, each) => each.order < first.order ? each : first, { order: Infinity, publishing: 0 }).publishing
  }
}
