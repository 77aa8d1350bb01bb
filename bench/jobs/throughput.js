// One publisher, one kind of receiver: messages (deliveries, when there are several receivers) a second.
import { Mqtt5Client, MqttClient, NatsClient, Publisher } from '../clients.js'
import { mqtt5Publish, mqttPublish, natsConnectHeaders, natsHmsg, natsHpub, natsMsg, natsPub, repeat } from '../frames.js'
import { Rounds } from './rounds.js'

const subject = 'bench.subject'
const topic = 'bench/subject'

export async function throughput (job, fail) {
  // With `properties` the messages have three headers, or MQTT 5 user properties.
  const { from, to, also, size, properties = false, receivers: many = 1 } = job
  const receivers = []
  for (let i = 0; i < many; i++) receivers.push(await receiver(to))
  const extra = also === undefined ? null : await receiver(also)
  const client = await open(from, job)
  const frame = published()
  // Each byte published to many is many bytes at the server: smaller writes keep its bursts alike.
  const slice = many > 1 ? 16 * 1024 : 256 * 1024
  const publisher = new Publisher(client, repeat(frame, slice), frame.length, slice)

  const rounds = new Rounds({ publisher, receivers, also: extra, stallSeconds: job.stallSeconds })
  const rate = await rounds.warmUp(job.warmSeconds, many > 1 ? 50 : 500)
  const n = Math.max(100, Math.round(rate * job.seconds))
  const took = await rounds.run(n)

  const figures = { rate: n * many / took.main }
  const errors = {}
  if (extra !== null && rounds.alsoLost > 0) {
    errors.also = `LOST ${rounds.alsoLost} of ${publisher.published} QoS 0 messages on the way to the MQTT subscriber`
  } else if (extra !== null) {
    figures.also = n / took.also
  }
  return { figures, errors, published: publisher.published }

  function open (kind, { nats, mqtt }) {
    if (kind === 'nats') return properties ? NatsClient.open(nats, fail, natsConnectHeaders) : NatsClient.open(nats, fail)
    return properties ? Mqtt5Client.open(mqtt, fail) : MqttClient.open(mqtt, fail)
  }

  function published () {
    if (from === 'nats') return properties ? natsHpub(subject, size) : natsPub(subject, size)
    return properties ? mqtt5Publish(topic, size) : mqttPublish(topic, size)
  }

  async function receiver (kind) {
    // Of two nodes, who receives is at the other one.
    const client = await open(kind, job.far ?? job)
    if (kind === 'nats') await client.subscribe(subject, properties ? natsHmsg(subject, 1, size, from === 'mqtt') : natsMsg(subject, 1, size))
    else await client.subscribe(topic, properties ? mqtt5Publish(topic, size) : mqttPublish(topic, size))
    return client
  }
}
