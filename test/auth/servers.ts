import { writeFileSync } from 'node:fs'
import { readConfig } from '../../lib/cli/config.ts'
import { startHost, type Teardown } from '../helper/brokers.ts'
import { scratch, startNatsServer } from '../helper/processes.ts'

/** Who the same tests run against. Each starts with a text of a configuration file, and gives its port for clients. */
export const servers: readonly { readonly name: string, readonly start: (t: Teardown, config: string) => Promise<number> }[] = [
  {
    name: 'aedes-nats',
    start: async (t, config) => {
      const file = `${scratch(t)}/nats.conf`
      writeFileSync(file, config)
      return (await startHost(t, { nats: readConfig(file, {}).gateway })).natsPort
    }
  },
  { name: 'nats-server', start: startNatsServer }
]
