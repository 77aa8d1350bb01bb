import type { MqttPeer } from './mqtt.ts'

/** How many messages of each kind a run sends. */
const count = 600

/**
 * One client publishes a/x and b/x in turn at QoS 1 while another floods with QoS 0.
 *
 * @returns what a live subscriber got of each kind, in the order of arrival
 */
export async function alternate (publisher: MqttPeer, flooder: MqttPeer, live: MqttPeer): Promise<{ published: string[], acknowledged: string[], flood: string[] }> {
  await live.subscribe('#', { qos: 1 })
  const published = Array.from({ length: count }, (_, i) => String(i))
  const flooding = Promise.all(published.map((text) => flooder.publish('c/x', `flood ${text}`, { qos: 0 })))
  // In chunks, so that the two mix.
  for (let at = 0; at < count; at += 50) {
    await Promise.all(published.slice(at, at + 50).map((text) => publisher.publish(Number(text) % 2 === 0 ? 'a/x' : 'b/x', text)))
    await flooder.publish('c/x', 'flood more', { qos: 0 })
  }
  await flooding
  // Behind everything: at the other counts, and at QoS 1.
  await flooder.publish('c/x', 'flood end', { qos: 0 })
  await publisher.publish('b/x', 'end')
  const acknowledged: string[] = []
  const flood: string[] = []
  let ends = 0
  while (ends < 2) {
    const [message] = await live.take()
    const text = message?.payload.toString() ?? ''
    if (text.endsWith('end')) ends++
    else (text.startsWith('flood') ? flood : acknowledged).push(text)
  }
  return { published, acknowledged, flood }
}

export const floodCount = count + count / 50
