import t from 'tap'
import { scenarios } from './scenarios.ts'

/** The short form of the scenarios whose name begins so: a tap test for each, at random moments, whose seed it prints. */
export function runShort (prefix: string): void {
  for (const { name, text, short, run } of scenarios) {
    if (!name.startsWith(prefix)) continue
    t.test(text, async (t) => {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const { counts, notes, broken, log } = await run(t, { ...short, seed, peer: 'aedes-nats' })
      t.comment(`${name}: ${JSON.stringify(counts)}; ${notes.join('; ')}; --only '^${name}$' --short --seed ${seed}`)
      t.strictSame(broken, [], log)
    })
  }
}
