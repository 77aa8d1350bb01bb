// Child processes: start until ready, remember their last words, stop, leave none behind.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const running = new Set()

process.once('exit', killAll)
for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) {
  process.once(signal, () => process.exit(128 + number))
}

function killAll () {
  for (const child of running) child.kill('SIGKILL')
}

export class Server {
  // Ready when every port accepts connections and, if given, `line` has been printed.
  static async start (command, args, { ports = [], line = '', ipc = false } = {}) {
    const server = new Server(command, args, ipc)
    const deadline = Date.now() + 20_000
    while (!(server.output.includes(line) && (await Promise.all(ports.map(accepts))).every(Boolean))) {
      if (server.exited || Date.now() > deadline) {
        await server.stop()
        throw new Error(`${command} ${args.join(' ')}: ${server.exited ? 'ended' : 'not ready'}${server.lastWords()}`)
      }
      await sleep(20)
    }
    return server
  }

  constructor (command, args, ipc) {
    this.output = ''
    this.exited = false
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])] })
    running.add(this.child)
    this.gone = new Promise((resolve) => {
      const end = (how) => {
        running.delete(this.child)
        this.exited = true
        this.output += how
        resolve()
      }
      this.child.once('error', (error) => end(error.message))
      this.child.once('exit', (code, signal) => end(`\n(exit status ${code ?? signal})`))
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.output = (this.output + text).slice(-4000) })
    }
  }

  get pid () {
    return this.child.pid
  }

  lastWords () {
    const text = this.output.trim()
    return text === '' ? '' : `\n      | ${text.slice(-600).split('\n').join('\n      | ')}`
  }

  async ask () {
    this.child.send('?')
    return (await once(this.child, 'message'))[0]
  }

  async stop () {
    if (this.exited) return
    this.child.kill('SIGTERM')
    // A broker with a backlog can take long to say good-bye; nothing is measured any more.
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 2000)
    await this.gone
    clearTimeout(timer)
  }
}

// One job of the load generator, see load.js.
export async function runLoad (job) {
  const child = fork(new URL('./load.js', import.meta.url))
  running.add(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), job.limitSeconds * 1000)
  try {
    child.send(job)
    return await new Promise((resolve) => {
      child.once('message', resolve)
      child.once('error', (error) => resolve({ error: error.message }))
      child.once('exit', (code, signal) => {
        resolve({ error: signal === 'SIGKILL' ? `not done within ${job.limitSeconds} s` : `the load generator ended (${code ?? signal})` })
      })
    })
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
    running.delete(child)
  }
}

// Free at this moment; whoever takes one in the meantime makes the server fail to start, see peers.js.
export async function freePorts (count) {
  const listeners = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(listeners.map((listener) => once(listener, 'listening')))
  const ports = listeners.map((listener) => listener.address().port)
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))))
  return ports
}

function accepts (port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
