// npm run fuzz -- [--minutes N] [--seed N] [--cases N]
//
// Generated frames against the gateway, beside nats-server. `--seed N --cases 1` repeats what was reported of seed N.
import { parseArgs } from 'node:util'
import { fuzz } from './fuzzer.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, cases: { type: 'string' } } })
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const cases = Number(values.cases ?? Infinity)
const until = values.cases === undefined ? Date.now() + Number(values.minutes) * 60_000 : Infinity
if (!Number.isInteger(seed) || Number.isNaN(cases) || Number.isNaN(until)) throw new Error('usage: npm run fuzz -- [--minutes N] [--seed N] [--cases N]')

const ends: (() => unknown)[] = []
const log = (text: string): void => { console.log(text) }
log(`seed ${seed}`)
const findings = await fuzz({ teardown: (end) => { ends.push(end) } }, { seed, cases, until, log })
for (const end of ends.toReversed()) await end()
log(`${findings.cases} cases from seed ${seed}, ${findings.exchanges} exchanges of bystanders: ${findings.failures.length} failures, ` +
  `${findings.differences.length} differences to nats-server, ${(findings.growth / 1024).toFixed(0)} KiB grown`)
process.exitCode = findings.failures.length > 0 ? 1 : 0
