// What a PUBLISH costs Redis beside a few subscriptions of NATS clients and beside many, on a node that listens for nodes
// without the gateway: Redis looks at each pattern for each message.
import net from 'node:net'
import { NatsClient } from '../clients.js'

const kinds = {
  exact: (i) => `data.s${i}`,
  inboxes: (i) => `_INBOX.i${i}.*`,
  wildcards: (i) => `rooms.w${i}.*.state`
}
const perWrite = 1000
const answer = ':0\r\n'

export async function patterns ({ nats, redis, few, many, publishes, rounds }, fail) {
  const figures = {}
  for (const [kind, filterOf] of Object.entries(kinds)) {
    const client = await NatsClient.open(nats, fail)
    await subscribe(client, filterOf, 0, few)
    const beside = [await publish(redis, publishes, rounds)]
    await subscribe(client, filterOf, few, many)
    beside.push(await publish(redis, publishes, rounds))
    figures[kind] = beside[0] / beside[1]
    figures[`${kind}Few`] = beside[0]
    for (let i = 0; i < many; i++) client.socket.write(`UNSUB ${i + 1}\r\n`)
    await client.fence()
  }
  return { figures, errors: {} }
}

async function subscribe (client, filterOf, from, to) {
  for (let i = from; i < to; i++) client.socket.write(`SUB ${filterOf(i)} ${i + 1}\r\n`)
  await client.fence()
}

// Microseconds of one PUBLISH to nobody, the least of some rounds: what else Redis does only adds to it.
async function publish (port, count, rounds) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  const channel = 'bench/nobody/listens'
  const commands = Buffer.from(`*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$128\r\n${'x'.repeat(128)}\r\n`.repeat(perWrite))
  let least = Infinity
  for (let round = 0; round < rounds; round++) {
    const began = process.hrtime.bigint()
    for (let sent = 0; sent < count; sent += perWrite) {
      socket.write(commands)
      await answers(socket, perWrite * answer.length)
    }
    least = Math.min(least, Number(process.hrtime.bigint() - began) / 1000 / count)
  }
  socket.destroy()
  return least
}

function answers (socket, bytes) {
  return new Promise((resolve, reject) => {
    let seen = 0
    const read = (chunk) => {
      seen += chunk.length
      if (seen < bytes) return
      socket.off('data', read)
      if (chunk.subarray(-answer.length).toString() === answer) resolve()
      else reject(new Error(`Redis answers ${JSON.stringify(chunk.subarray(0, 100).toString())}`))
    }
    socket.on('data', read)
  })
}
