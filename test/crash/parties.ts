import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Teardown } from '../helper/brokers.ts'
import { freePort, Process, scratch } from '../helper/processes.ts'
import type { Ledger } from './ledger.ts'

const command = new URL('../../dist/cli/main.js', import.meta.url).pathname
const script = (name: string): string => new URL(name, import.meta.url).pathname

// What is killed reports no coverage, and a loader would triple the time of each start.
const { NODE_OPTIONS: _, ...env } = process.env

/** A redis-server that comes back on its port with its data. */
export class Redis {
  readonly port: number
  private readonly t: Teardown
  private readonly args: readonly string[]
  private process: Process | null = null

  private constructor (t: Teardown, port: number, appendfsync: string) {
    this.t = t
    this.port = port
    this.args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', appendfsync, '--dir', scratch(t)]
  }

  static async start (t: Teardown, appendfsync: 'always' | 'everysec' = 'everysec'): Promise<Redis> {
    const redis = new Redis(t, await freePort(), appendfsync)
    await redis.start()
    return redis
  }

  async start (): Promise<void> {
    this.process = new Process(this.t, 'redis-server', this.args)
    await this.process.until(/Ready to accept connections/)
  }

  async kill (): Promise<void> {
    await this.process?.stop('SIGKILL')
  }
}

/** A broker process that comes back on its ports. */
export class Node {
  readonly natsPort: number
  readonly mqttPort: number
  private readonly t: Teardown
  private readonly args: readonly string[]
  private process: Process | null = null

  private constructor (t: Teardown, natsPort: number, mqttPort: number, args: readonly string[]) {
    this.t = t
    this.natsPort = natsPort
    this.mqttPort = mqttPort
    this.args = args
  }

  /** The stand-alone server. */
  static async standAlone (t: Teardown, redis: Redis, id: string): Promise<Node> {
    const [nats, mqtt] = [await freePort(), await freePort()]
    return await new Node(t, nats, mqtt, [
      command, '-a', '127.0.0.1', '-p', String(nats), '--mqtt-port', String(mqtt), '-m', '0', '--id', id, '--redis', `redis://127.0.0.1:${redis.port}`
    ]).start()
  }

  /** A host program with a fixed Aedes id; `bare` without a gateway. */
  static async host (t: Teardown, redis: Redis, id: string, bare = false): Promise<Node> {
    const [natsPort, mqttPort] = [await freePort(), await freePort()]
    return await new Node(t, natsPort, mqttPort, [script('host.js'), JSON.stringify({ id, redis: redis.port, natsPort, mqttPort, bare })]).start()
  }

  async start (): Promise<this> {
    this.process = new Process(this.t, process.execPath, this.args, env)
    await this.process.until(/\bready$/m)
    return this
  }

  async kill (): Promise<void> {
    await this.process?.stop('SIGKILL')
  }

  /** The most memory that it has had since `forgetPeak`, in MiB. */
  get peak (): number {
    return this.kib('VmHWM') / 1024
  }

  /** How much memory it has now, in MiB. */
  get resident (): number {
    return this.kib('VmRSS') / 1024
  }

  get lastWords (): string {
    return this.process?.output.slice(-1500) ?? ''
  }

  forgetPeak (): void {
    writeFileSync(`/proc/${this.process?.pid}/clear_refs`, '5')
  }

  private kib (field: string): number {
    const status = readFileSync(`/proc/${this.process?.pid}/status`, 'utf8')
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  }
}

/** A child process that reports in lines, to a ledger. */
class Party {
  private readonly child: ChildProcess
  private readonly gone: Promise<void>
  private readonly said = new Map<string, () => void>()
  private rest = ''
  private complaint = ''

  constructor (t: Teardown, name: string, options: object, ledger: Ledger, report: (words: string[]) => void) {
    this.child = spawn(process.execPath, [script(name), JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env })
    this.child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.rest + text).split('\n')
      this.rest = lines.pop() ?? ''
      for (const line of lines) {
        const words = line.split(' ')
        if (words.length === 1) this.said.get(line)?.()
        else report(words)
      }
      ledger.changed()
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => { this.complaint = (this.complaint + text).slice(-2000) })
    // 'close', not 'exit': what it wrote before it was killed is still to be read.
    this.gone = new Promise((resolve) => { this.child.once('close', () => { resolve() }) })
    t.teardown(() => this.kill())
  }

  /** Resolves when it has said that word. */
  async says (word: string): Promise<void> {
    const said = new Promise<true>((resolve) => { this.said.set(word, () => { resolve(true) }) })
    if (await Promise.race([said, this.gone]) !== true) throw new Error(`a process ended without '${word}': ${this.complaint}`)
  }

  tell (word: string): void {
    this.child.send(word)
  }

  async kill (): Promise<void> {
    this.child.kill('SIGKILL')
    await this.gone
  }

  async ended (): Promise<void> {
    await this.gone
  }
}

let publishers = 0

/** A process that publishes numbered messages. */
export class Publisher {
  isDone = false

  constructor (t: Teardown, ledger: Ledger, options: { ports: readonly number[], from?: number, to: number, topics: readonly string[], window?: number, size?: number, pace?: number }) {
    const name = String(publishers++)
    const party = new Party(t, 'publisher.js', { from: 0, window: 100, size: 32, pace: 0, ...options }, ledger, ([verb, ...numbers]) => {
      if (verb === 'p') ledger.sent(name, Number(numbers[0]))
      else for (const n of numbers) ledger.accept(Number(n))
    })
    party.says('done').then(() => {
      this.isDone = true
      ledger.changed()
    }, () => {})
  }
}

export type Kind = 'acked' | 'durable' | 'session'

/** A process that handles numbered messages. */
export class Subscriber {
  private readonly party: Party

  private constructor (t: Teardown, ledger: Ledger, name: string, options: object) {
    this.party = new Party(t, 'subscriber.js', options, ledger, ([verb, n, id]) => {
      if (verb === 'h') ledger.handle(name, Number(n), id ?? '')
      else ledger.read(Number(n))
    })
  }

  /** Resolves when it has subscribed. `work` in milliseconds a message. */
  static async start (t: Teardown, ledger: Ledger, options: { name?: string, kind: Kind, nodes: readonly Node[], subject?: string, queue?: string, work?: number }): Promise<Subscriber> {
    const { name = 'one', kind, nodes, subject = 'sensors.>', queue = 'billing', work = 0 } = options
    const subscriber = new Subscriber(t, ledger, name, {
      kind,
      ports: nodes.map(({ natsPort, mqttPort }) => kind === 'session' ? mqttPort : natsPort),
      subject,
      queue: kind === 'session' ? queue : `${kind}.${queue}`,
      work
    })
    await subscriber.party.says('ready')
    return subscriber
  }

  async kill (): Promise<void> {
    await this.party.kill()
  }

  /** Ends properly. */
  async leave (): Promise<void> {
    this.party.tell('leave')
    await this.party.ended()
  }

  /** Resolves when everything that its server had sent is in the ledger. */
  async fence (): Promise<void> {
    this.party.tell('fence')
    await this.party.says('fence')
  }
}
