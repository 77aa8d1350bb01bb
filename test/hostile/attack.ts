import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { GatewayOptions } from '../../lib/options.ts'
import type { Teardown } from '../helper/brokers.ts'
import { startNatsServer } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import type { Report, Victim } from './victim.ts'

/** Whom an attack is for. All connections of the attack that are made with `t` are closed before it is looked at what stays. */
export interface Target {
  readonly t: Teardown
  readonly port: number
  /** What the gateway says of itself while so many connections stay, besides that of the bystander; null of nats-server. */
  report (attackers: number): Promise<Report & { readonly cost: number } | null>
}

type Attack = (t: Test, target: Target) => Promise<void>

/** What holds while an attack goes on. */
interface Limits {
  /** The same as nats-server's configuration and as options, of those that are live. */
  readonly config?: string
  readonly options?: GatewayOptions
  /** What a bystander says in CONNECT. */
  readonly hello?: object
}

// Bytes that an attack may leave behind: caches and code. What it took was more, each time.
const mayStay = 8 * 1024 * 1024
// How long somebody else may wait for a message of its own, in milliseconds. Alone it takes one.
const mayWait = 10_000

// The limits that attacks set, as they are before and after.
const defaults: GatewayOptions = {
  maxPayload: 1_048_576,
  maxControlLine: 4096,
  maxConnections: 65_536,
  maxConnectionsPerAddress: 0,
  maxConnectionRate: 0,
  maxSubscriptions: 0,
  maxSubTokens: 0,
  maxPending: 67_108_864,
  writeDeadline: 10_000,
  pingInterval: 120_000,
  pingMax: 2,
  authorization: null
}

/** Another client goes on while something happens; the longest that it waited, in milliseconds. */
async function besides (bystander: RawClient, attack: Promise<void>): Promise<number> {
  const over = new AbortController()
  const done = attack.finally(() => { over.abort() })
  done.catch(() => {})
  bystander.send('SUB bystander 1\r\n')
  let slowest = 0
  for (let number = 0; !over.signal.aborted; number++) {
    const began = performance.now()
    const text = String(number)
    bystander.send(`PUB bystander ${text.length}\r\n${text}\r\n`)
    await bystander.expect(`MSG bystander 1 ${text.length}\r\n${text}\r\n`)
    slowest = Math.max(slowest, performance.now() - began)
    await delay(5)
  }
  await done
  return slowest
}

async function run (t: Test, port: number, { hello = {} }: Limits, victim: Victim | null, attack: Attack): Promise<void> {
  const before = await victim?.report(0) ?? null
  const ends: (() => unknown)[] = []
  const own: Teardown = { teardown: (end) => { ends.push(end) } }
  const bystander = await connect(own, port, hello)
  const report = async (attackers: number): Promise<Report & { cost: number } | null> => {
    if (victim === null || before === null) return null
    const now = await victim.report(attackers + 1)
    return { ...now, cost: now.bytes - before.bytes }
  }
  try {
    const slowest = await besides(bystander, attack(t, { t: own, port, report }))
    t.ok(slowest < mayWait, `a bystander waited ${slowest.toFixed()} ms at the most`)
  } finally {
    for (const end of ends) await end()
  }
  if (victim === null || before === null) return
  const after = await victim.report(0)
  t.ok(after.bytes - before.bytes < mayStay, `${after.bytes - before.bytes} bytes stay`)
  t.strictSame([after.clients, after.subscriptions], [0, 0])
}

/** Where attacks take place, all on one victim. */
export class Arena {
  private readonly root: Test
  private readonly victim: Victim

  constructor (root: Test, victim: Victim) {
    this.root = root
    this.victim = victim
  }

  /** The same attack on nats-server and on the gateway: the same answers, and others are served meanwhile. */
  onBoth (name: string, limits: Limits, attack: Attack): void {
    this.root.test(`nats-server: ${name}`, async (t) => { await run(t, await startNatsServer(t, limits.config), limits, null, attack) })
    this.onOurs(name, limits, attack)
  }

  /** An attack on what only the gateway has. */
  onOurs (name: string, limits: Limits, attack: Attack): void {
    this.root.test(`aedes-nats: ${name}`, async (t) => {
      this.victim.update({ ...defaults, ...limits.options })
      await run(t, this.victim.natsPort, limits, this.victim, attack)
    })
  }
}

/** Sends a piece again and again, as fast as it is taken, until the connection ends. @returns the bytes sent */
export async function pump ({ socket }: RawClient, piece: string, most: number): Promise<number> {
  let sent = 0
  for (; sent < most && !socket.destroyed && socket.writable; sent += piece.length) {
    if (socket.write(piece, 'latin1')) continue
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go).off('close', go).off('end', go)
        resolve()
      }
      socket.on('drain', go).on('close', go).on('end', go)
    })
  }
  return sent
}
