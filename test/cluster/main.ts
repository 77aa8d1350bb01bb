// npm run test:cluster: three nodes on one Redis, in processes of their own, and what may happen to them. One line of
// counts for each scenario; exit status 1 when something was not as it has to be.
import { parseArgs } from 'node:util'
import { Cleaner } from '../helper/cleaner.ts'
import { Nodes } from './nodes.ts'
import { scenarios } from './scenarios.ts'
import type { Outcome, Scenario } from './scenario.ts'

const usage = 'usage: npm run test:cluster -- [--only REGEX] [--short]'

function readSettings (): { chosen: readonly Scenario[], isShort: boolean } {
  try {
    const { values: { only, short } } = parseArgs({ options: { only: { type: 'string', default: '' }, short: { type: 'boolean', default: false } } })
    const chosen = scenarios.filter(({ name }) => new RegExp(only).test(name))
    if (chosen.length > 0) return { chosen, isShort: short }
    console.error(`no scenario is left: ${scenarios.map(({ name }) => name).join(', ')}`)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
  }
  process.exit(2)
}

function print ({ name }: Scenario, { counts: { sent, received, duplicated, lost }, notes, broken }: Outcome, seconds: number): void {
  console.log(`${name.padEnd(17)} sent ${sent}  received ${received}  duplicated ${duplicated}  lost ${lost}  (${[...notes, `${seconds.toFixed(1)} s`].join('; ')})`)
  for (const text of broken) console.log(`  BROKEN: ${text}`)
}

const { chosen, isShort } = readSettings()
let failed = 0
let cleaner = new Cleaner()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => { cleaner.clean().finally(() => process.exit(130)) })
}
for (const scenario of chosen) {
  cleaner = new Cleaner()
  const began = Date.now()
  let nodes: Nodes | null = null
  try {
    nodes = await Nodes.start(cleaner, scenario.nodes)
    const outcome = await scenario.run(cleaner, nodes, isShort ? scenario.short ?? 0.3 : 1)
    print(scenario, outcome, (Date.now() - began) / 1000)
    if (outcome.broken.length === 0) nodes = null
  } catch (error) {
    console.log(`${scenario.name.padEnd(17)} BROKEN: ${(error as Error).message}`)
  }
  if (nodes !== null) {
    failed++
    for (const { id, lastWords } of nodes.all) console.log(lastWords.replaceAll(/^(?=.)/gm, `    ${id} | `).trimEnd())
  }
  await cleaner.clean()
}
process.exit(failed > 0 ? 1 : 0)
