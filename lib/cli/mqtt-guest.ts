import type { Duplex } from 'node:stream'
import type { Identity } from '../auth/identity.ts'
import type { PublishPacket } from '../broker/host.ts'
import { Clock } from '../client/clock.ts'
import type { NatsError } from '../errors.ts'
import type { Names } from '../subject/names.ts'

/** An MQTT client of Aedes 2, as far as it is asked or told something here. */
export interface MqttClient {
  readonly id: string
  readonly version: 3 | 4 | 5
  readonly clean: boolean
  readonly closed: boolean
  readonly conn: Duplex & { readonly remoteAddress?: string | undefined }
  /** By topic filter. */
  readonly subscriptions: Readonly<Record<string, object>>
  /** The will of CONNECT, until Aedes has stored it. */
  _will?: PublishPacket | undefined
  disconnect (options: { reasonCode: number }): void
  unsubscribe (topicFilters: readonly string[], done: () => void): void
}

/** What CONNECT says of who a client is. */
export interface MqttCredentials {
  readonly user: string
  readonly pass: string
}

// Topics of a client that it is known whether it may have them.
const maxKnown = 256

/** An MQTT client that has been let in. Its permissions are those of the subjects that its topics are on the NATS side. */
export class MqttGuest {
  readonly client: MqttClient
  readonly credentials: MqttCredentials
  readonly clock: Clock
  identity: Identity
  /** Whether its account counts it. */
  isSeated = true
  /** Whether a publish of it was denied already. */
  hasOffended = false
  private readonly names: Names
  private readonly known = new Map<string, boolean>()

  /** @param names of NATS clients without a mountpoint */
  constructor (client: MqttClient, credentials: MqttCredentials, identity: Identity, names: Names, expired: (error: NatsError) => void) {
    this.client = client
    this.credentials = credentials
    this.identity = identity
    this.names = names
    this.clock = new Clock(expired)
    this.clock.expireWith(identity)
  }

  /** It is, or may do, something else now. */
  assume (identity: Identity): void {
    this.identity = identity
    this.known.clear()
    this.clock.expireWith(identity)
  }

  mayPublish (topic: string): boolean {
    const { permissions } = this.identity
    if (permissions === null) return true
    const subject = this.names.subjectOf(topic)
    return subject !== null && permissions.mayPublish(subject)
  }

  /** As in nats-server, who subscribes to `foo/#` needs `foo` and `foo.>` (server/mqtt.go processSubs). */
  maySubscribe (topicFilter: string): boolean {
    const { permissions } = this.identity
    if (permissions === null) return true
    const filter = this.names.filterOf(topicFilter) ?? '>'
    return permissions.maySubscribe(filter, null) && (!filter.endsWith('.>') || permissions.maySubscribe(filter.slice(0, -2), null))
  }

  // hot: once per delivery
  /** Also what was stored for it while it might have more than now. */
  mayReceive ({ topic, properties }: PublishPacket): boolean {
    const { permissions } = this.identity
    if (permissions === null) return true
    let allowed = this.known.get(topic)
    if (allowed === undefined) {
      const subject = this.names.subjectOf(topic)
      allowed = subject !== null && permissions.maySubscribe(subject, null)
      if (this.known.size >= maxKnown) this.known.clear()
      this.known.set(topic, allowed)
    }
    // What it gets it may answer.
    if (allowed && permissions.notesReplies && properties?.responseTopic !== undefined) {
      const reply = this.names.subjectOf(properties.responseTopic)
      if (reply !== null) permissions.noteReply(reply)
    }
    return allowed
  }
}
