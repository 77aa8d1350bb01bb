// A process of the crash tests: receives numbered messages and reports each.
//
// Options (JSON in the first argument): { kind, ports, subject, queue, work }; `kind` is `acked` (acknowledges by a
// reply), `durable` (by the PONG of the library) or `session` (a persistent MQTT session, to compare with); `work` is
// how long the handler takes for a message, in milliseconds. Lines on stdout: `ready`, `r <number>` read by the client
// library (only when there is work), `h <number> <Nmqtt-Id>` handled; always written before it is acknowledged, so that
// a SIGKILL at any moment leaves a true report. The message 'leave' ends the process
// properly, 'fence' is answered by `fence` when all that the server had sent is handled.
import { writeSync } from 'node:fs'
import { connect } from '@nats-io/transport-node'
import { MqttLink } from './mqtt-link.js'

const { kind, ports, subject, queue, work } = JSON.parse(process.argv[2])
// { n, id, acknowledge } that were read and not handled yet
let waiting = []
let isBusy = false

function read (n, id, acknowledge) {
  waiting.push({ n, id, acknowledge })
  // At once: the library answers the PING that follows in the same tick.
  if (work > 0) writeSync(1, `r ${n}\n`)
  if (isBusy) return
  isBusy = true
  if (work > 0) setTimeout(handleOne, work)
  else setImmediate(handleAll)
}

function handleOne () {
  const { n, id, acknowledge } = waiting.shift()
  writeSync(1, `h ${n} ${id}\n`)
  acknowledge()
  isBusy = waiting.length > 0
  if (isBusy) setTimeout(handleOne, work)
}

function handleAll () {
  const batch = waiting
  waiting = []
  isBusy = false
  let lines = ''
  for (const { n, id } of batch) lines += `h ${n} ${id}\n`
  writeSync(1, lines)
  for (const { acknowledge } of batch) acknowledge()
}

async function startNats () {
  const client = await connect({
    servers: ports.map((port) => `127.0.0.1:${port}`),
    noRandomize: true,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0
  })
  const nothing = () => {}
  client.subscribe(subject, {
    queue,
    callback (error, message) {
      if (error) throw error
      const acknowledge = kind === 'acked' ? () => { message.respond() } : nothing
      read(Number.parseInt(message.string(), 10), message.headers?.get('Nmqtt-Id') ?? '', acknowledge)
    }
  })
  await client.flush()
  return { leave: () => client.close(), flush: () => client.flush() }
}

function startSession () {
  return new Promise((resolve) => {
    const link = new MqttLink({ ports, clientId: queue, clean: false }, {
      open () {
        link.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: subject.replaceAll('.', '/').replaceAll('>', '#').replaceAll('*', '+'), qos: 1 }] })
      },
      packet ({ cmd, payload, messageId, qos }) {
        if (cmd === 'suback') resolve({ leave: () => link.end(), flush () {} })
        if (cmd !== 'publish') return
        read(Number.parseInt(payload.toString(), 10), '', () => {
          if (qos === 1 && link.isOpen) link.send({ cmd: 'puback', messageId })
        })
      },
      lost () {}
    })
  })
}

const { leave, flush } = await (kind === 'session' ? startSession() : startNats())
writeSync(1, 'ready\n')
process.on('message', async (message) => {
  if (message === 'leave') {
    await leave()
    process.exit(0)
  }
  await flush()
  // What has been read is handled in the next turn.
  setImmediate(() => setImmediate(() => writeSync(1, 'fence\n')))
})
process.on('disconnect', () => process.exit(1))
