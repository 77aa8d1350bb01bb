import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Process } from '../helper/processes.ts'

// The recorded exchanges that stand beside the checkout where the project is developed; not part of it.
const folder = new URL('../../../shared/conformance/', import.meta.url)
const skip = !existsSync(folder) && 'no folder shared/ beside this checkout'

/** How many there were when this was written: fewer of them would prove less. */
const least = 101

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname

// Both wait, most of the time, for what must not come.
t.jobs = 2
for (const [name, command] of [['aedes-nats', `${process.execPath} ${main}`], ['nats-server', 'nats-server']] as const) {
  t.test(`${name} answers the recorded exchanges`, { skip, buffered: true }, async (t) => {
    const { cases } = JSON.parse(readFileSync(new URL('exchanges.json', folder), 'utf8')) as { cases: unknown[] }
    const run = new Process(t, process.execPath, [new URL('run.mjs', folder).pathname, '--server', command])
    t.equal(await run.exit(), 0, run.output)
    t.equal(run.output.trim().split('\n').at(-1), `${cases.length} passed, 0 failed`)
    t.ok(cases.length >= least)
  })
}
