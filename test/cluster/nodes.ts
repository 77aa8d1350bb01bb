import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Teardown } from '../helper/brokers.ts'
import { freePort, Process, scratch } from '../helper/processes.ts'
import { connectTo } from '../helper/redis-brokers.ts'
import { Proxy } from './proxy.ts'

// What is killed reports no coverage, and a loader would triple the time of each start.
const { NODE_OPTIONS: _, ...env } = process.env
const script = new URL('host.js', import.meta.url).pathname

/** What a gateway knows of another. */
interface PeerView {
  readonly id: string
  readonly isAlive: boolean
  readonly isJoined: boolean
  readonly lost: number
  readonly unacknowledged: number
  readonly wants: readonly string[]
}

/** What a gateway knows. */
export interface View {
  readonly mayHavePlainNodes: boolean
  readonly forged: number
  readonly urls: readonly string[]
  readonly wants: readonly string[]
  readonly peers: readonly PeerView[]
}

/** A redis-server that comes back on its port. */
export class RedisServer {
  readonly port: number
  private readonly t: Teardown
  private process: Process | null = null

  private constructor (t: Teardown, port: number) {
    this.t = t
    this.port = port
  }

  static async start (t: Teardown): Promise<RedisServer> {
    const redis = new RedisServer(t, await freePort())
    await redis.start()
    return redis
  }

  async start (): Promise<void> {
    this.process = new Process(this.t, 'redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--enable-debug-command', 'yes', '--dir', scratch(this.t)])
    await this.process.until(/Ready to accept connections/)
  }

  async stop (): Promise<void> {
    await this.process?.stop('SIGTERM')
  }

  /** Resolves when it is awake again. */
  async sleep (seconds: number): Promise<void> {
    await connectTo(this.t, this.port).call('DEBUG', 'SLEEP', String(seconds))
  }
}

export interface NodeOptions {
  readonly id: string
  /** Of Aedes. */
  readonly version: 1 | 2
  /** The port of Redis. */
  readonly redis: number
  /** Of Aedes, in milliseconds. */
  readonly heartbeat: number
  /** Whether MQTT clients may publish anything. */
  readonly allows: boolean
  /** Those of the gateway; null for none. */
  readonly options: object | null
}

/** A process with a broker, which comes back on its ports. */
export class Node {
  readonly id: string
  readonly natsPort: number
  readonly mqttPort: number
  isRunning = false
  private readonly t: Teardown
  private readonly options: NodeOptions
  private child: ChildProcess | null = null
  private output = ''
  private asked = 0
  private readonly answers = new Map<number, (answer: unknown) => void>()

  private constructor (t: Teardown, natsPort: number, mqttPort: number, options: NodeOptions) {
    this.t = t
    this.id = options.id
    this.natsPort = natsPort
    this.mqttPort = mqttPort
    this.options = options
  }

  static async start (t: Teardown, options: NodeOptions): Promise<Node> {
    const node = new Node(t, await freePort(), await freePort(), options)
    await node.start()
    return node
  }

  get natsUrl (): string {
    return `nats://127.0.0.1:${this.natsPort}`
  }

  get mqttUrl (): string {
    return `mqtt://127.0.0.1:${this.mqttPort}`
  }

  get lastWords (): string {
    return this.output.slice(-1500)
  }

  async start (): Promise<void> {
    const { natsPort, mqttPort } = this
    const child = spawn(process.execPath, ['--expose-gc', script, JSON.stringify({ ...this.options, natsPort, mqttPort })], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env })
    this.child = child
    this.t.teardown(() => {
      child.kill('SIGCONT')
      return this.end('SIGKILL', child)
    })
    child.on('message', ({ number, answer }: { number: number, answer: unknown }) => {
      this.answers.get(number)?.(answer)
      this.answers.delete(number)
    })
    const ready = new Promise<void>((resolve, reject) => {
      const more = (chunk: Buffer): void => {
        this.output += chunk.toString()
        if (/^ready$/m.test(this.output)) resolve()
      }
      child.stdout?.on('data', more)
      child.stderr?.on('data', more)
      child.once('exit', () => {
        if (this.child === child) this.isRunning = false
        reject(new Error(`node ${this.id} has ended: ${this.lastWords}`))
      })
    })
    this.output = ''
    await ready
    this.isRunning = true
  }

  async ask (verb: 'view'): Promise<View>
  async ask (verb: 'memory'): Promise<number>
  async ask (verb: 'lameDuck' | 'stop'): Promise<void>
  async ask (verb: 'clock', jump: number): Promise<void>
  async ask (verb: string, argument?: unknown): Promise<unknown> {
    const number = this.asked++
    return await new Promise((resolve) => {
      this.answers.set(number, resolve)
      this.child?.send({ number, verb, argument })
    })
  }

  signal (signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(signal)
  }

  async kill (): Promise<void> {
    this.isRunning = false
    await this.end('SIGKILL')
  }

  /** Leaves as a host that is told to stop does. */
  async stop (): Promise<void> {
    this.isRunning = false
    await this.ask('stop')
    await this.end(null)
  }

  private async end (signal: 'SIGKILL' | null, child = this.child): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    if (signal !== null) child.kill(signal)
    await exit
  }
}

export interface NodesOptions {
  /** Those of the gateways. */
  readonly nats?: object
  readonly allows?: boolean
}

// Of Aedes: a node without the gateway is known after one, and forgotten after three.
const heartbeat = 500

/** Three nodes and their Redis; Aedes 1.2 and 2 mixed. The third reaches Redis through a proxy. */
export class Nodes {
  readonly redis: RedisServer
  readonly proxy: Proxy
  readonly all: readonly [one: Node, two: Node, three: Node]
  private readonly t: Teardown
  private readonly options: NodesOptions

  private constructor (t: Teardown, redis: RedisServer, proxy: Proxy, all: readonly [Node, Node, Node], options: NodesOptions) {
    this.t = t
    this.redis = redis
    this.proxy = proxy
    this.all = all
    this.options = options
  }

  static async start (t: Teardown, options: NodesOptions = {}): Promise<Nodes> {
    const redis = await RedisServer.start(t)
    const proxy = await Proxy.start(t, redis.port)
    const { nats = {}, allows = false } = options
    const start = (id: string, version: 1 | 2, port: number): Promise<Node> => Node.start(t, { id, version, redis: port, heartbeat, allows, options: nats })
    const all = await Promise.all([start('one', 1, redis.port), start('two', 2, redis.port), start('three', 2, proxy.port)])
    const nodes = new Nodes(t, redis, proxy, all, options)
    await nodes.agreed()
    return nodes
  }

  /** One more, with Aedes alone. */
  async startPlain (): Promise<Node> {
    return await Node.start(this.t, { id: 'plain', version: 1, redis: this.redis.port, heartbeat, allows: this.options.allows ?? false, options: null })
  }

  get running (): readonly Node[] {
    return this.all.filter(({ isRunning }) => isRunning)
  }

  /** Resolves once all running nodes know each other and what each wants, with the seconds that it took. */
  async agreed (patience = 30): Promise<number> {
    const began = performance.now()
    for (;;) {
      const why = await this.disagreement()
      const seconds = (performance.now() - began) / 1000
      if (why === null) return seconds
      if (seconds > patience) throw new Error(`the nodes do not agree after ${patience} s: ${why}`)
      await delay(50)
    }
  }

  private async disagreement (): Promise<string | null> {
    const views = new Map(await Promise.all(this.running.map(async (node) => [node.id, await node.ask('view')] as const)))
    for (const [id, { peers, mayHavePlainNodes }] of views) {
      if (mayHavePlainNodes) return `${id} reckons with nodes without the gateway`
      const alive = peers.filter(({ isAlive }) => isAlive)
      const others = [...views.keys()].filter((other) => other !== id)
      if (alive.map((peer) => peer.id).sort().join() !== others.sort().join()) return `${id} sees ${alive.map((peer) => peer.id).join() || 'nobody'}`
      for (const peer of alive) {
        if (!peer.isJoined) return `${peer.id} does not send to ${id} yet`
        if (peer.wants.join() !== views.get(peer.id)?.wants.join()) return `${id} does not know what ${peer.id} wants`
      }
    }
    return null
  }
}
