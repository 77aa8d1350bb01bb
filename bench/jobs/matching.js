// Matching cost: NATS -> NATS with a few other subscriptions on the server, then with many, on one server.
// The subjects published change with every message, because nats-server remembers the matches of 1,024 subjects
// and a gateway may remember some too: with one subject both would look it up and match nothing.
import { NatsClient, Publisher } from '../clients.js'
import { natsMsg, natsPub } from '../frames.js'
import { Rounds } from './rounds.js'

const subjects = 16384
const size = 128

export async function matching (job, fail) {
  const receiver = await NatsClient.open(job.nats, fail)
  await receiver.subscribe('bench.s.*', natsMsg(published(0), 1, size))
  const client = await NatsClient.open(job.nats, fail)
  const frames = Buffer.concat(Array.from({ length: subjects }, (_, i) => natsPub(published(i), size)))
  const publisher = new Publisher(client, frames, frames.length / subjects)
  const rounds = new Rounds({ publisher, receivers: [receiver], stallSeconds: job.stallSeconds })
  const bystander = await NatsClient.open(job.nats, fail)

  await subscribeOthers(bystander, 0, job.few)
  const few = await measure()
  await subscribeOthers(bystander, job.few, job.many)
  const many = await measure()
  return { figures: { few, many, flat: many / few } }

  async function measure () {
    const rate = await rounds.warmUp(job.warmSeconds, 500)
    const n = Math.round(rate * job.seconds)
    return n / (await rounds.run(n)).main
  }
}

// An odd step through a power of two reaches every subject once, without neighbours following each other.
function published (i) {
  return `bench.s.${token(i * 7919 % subjects)}`
}

function token (i) {
  return `t${String(i).padStart(5, '0')}`
}

// None of these matches what is published, all share levels with it: half literal, half with wildcards.
function other (i) {
  switch (i % 10) {
    case 0: case 1: return `bench.*.u${i}`
    case 2: return `*.s.u${i}`
    case 3: case 4: return `bench.s.${token(i % subjects)}.>`
    default: return `bench.s.u${i}`
  }
}

async function subscribeOthers (client, from, to) {
  for (let i = from; i < to;) {
    let lines = ''
    for (const end = Math.min(to, i + 1000); i < end; i++) lines += `SUB ${other(i)} ${i + 1}\r\n`
    client.socket.write(lines)
    await client.fence()
  }
}
