import { answerSubject } from '../broker/correlation.ts'
import { detach } from '../wire/text.ts'
import type { RuleSet } from './subject-rules.ts'

/** What a user may do; shared by all connections of the user. Null allows everything. */
export interface Rights {
  readonly publish: { readonly allow: RuleSet | null, readonly deny: RuleSet | null }
  readonly subscribe: { readonly allow: RuleSet | null, readonly deny: RuleSet | null }
  /** How many answers may go to a reply subject that came with a message, and for how many milliseconds; negative is no limit. */
  readonly responses: { readonly max: number, readonly expires: number } | null
}

interface Reply {
  left: number
  readonly until: number
}

/** Subjects of a connection that it is known whether they may be published to. */
const maxKnown = 256
/** Reply subjects of a connection that may be answered; the oldest make room. */
export const maxReplies = 65_536
/** Bytes of them, for subjects as long as a control line. */
export const maxReplyBytes = 4_194_304
/** What is left of them where they were more: so seldom that it does not matter how many entries a Map has to skip to its oldest. */
const keptReplyBytes = maxReplyBytes * 7 / 8
/** Messages with a reply between two looks for replies that are over. */
const pruneAfter = 1024

/** The rights of a user on one connection (server/client.go permissions). Subjects and queue groups are latin1 text. */
export class Permissions {
  readonly rights: Rights
  private readonly now: () => number
  private readonly known = new Map<string, boolean>()
  private readonly replies = new Map<string, Reply>()
  private replyBytes = 0
  private notedSincePrune = 0

  /** @param now milliseconds from any start */
  constructor (rights: Rights, now: () => number = () => performance.now()) {
    this.rights = rights
    this.now = now
  }

  // hot: once per message published
  mayPublish (subject: string): boolean {
    return this.isAllowed(subject) || (this.rights.responses !== null && this.takeReply(subject))
  }

  private isAllowed (subject: string): boolean {
    const known = this.known.get(subject)
    if (known !== undefined) return known
    const { allow, deny } = this.rights.publish
    const allowed = (allow === null || allow.has(subject)) && (deny === null || !deny.has(subject))
    if (this.known.size >= maxKnown) this.known.clear()
    this.known.set(detach(subject), allowed)
    return allowed
  }

  /** Whether a subject may be published to only as the answer to a message; it is taken then. */
  takeReply (subject: string): boolean {
    const reply = this.replies.get(subject)
    if (reply === undefined) return false
    if (--reply.left === 0) this.forget(subject)
    return reply.until > this.now()
  }

  /** Whether messages with a reply have to be noted. */
  get notesReplies (): boolean {
    return this.rights.responses !== null
  }

  // hot: once per delivered message with a reply, if `notesReplies`
  /** Lets the client answer, if it may not anyway. */
  noteReply (subject: string): void {
    const { responses } = this.rights
    if (responses === null || this.isAllowed(answerSubject(subject))) return
    const now = this.now()
    // To the end, so that the oldest are in front.
    this.forget(subject)
    this.replies.set(detach(subject), { left: responses.max, until: responses.expires < 0 ? Infinity : now + responses.expires })
    this.replyBytes += subject.length
    if (this.replyBytes > maxReplyBytes) this.prune(now, keptReplyBytes)
    else if (++this.notedSincePrune >= pruneAfter) this.prune(now, maxReplyBytes)
  }

  private forget (subject: string): void {
    if (this.replies.delete(subject)) this.replyBytes -= subject.length
  }

  private prune (now: number, bytes: number): void {
    this.notedSincePrune = 0
    for (const [subject, reply] of this.replies) {
      if (reply.until > now && this.replies.size <= maxReplies && this.replyBytes <= bytes) return
      this.forget(subject)
    }
  }

  /** @param queue null for a subscription without queue group */
  maySubscribe (filter: string, queue: string | null): boolean {
    const { allow, deny } = this.rights.subscribe
    return (allow === null || allow.allows(filter, queue)) && (deny === null || !deny.denies(filter, queue))
  }

  /** Whether a subscription that is allowed may match subjects that are denied, so that each delivery has to be asked for. */
  filters (filter: string, queue: string | null): boolean {
    const { deny } = this.rights.subscribe
    return deny !== null && deny.collides(filter, queue)
  }

  // hot: once per delivery, if `filters`
  mayReceive (subject: string, queue: string | null): boolean {
    const { deny } = this.rights.subscribe
    return deny === null || !deny.denies(subject, queue)
  }
}
