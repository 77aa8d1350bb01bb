import type { Teardown } from '../../helper/brokers.ts'
import { connectMqtt } from '../../helper/mqtt.ts'
import { startNatsServer } from '../../helper/processes.ts'
import { startVictim, type Victim } from '../victim.ts'
import { type Bystanders, startBystanders } from './bystanders.ts'
import { type Case, caseOf, limits } from './cases.ts'
import { answerTo } from './probe.ts'

export interface FuzzOptions {
  /** Of the first case; the next one has the next. */
  readonly seed: number
  readonly cases: number
  /** When to stop, in milliseconds since 1970, if the cases last so long. */
  readonly until?: number
  readonly log: (text: string) => void
}

/** What a run has shown. */
export interface Findings {
  readonly cases: number
  /** What must not happen, with the seed. */
  readonly failures: readonly string[]
  /** Where nats-server answers the same bytes otherwise, with the seed. */
  readonly differences: readonly string[]
  /** Bytes that the heap has grown by since it was warm. */
  readonly growth: number
  readonly exchanges: number
}

// Cases that attack at the same time.
const stormSize = 50
// Storms before memory is measured: caches are filled, code is compiled.
const warmUp = 4

/** nats-server looks at the subject of a pedantic client's message again where its payload is cut (client.go clonePubArg). */
function normal (text: string): string {
  return text.replace(/(-ERR 'Invalid Publish Subject'\r\n)\1+/g, '$1')
}

/** The answers of both servers; what differs by chance (a reset that overtakes the last line) is asked again. */
async function difference (ours: number, theirs: number, each: Case): Promise<string | null> {
  let seen = ''
  for (let tries = 0; tries < 3; tries++) {
    const [our, their] = await Promise.all([answerTo(ours, each, tries > 0), answerTo(theirs, each, tries > 0)])
    if (normal(our) === normal(their)) return null
    seen = show(each, our, their)
  }
  return seen
}

function show ({ seed, pieces }: Case, ours: string, theirs: string): string {
  let at = 0
  while (at < ours.length && ours[at] === theirs[at]) at++
  const from = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 40), at + 160))
  return `seed ${seed}: ${JSON.stringify(pieces.join(''))}\n    we:   …${from(ours)}\n    they: …${from(theirs)}`
}

/** All cases at once, while the bystanders go on. */
async function storm (port: number, cases: readonly Case[], bystanders: Bystanders): Promise<string[]> {
  const open = new Set(cases)
  const attack = Promise.all(cases.map(async (each) => {
    try {
      await answerTo(port, each)
      return null
    } catch (error) {
      return `seed ${each.seed}: ${(error as Error).message}`
    } finally {
      open.delete(each)
    }
  }))
  do await bystanders.exchange()
  while (open.size > 0)
  return (await attack).filter((failure) => failure !== null)
}

async function bytesOf (victim: Victim): Promise<number> {
  return (await victim.report(1, 2)).bytes
}

/** Sends generated frames to the gateway: one connection at a time beside nats-server, and many at once. */
export async function fuzz (t: Teardown, { seed, cases, until = Infinity, log }: FuzzOptions): Promise<Findings> {
  const theirs = await startNatsServer(t, `max_payload: ${limits.maxPayload}\nmax_control_line: ${limits.maxControlLine}`)
  const alone = await startVictim(t, { ...limits, durable: false })
  const crowded = await startVictim(t, { ...limits, retained: true, replies: { 'a/+': 'b/+' } })
  const [besideOne, besideMany] = [await startBystanders(t, alone), await startBystanders(t, crowded)]
  // Whatever has a topic is written to it, properties and all.
  const witness = await connectMqtt(t, `mqtt://127.0.0.1:${crowded.mqttPort}`, { protocolVersion: 5, clientId: 'witness' })
  await witness.subscribe('#', { qos: 1 })

  const failures: string[] = []
  const differences: string[] = []
  let base = Infinity
  let done = 0
  let storms = 0
  const report = (failure: string): void => {
    failures.push(failure)
    log(failure)
  }
  while (done < cases && Date.now() < until && failures.length < 10) {
    const count = Math.min(stormSize, cases - done)
    try {
      for (let i = 0; i < count; i++) {
        const found = await difference(alone.natsPort, theirs, caseOf(seed + done + i, false))
        if (found !== null) {
          differences.push(found)
          log(found)
        }
        await besideOne.exchange()
      }
      for (const failure of await storm(crowded.natsPort, Array.from({ length: count }, (_, i) => caseOf(seed + done + i, true)), besideMany)) report(failure)
      witness.received.length = 0
    } catch (error) {
      report(`one of the seeds ${seed + done} to ${seed + done + count - 1}: ${(error as Error).message}${alone.isAlive && crowded.isAlive ? '' : ': the process has ended'}`)
      break
    }
    done += count
    if (++storms === warmUp) base = await bytesOf(crowded)
  }
  const growth = failures.length > 0 || base === Infinity ? 0 : await bytesOf(crowded) - base
  return { cases: done, failures, differences, growth, exchanges: besideOne.exchanges + besideMany.exchanges }
}
