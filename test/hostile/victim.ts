import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { GatewayOptions } from '../../lib/options.ts'
import type { Teardown } from '../helper/brokers.ts'

/** What the victim says of itself, once it has collected its garbage. */
export interface Report {
  /** Bytes of its heap, and of buffers outside. */
  readonly bytes: number
  readonly rss: number
  readonly clients: number
  readonly subscriptions: number
  readonly slowConsumers: number
  readonly staleConnections: number
  readonly totalConnections: number
}

/** A process with Aedes and a gateway that may be attacked; it is gone with the test. */
export class Victim {
  readonly natsPort: number
  readonly mqttPort: number
  private readonly child: ChildProcess

  constructor (child: ChildProcess, natsPort: number, mqttPort: number) {
    this.child = child
    this.natsPort = natsPort
    this.mqttPort = mqttPort
  }

  get isAlive (): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Changes options of its gateway that are live. */
  update (options: GatewayOptions): void {
    this.child.send({ update: options })
  }

  /**
   * Asks for a report, which comes once all other connections are gone.
   *
   * @param clients NATS connections that stay
   * @param others MQTT connections that stay
   */
  async report (clients: number, others = 0): Promise<Report> {
    this.child.send({ clients, others })
    const [report] = await answer(this.child) as [Report]
    return report
  }
}

async function answer (child: ChildProcess): Promise<unknown[]> {
  const gone = new AbortController()
  const exited = once(child, 'exit', { signal: gone.signal }).then(() => { throw new Error('the process has ended') })
  try {
    return await Promise.race([once(child, 'message', { signal: gone.signal }), exited])
  } finally {
    exited.catch(() => {})
    gone.abort()
  }
}

export async function startVictim (t: Teardown, nats: GatewayOptions = {}): Promise<Victim> {
  const script = new URL('host.js', import.meta.url).pathname
  const child = fork(script, [JSON.stringify(nats)], { execArgv: ['--expose-gc'] })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.disconnect()
    await once(child, 'exit')
  })
  const [{ natsPort, mqttPort }] = await answer(child) as [{ natsPort: number, mqttPort: number }]
  return new Victim(child, natsPort, mqttPort)
}
