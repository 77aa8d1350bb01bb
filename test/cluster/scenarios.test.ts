import t from 'tap'
import { Nodes } from './nodes.ts'
import { scenarios } from './scenarios.ts'

// The short form of the scenarios that have one; those with nodes of their own come in `npm run test:cluster`.
t.test('three nodes in processes of their own', async (t) => {
  const nodes = await Nodes.start(t)
  for (const { name, text, short, nodes: own, run } of scenarios) {
    if (short === null || own !== undefined) continue
    await t.test(text, async (t) => {
      const { counts, notes, broken } = await run(t, nodes, short)
      t.comment(`${name}: ${JSON.stringify(counts)}; ${notes.join('; ')}`)
      t.strictSame(broken, [])
    })
  }
})
