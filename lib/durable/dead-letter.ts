import type { Logger } from '../options.ts'
import { encodeText } from '../wire/text.ts'
import type { Group } from './group.ts'
import type { Held } from './held.ts'

/**
 * Publishes what no member of a group could handle, at QoS 1, under `<root>.<queue group>.<subject>`. What came from
 * there is not put there again: a group that listens to everything would never be done with it.
 */
export async function bury (group: Group, held: Held, root: string, log: Logger): Promise<void> {
  const { bridge, names } = group.space
  const { subject } = held.message
  const details = { group: group.name, id: held.id, deliveries: held.deliveries }
  if (subject.startsWith(`${root}.`)) {
    log.warn(details, `durable ${group.name} could not handle a message of ${root}: it is dropped`)
    return
  }
  const topic = names.topicOf(`${root}.${encodeText(group.name)}.${subject}`) ?? names.topicOf(root)
  if (topic === null) {
    log.warn(details, `durable ${group.name} could not handle a message: it is dropped, since ${root} has no topic`)
    return
  }
  log.warn(details, `durable ${group.name} could not handle a message: it goes to ${topic}`)
  await new Promise<void>((resolve, reject) => {
    const packet = { ...bridge.packetOf(held.message, topic, 1), topic }
    bridge.publishStored(packet, null, (error) => { if (error === null) resolve(); else reject(error) })
  })
}
