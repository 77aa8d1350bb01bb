import type { Teardown } from './brokers.ts'
import { Process } from './processes.ts'

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname

export interface Server {
  readonly process: Process
  readonly natsPort: number
  readonly natsUrl: string
  readonly mqttPort: number
  readonly mqttUrl: string
}

/** The command as a user types it, from the sources; loaders and coverage are those of this test. */
export function runCommand (t: Teardown, args: readonly string[], env: Record<string, string> = {}): Process {
  return new Process(t, process.execPath, [main, ...args], { ...process.env, ...env })
}

/** The stand-alone server on free ports, ready. */
export async function startServer (t: Teardown, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Server> {
  const server = runCommand(t, ['-a', '127.0.0.1', '-p', '-1', '--mqtt-port', '-1', ...args], env)
  await server.until(/\[INF\] Server is ready/)
  // Ends by itself, so that what it ran through counts.
  t.teardown(() => server.stop('SIGTERM'))
  const port = (pattern: RegExp): number => Number(pattern.exec(server.output)?.[1] ?? 0)
  const natsPort = port(/Listening for client connections on [^\n]*:(\d+)/)
  const mqttPort = port(/Listening for MQTT clients on mqtt:[^\n]*:(\d+)/)
  return { process: server, natsPort, natsUrl: `nats://127.0.0.1:${natsPort}`, mqttPort, mqttUrl: `mqtt://127.0.0.1:${mqttPort}` }
}
