import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import type { Teardown } from './brokers.ts'

/** A folder that is gone with the test. */
export function scratch (t: Teardown): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'aedes-nats-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

export class Process {
  readonly child: ChildProcess
  output = ''
  private readonly waiting = new Set<() => void>()
  private over = false

  constructor (t: Teardown, command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    const more = (chunk: Buffer): void => {
      this.output += chunk.toString()
      for (const wake of this.waiting) wake()
    }
    this.child.stdout?.on('data', more)
    this.child.stderr?.on('data', more)
    this.child.on('close', () => {
      this.over = true
      for (const wake of this.waiting) wake()
    })
    t.teardown(() => this.stop('SIGKILL'))
  }

  get pid (): number {
    return this.child.pid as number
  }

  /** Resolves with the match once the output (stdout and stderr together) has it. */
  async until (wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = wanted.exec(this.output)
      if (match !== null) return match
      if (this.over) throw new Error(`ended without ${String(wanted)}: ${this.output.slice(-2000)}`)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake)
          resolve()
        }
        this.waiting.add(wake)
      })
    }
  }

  /** Resolves with the exit status; a signal counts as null. */
  async exit (): Promise<number | null> {
    if (!this.over) await new Promise((resolve) => { this.child.once('close', resolve) })
    return this.child.exitCode
  }

  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.over) this.child.kill(signal)
    return await this.exit()
  }
}

/** nats-server, the judge of what is NATS. @returns its client port */
export async function startNatsServer (t: Teardown, config = ''): Promise<number> {
  const file = path.join(scratch(t), 'server.conf')
  writeFileSync(file, `listen: "127.0.0.1:-1"\n${config}\n`)
  const server = new Process(t, 'nats-server', ['-c', file])
  const [, port] = await server.until(/Listening for client connections on 127\.0\.0\.1:(\d+)[^]*Server is ready/)
  return Number(port)
}

/** A port that was free a moment ago. */
export function freePort (): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => { resolve(port) })
    })
  })
}

/** A redis-server of its own. @returns its URL */
export async function startRedis (t: Teardown, args: readonly string[] = []): Promise<{ url: string, port: number, process: Process }> {
  const port = await freePort()
  const server = new Process(t, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', scratch(t), ...args])
  await server.until(/Ready to accept connections/)
  return { url: `redis://127.0.0.1:${port}`, port, process: server }
}
