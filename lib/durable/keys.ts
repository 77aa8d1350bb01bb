/**
 * All Redis keys of durable groups; no other file spells one. Those of a group share the hash slot of its list, which
 * aedes-persistence-redis names: the tag is the whole name of the list, and encodeURIComponent leaves no braces in it.
 */
export class GroupKeys {
  /** LIST of `packet:<broker id>:<counter>`, Aedes' own: what waits. */
  readonly list: string
  /** And the name of a node: ZSET of entries of the list by claim number, what that node has in hand. */
  readonly claimed: string
  /** SET of nodes that may have something in hand. */
  readonly holders: string
  /** HASH: `number` (claims so far), `overlapping` ('1'), `request:<node>` (last request, its first and
   * last number), `turn:<node>` (how much it took for each of its members, since when it wants more). */
  readonly meta: string
  /** ZSET of entries by claim number. */
  readonly parked: string
  /** HASH of the topics of parked entries. */
  readonly topics: string
  /** HASH of how often entries were handed out, of those that were. */
  readonly tries: string
  /** SETs of entries that were acknowledged last, the younger and the older generation; overlapping filters only. */
  readonly done: string
  readonly doneBefore: string
  /** HASH of all filters asked for, with the time of the last asking. */
  readonly filters: string
  /** Held by whoever changes subscriptions. */
  readonly lock: string

  constructor (prefix: string, group: string) {
    const list = `${prefix}outgoing:${encodeURIComponent(group)}`
    const own = (name: string): string => `${prefix}nats:${name}:{${list}}`
    this.list = list
    this.claimed = `${own('claimed')}:`
    this.holders = own('holders')
    this.meta = own('meta')
    this.parked = own('parked')
    this.topics = own('topics')
    this.tries = own('tries')
    this.done = own('done')
    this.doneBefore = own('done-before')
    this.filters = own('filters')
    this.lock = own('lock')
  }
}

/** Those that no single group has. */
export class SharedKeys {
  /** HASH of groups, with the time a member was last present. */
  readonly groups: string
  /** HASH of nodes, with the time their lease ends; negative: since when another node buries them. */
  readonly leases: string
  /** Held by the node that looks after all groups. */
  readonly janitor: string
  /** CHANNEL of names of groups that have got work. */
  readonly work: string

  constructor (prefix: string, database: number) {
    this.groups = `${prefix}nats:groups`
    this.leases = `${prefix}nats:leases`
    this.janitor = `${prefix}nats:janitor`
    // Channels are not of a database.
    this.work = `${prefix}nats:work:${database}`
  }
}

/** What Aedes puts before the id of a message in a list. */
export const entryPrefix = 'packet:'
