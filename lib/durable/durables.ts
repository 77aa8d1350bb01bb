import { randomBytes } from 'node:crypto'
import { NatsError } from '../errors.ts'
import type { AckKind } from '../options.ts'
import type { Requester } from '../routing/requester.ts'
import type { Space } from '../routing/spaces.ts'
import { type Message, messageOf } from '../wire/message.ts'
import { decodeText } from '../wire/text.ts'
import { ackPrefix } from './delivery.ts'
import { Group } from './group.ts'
import type { Member, Recipient } from './member.ts'
import type { GroupServices } from './services.ts'
import type { Depth } from './store.ts'
import { verdictOf } from './verdict.ts'

/** A durable group, as an operator sees it. */
export interface DurableInfo extends Depth {
  /** The queue group. */
  readonly name: string
  /** The topic prefix of its members; empty for none. */
  readonly mountpoint: string
  /** The topic filters that its members have asked for, with that prefix. */
  readonly filters: readonly string[]
  /** Members on this node. */
  readonly members: number
  /** Messages that members on this node have and have not acknowledged. */
  readonly pending: number
  /** When a member was last present on any node, in milliseconds since 1970. */
  readonly seen: number
  /** Messages dropped because the group held too many, as far as this node has dropped them. */
  readonly dropped: number
  /** Messages that this node gave up after `maxDeliver` deliveries. */
  readonly buried: number
  /** Messages dropped since permissions, or `authorizeForward`, kept them from every member on this node. */
  readonly forbidden: number
}

/** What an operator can do with the durable groups of a cluster. */
export interface DurableGroups {
  list (): Promise<DurableInfo[]>
  /**
   * @param name the queue group
   * @param mountpoint the topic prefix of its members; none unless told
   * @returns null when there is no such group
   */
  inspect (name: string, mountpoint?: string): Promise<DurableInfo | null>
  /** Drops the messages of a group that no member has in hand. @returns how many, as far as known */
  purge (name: string, mountpoint?: string): Promise<number>
  /**
   * Removes a group and its messages.
   *
   * @throws {NatsError} NATS_ERR_DURABLE_IN_USE while it has members on this node
   */
  remove (name: string, mountpoint?: string): Promise<void>
}

// Groups are clients in Aedes' persistence; their ids say whose they are (design: identity is mountpoint and queue group).
const idPrefix = 'nats:/'

/** What the durable groups of a gateway need of it. */
export type DurablesOptions = Omit<GroupServices, 'answers' | 'stream' | 'forbidden'>

/** The durable groups that have members on this node. */
export class Durables implements DurableGroups {
  private readonly services: GroupServices
  private readonly ackPrefix: string
  private readonly groups = new Map<string, Group>()
  private readonly memberships = new Map<object, Map<Member, Group>>()
  private readonly dropped = new Map<string, number>()
  private readonly forbidden = new Map<string, number>()
  private trouble: string | null = null

  constructor (services: DurablesOptions) {
    const stream = `AEDES_${randomBytes(9).toString('hex')}`
    this.services = { ...services, stream, answers: new Map(), forbidden: (id) => { this.forbid(id) } }
    this.ackPrefix = `${ackPrefix}${stream}_`
  }

  /** What keeps the store from doing its work; null when nothing does. */
  get problem (): string | null {
    return this.trouble
  }

  async open (): Promise<void> {
    const { store, log } = this.services
    await store.open({
      work: (id) => { this.groups.get(id)?.work() },
      lost: (id) => {
        log.warn({ group: nameOf(id) }, `durable ${nameOf(id)}: other nodes took back what this one had, which was away too long`)
        this.lost(id)
      },
      dropped: (id, count) => {
        const before = this.dropped.get(id) ?? 0
        this.dropped.set(id, before + count)
        if (before === 0) log.warn({ group: nameOf(id) }, `durable ${nameOf(id)} holds more messages than maxDepth: the oldest are dropped`)
      },
      trouble: (problem) => {
        if (problem === this.trouble) return
        if (problem === null) log.info({}, 'durable subscriptions: the store is back')
        else if (this.trouble === null) log.error({}, `durable subscriptions: the store is away: ${problem}`)
        this.trouble = problem
      }
    })
  }

  /**
   * What no member here may have is dropped, as an MQTT session would not get it later either: kept, it would fill the
   * group up to `maxDepth`, and push out what members may have.
   */
  private forbid (id: string): void {
    const before = this.forbidden.get(id) ?? 0
    this.forbidden.set(id, before + 1)
    if (before === 0) this.services.log.warn({ group: nameOf(id) }, `durable ${nameOf(id)}: permissions or authorizeForward keep messages from every member here: they are dropped`)
  }

  /** What this node had of a group is not its own any more; maybe the group was removed, which has members here. */
  private lost (id: string): void {
    const group = this.groups.get(id)
    if (group === undefined) return
    group.lost()
    if (group.memberCount === 0) return
    this.services.store.register(id, group.topicFilters).then(() => { group.tellPresence() }, (error: Error) => {
      this.services.log.error({ group: group.name }, `cannot register durable ${group.name} again: ${error.message}`)
    })
  }

  /** Registers topic filters for a queue group, so that messages are stored for it from now on. */
  async register (space: Space, queue: string, topicFilters: readonly string[]): Promise<void> {
    await this.services.store.register(idOf(textOf(queue), space.mountpoint), topicFilters)
  }

  /** A subscription becomes a member of its queue group. */
  join (space: Space, queue: string, kind: AckKind, recipient: Recipient): Membership {
    const id = idOf(textOf(queue), space.mountpoint)
    let group = this.groups.get(id)
    if (group === undefined) this.groups.set(id, group = new Group(id, nameOf(id), space, kind, this.services))
    const member = group.join(recipient)
    let own = this.memberships.get(recipient.owner)
    if (own === undefined) this.memberships.set(recipient.owner, own = new Map())
    own.set(member, group)
    return new Membership(group, member)
  }

  /** A message was stored for a queue group, as another node says. */
  wake (mountpoint: string, queue: string): void {
    this.groups.get(idOf(textOf(queue), mountpoint))?.wake()
  }

  /** A connection is gone. */
  disconnected (owner: object): void {
    const own = this.memberships.get(owner)
    if (own === undefined) return
    this.memberships.delete(owner)
    for (const [member, group] of own) group.disconnected(member)
  }

  // hot: once per acknowledgement
  /**
   * Takes a message that acknowledges another one; false when it does not. To know the reply subject of a delivery is
   * enough, whatever else the client may publish to, but for who is in another mountpoint. One that asks for an answer
   * gets an empty message once the store knows.
   */
  acknowledge (message: Message, requester: Requester): boolean {
    if (!message.subject.startsWith(this.ackPrefix)) return false
    const answered = this.services.answers.get(message.subject)
    if (answered === undefined || answered.group.space.mountpoint !== requester.space.mountpoint) return true
    const verdict = verdictOf(message.body)
    if (verdict === null) return true
    const { reply } = message
    answered.group.settle(answered.held, verdict, reply === '' ? null : () => { requester.answer(messageOf(reply, '', '')) })
    return true
  }

  /** Ends all groups on this node; what they had in hand goes back to the store. */
  async close (): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.stop()))
    this.groups.clear()
    this.memberships.clear()
    await this.services.store.close()
  }

  async list (): Promise<DurableInfo[]> {
    const { store } = this.services
    const records = await store.groups()
    return await Promise.all(records.filter(({ group }) => group.startsWith(idPrefix)).map(async ({ group: id, filters, seen }) => {
      const group = this.groups.get(id)
      const { waiting, claimed, parked, redelivered, oldest } = await store.depth(id)
      return {
        name: nameOf(id),
        mountpoint: mountpointOf(id),
        filters,
        members: group?.memberCount ?? 0,
        waiting,
        claimed,
        parked,
        pending: group?.pending ?? 0,
        redelivered,
        oldest,
        seen,
        dropped: this.dropped.get(id) ?? 0,
        buried: group?.buried ?? 0,
        forbidden: this.forbidden.get(id) ?? 0
      }
    }))
  }

  async inspect (name: string, mountpoint = ''): Promise<DurableInfo | null> {
    return (await this.list()).find((info) => info.name === name && info.mountpoint === mountpoint) ?? null
  }

  async purge (name: string, mountpoint = ''): Promise<number> {
    return await this.services.store.purge(idOf(name, mountpoint))
  }

  async remove (name: string, mountpoint = ''): Promise<void> {
    const id = idOf(name, mountpoint)
    const group = this.groups.get(id)
    if (group !== undefined && group.memberCount > 0) throw new NatsError('NATS_ERR_DURABLE_IN_USE', name, String(group.memberCount))
    await group?.stop()
    this.groups.delete(id)
    this.dropped.delete(id)
    this.forbidden.delete(id)
    await this.services.store.remove(id)
  }
}

/** A subscription's place in its group. */
export class Membership {
  private readonly group: Group
  private readonly member: Member

  constructor (group: Group, member: Member) {
    this.group = group
    this.member = member
  }

  // hot: once per live message with a QoS above 0
  /** A message was stored for the group. */
  wake (): void {
    this.group.wake()
  }

  /** The subscription has ended. */
  leave (): void {
    this.group.leave(this.member)
  }
}

/** Queue groups are latin1 text, as they came over the wire. */
function textOf (queue: string): string {
  return decodeText(queue) ?? queue
}

/** `nats:/<mountpoint>/<queue group>`; a mountpoint has slashes of its own. */
function idOf (queue: string, mountpoint: string): string {
  return `${idPrefix}${encodeURIComponent(mountpoint)}/${queue}`
}

function nameOf (id: string): string {
  return id.slice(id.indexOf('/', idPrefix.length) + 1)
}

function mountpointOf (id: string): string {
  return decodeURIComponent(id.slice(idPrefix.length, id.indexOf('/', idPrefix.length)))
}
