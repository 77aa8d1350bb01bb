// npm run test:crash: what survives when processes are killed. One line of counts for each run; exit status 1 when
// something acknowledged was lost, or another bound of a scenario was broken.
import { parseArgs } from 'node:util'
import { Cleaner } from '../helper/cleaner.ts'
import { type Dose, type Outcome, type Scenario, scenarios } from './scenarios.ts'

const usage = `usage: npm run test:crash -- [--only REGEX] [--messages N] [--kills N] [--seed N] [--short] [--peer session|aedes]

--seed repeats the moments of a run that it was printed for; --peer session
puts persistent MQTT sessions in the place of durable groups, --peer aedes on stock Aedes besides.`

function quit (message: string): never {
  console.error(message)
  process.exit(2)
}

function count (value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < least) quit(`not a number: ${value}\n${usage}`)
  return number
}

function readSettings (): { chosen: readonly Scenario[], doseOf (scenario: Scenario): Dose } {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        messages: { type: 'string' },
        kills: { type: 'string' },
        seed: { type: 'string' },
        short: { type: 'boolean', default: false },
        peer: { type: 'string', default: 'aedes-nats' }
      }
    })
    const { peer } = values
    if (peer !== 'aedes-nats' && peer !== 'session' && peer !== 'aedes') return quit(`no peer is called '${peer}'\n${usage}`)
    const chosen = scenarios.filter(({ name }) => new RegExp(values.only).test(name))
    if (chosen.length === 0) quit(`no scenario is left: ${scenarios.map(({ name }) => name).join(', ')}`)
    const messages = count(values.messages, 1)
    const kills = count(values.kills, 0)
    const seed = count(values.seed, 0) ?? Math.floor(Math.random() * 2 ** 31)
    return {
      chosen,
      doseOf: (scenario) => {
        const usual = values.short ? scenario.short : scenario
        return { messages: messages ?? usual.messages, kills: kills ?? usual.kills, seed, peer }
      }
    }
  } catch (error) {
    return quit(`${(error as Error).message}\n${usage}`)
  }
}

function print (scenario: Scenario, { counts, notes, broken, log }: Outcome, seed: number, seconds: number): void {
  const { published, acknowledged, delivered, lost, duplicated } = counts
  console.log(`${scenario.name.padEnd(23)} published ${published}  acknowledged ${acknowledged}  delivered ${delivered}  ` +
    `lost ${lost}  duplicated ${duplicated}  (${notes.join('; ')}; seed ${seed}; ${seconds.toFixed(1)} s)`)
  for (const text of broken) console.log(`  BROKEN: ${text}`)
  if (log !== '') console.log(log.replaceAll(/^(?=.)/gm, '    | ').trimEnd())
}

const { chosen, doseOf } = readSettings()
let failed = 0
let cleaner = new Cleaner()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => { cleaner.clean().finally(() => process.exit(130)) })
}
for (const scenario of chosen) {
  cleaner = new Cleaner()
  const dose = doseOf(scenario)
  const began = Date.now()
  try {
    const outcome = await scenario.run(cleaner, dose)
    print(scenario, outcome, dose.seed, (Date.now() - began) / 1000)
    if (outcome.broken.length > 0) failed++
  } catch (error) {
    console.log(`${scenario.name.padEnd(23)} BROKEN (seed ${dose.seed}): ${(error as Error).message}`)
    failed++
  }
  await cleaner.clean()
}
process.exit(failed > 0 ? 1 : 0)
