// QoS 1 messages of an MQTT client for a subscriber that acknowledges each: what each peer has for that.
//
//   aedes-nats    a durable queue group (acked.*); with job.session a persistent MQTT session
//   aedes         a persistent MQTT session
//   nats-server   a JetStream stream of file storage with a push consumer
import { connect } from '@nats-io/transport-node'
import { mqttConnect } from '../frames.js'
import { AckingMqtt, AckingNats, ConfirmedPublisher } from '../durable-clients.js'
import { Rounds } from './rounds.js'

const topic = 'bench/subject'
const subject = 'bench.subject'
const delivery = 'bench.delivery'
const queue = 'acked.bench'
const window = 500

// Messages a second from the first publish to the last receipt, the subscriber being there.
export async function stream (job, fail) {
  await prepare(job)
  const receiver = await receive(job, fail)
  const publisher = (await ConfirmedPublisher.open(job.mqtt, fail)).prepare(topic, job.size, window)
  const rounds = new Rounds({ publisher, receivers: [receiver], stallSeconds: job.stallSeconds })
  const rate = await rounds.warmUp(job.warmSeconds, 200)
  const n = Math.max(100, Math.round(rate * job.seconds))
  const took = await rounds.run(n)
  return { figures: { rate: n / took.main }, published: publisher.published }
}

// How fast a returning subscriber gets what was stored while it was away.
export async function backlog (job, fail) {
  await prepare(job)
  const away = await receive(job, fail)
  away.end()
  const publisher = (await ConfirmedPublisher.open(job.mqtt, fail)).prepare(topic, job.size, window)
  const storingBegan = process.hrtime.bigint()
  await publisher.send(job.messages)
  const storing = Number(process.hrtime.bigint() - storingBegan) / 1e9
  // A round that publishes nothing more.
  const nothing = { send () {} }
  const receiver = await open(job, fail)
  const rounds = new Rounds({ publisher: nothing, receivers: [receiver], stallSeconds: job.stallSeconds })
  const run = rounds.run(job.messages)
  listen(job, receiver)
  const { main: seconds } = await run
  return { figures: { rate: job.messages / seconds, seconds, storing: job.messages / storing }, published: publisher.published }
}

async function prepare ({ peer, nats }) {
  if (peer !== 'nats-server') return
  const client = await connect({ servers: `127.0.0.1:${nats}` })
  const ask = async (name, request) => {
    const { error } = (await client.request(`$JS.API.${name}`, JSON.stringify(request), { timeout: 10_000 })).json()
    if (error !== undefined) throw new Error(`JetStream: ${error.description}`)
  }
  await ask('STREAM.CREATE.BENCH', { name: 'BENCH', subjects: [subject], storage: 'file' })
  await ask('CONSUMER.DURABLE.CREATE.BENCH.bench', {
    stream_name: 'BENCH',
    config: { durable_name: 'bench', deliver_subject: delivery, ack_policy: 'explicit', max_ack_pending: 1000 }
  })
  await client.close()
}

async function receive (job, fail) {
  const client = await open(job, fail)
  await listen(job, client)
  return client
}

function open ({ peer, session, nats, mqtt }, fail) {
  if (peer === 'aedes' || session) return AckingMqtt.open(mqtt, fail, mqttConnect('bench-session', false))
  return AckingNats.open(nats, fail)
}

function listen ({ peer, session, size }, client) {
  if (peer === 'aedes' || session) return client.listen(topic, size)
  if (peer === 'nats-server') return client.listen(delivery, '', size)
  return client.listen(subject, queue, size)
}
