import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Process } from '../helper/processes.ts'

// The recorded exchanges that stand beside the checkout where the project is developed; not part of it.
const folder = new URL('../../../shared/conformance/', import.meta.url)
const skip = !existsSync(folder) && 'no folder shared/ beside this checkout'

// Credentials and permissions belong to a later version.
const configs = new Set(['default', 'maxpay', 'mcl256', 'nohdr', 'maxconn', 'maxsubs', 'ping', 'adv', 'ldm'])

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname

for (const [name, command] of [['aedes-nats', `${process.execPath} ${main}`], ['nats-server', 'nats-server']] as const) {
  t.test(`${name} answers the recorded exchanges`, { skip }, async (t) => {
    const { cases } = JSON.parse(readFileSync(new URL('exchanges.json', folder), 'utf8')) as { cases: { id: string, config: string }[] }
    const only = cases.filter(({ config }) => configs.has(config)).map(({ id }) => id)
    const run = new Process(t, process.execPath, [new URL('run.mjs', folder).pathname, '--server', command, '--only', only.join()])
    t.equal(await run.exit(), 0)
    t.equal(run.output.trim().split('\n').at(-1), `${only.length} passed, 0 failed`)
    t.ok(only.length > 80)
  })
}
