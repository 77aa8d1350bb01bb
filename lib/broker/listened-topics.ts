import { topicToSubject } from '../subject/mapping.ts'

// Topics that are remembered at a time.
const maxTopics = 4096

/** Whether something at the queue may listen to a topic, remembered until that may have changed. */
export class ListenedTopics {
  private readonly hasListener: (subject: string) => boolean
  private readonly known = new Map<string, boolean>()
  private generation = -1

  /** @param hasListener whether something may listen to a subject */
  constructor (hasListener: (subject: string) => boolean) {
    this.hasListener = hasListener
  }

  // hot: once per message that this broker publishes
  /** @param generation another one where the answers may be others */
  has (topic: string, generation: number): boolean {
    if (generation !== this.generation || this.known.size >= maxTopics) {
      this.generation = generation
      this.known.clear()
    }
    let listened = this.known.get(topic)
    if (listened === undefined) {
      const subject = topicToSubject(topic)
      listened = subject === null || this.hasListener(subject)
      this.known.set(topic, listened)
    }
    return listened
  }
}
