// Memory per idle NATS connection: what the server's resident set grows by while `connections` are opened.
import fs from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { NatsClient } from '../clients.js'

export async function idle (job, fail) {
  // The first connections pay for code and tables that are made once.
  await open(20)
  await sleep(job.pauseSeconds * 1000)
  const before = await residentKiB(job.pid)
  await open(job.connections)
  // Nobody can ask a strange process to collect its garbage, so each gets the same time for it. The pause is longer
  // than the 2 s after which nats-server sends its first PING, which these clients answer.
  await sleep(job.pauseSeconds * 1000)
  const after = await residentKiB(job.pid)
  return { figures: { memory: (after - before) / job.connections } }

  async function open (count) {
    for (let left = count; left > 0; left -= 50) {
      await Promise.all(Array.from({ length: Math.min(50, left) }, () => NatsClient.open(job.nats, fail)))
    }
  }
}

async function residentKiB (pid) {
  const status = await fs.readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1])
}
