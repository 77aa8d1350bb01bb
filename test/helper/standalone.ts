import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createLog } from '../../lib/cli/logger.ts'
import { readCommand, type Settings } from '../../lib/cli/settings.ts'
import { startStandalone } from '../../lib/cli/standalone.ts'
import type { Teardown } from './brokers.ts'
import { scratch } from './processes.ts'

/** The stand-alone server in this process, which starts faster than one of its own. */
export interface StandaloneHere {
  readonly natsPort: number
  /** What it has logged. */
  log (): string
  /** What SIGHUP does, with another configuration. @throws {NatsError} what is wrong with it */
  reload (config: string): void
}

export async function startHere (t: Teardown, config: string): Promise<StandaloneHere> {
  const file = path.join(scratch(t), 'nats.conf')
  const logFile = `${file}.log`
  const log = createLog({ file: logFile, debug: false, trace: false })
  const read = (text: string): Settings => {
    writeFileSync(file, text)
    const command = readCommand(['-a', '127.0.0.1', '-p', '-1', '-c', file], {})
    if (command.kind !== 'run') throw new Error(command.kind)
    return command.settings
  }
  const server = await startStandalone(read(config), log)
  t.teardown(() => server.stop())
  return {
    natsPort: server.gateway.port,
    log: () => readFileSync(logFile, 'utf8'),
    reload: (next) => { server.reload(read(next)) }
  }
}
