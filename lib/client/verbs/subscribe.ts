import type { HostSubscription } from '../../broker/host.ts'
import { ackKindOf } from '../../durable/patterns.ts'
import { NatsError } from '../../errors.ts'
import type { AckKind } from '../../options.ts'
import { isFilter, tokenCount } from '../../subject/grammar.ts'
import { systemGroup } from '../../wire/limits.ts'
import { OK } from '../../wire/serializer.ts'
import { quote } from '../../wire/text.ts'
import type { Client } from '../client.ts'
import { DurableSubscription } from '../durable-subscription.ts'
import { RetainedSubscription, whenRetained } from '../retained-subscription.ts'
import { type Granted, Subscription } from '../subscription.ts'

/** What a client asks for; `kind` is null unless the queue group is durable. */
interface Asked {
  readonly subject: string
  readonly queue: string | null
  readonly sid: string
  readonly kind: AckKind | null
}

/** SUB (server/client.go processSubEx, in its order of checks). */
export function subscribe (client: Client, subject: string, queue: string | null, sid: string): void {
  const { options } = client.services
  if (queue === systemGroup) {
    client.fail(denied(subject, queue))
    return
  }
  if (isDenied(client, subject, queue)) {
    client.fail(denied(subject, queue))
    return
  }
  const kind = queue === null || options.durable === false ? null : ackKindOf(options.durable, queue)
  const asked = { subject, queue, sid, kind }
  const topicFilters = client.space.names.hookFilters(subject)
  client.gate.await<Granted | null>((done) => { askHost(client, asked, topicFilters, done) }, (granted) => {
    // The permissions may have changed meanwhile, here and below.
    if (granted === null || isDenied(client, subject, queue)) client.fail(denied(subject, queue))
    else add(client, granted, kind)
  })
}

function isDenied ({ permissions }: Client, subject: string, queue: string | null): boolean {
  return permissions !== null && !permissions.maySubscribe(subject, queue)
}

function denied (subject: string, queue: string | null): NatsError {
  return queue === null
    ? new NatsError('NATS_ERR_SUBSCRIBE_DENIED', quote(subject))
    : new NatsError('NATS_ERR_QUEUE_DENIED', quote(subject), quote(queue))
}

/**
 * Asks `authorizeSubscribe` for each topic filter that the subject stands for; it must grant all. It may change the topic
 * filter where there is one alone.
 */
function askHost (client: Client, { subject, queue, sid, kind }: Asked, topicFilters: readonly string[], done: (granted: Granted | null) => void): void {
  const { policy } = client.services
  const next = (at: number): void => {
    const topic = topicFilters[at]
    if (topic === undefined) {
      done({ subject, filter: subject, topicFilters, queue, sid })
      return
    }
    const asked: HostSubscription = { topic, qos: kind === null ? 0 : 1 }
    if (queue !== null) asked.queue = queue
    if (kind !== null) asked.durable = true
    policy.maySubscribe(client.facade, asked, (granted) => {
      if (granted?.topic === topic) {
        next(at + 1)
        return
      }
      const filter = granted === null || topicFilters.length > 1 ? null : client.space.names.filterOf(granted.topic)
      done(granted === null || filter === null ? null : { subject, filter, topicFilters: [granted.topic], queue, sid })
    })
  }
  next(0)
}

function add (client: Client, granted: Granted, kind: AckKind | null): void {
  const { subject, filter, queue, sid } = granted
  const refused = refusal(client, subject)
  if (refused !== null) {
    client.fail(refused)
    return
  }
  // A sid that is in use stays what it is; nats-server says +OK all the same.
  if (!client.subscriptions.has(sid)) {
    if (!isFilter(subject) || !isFilter(filter)) {
      client.fail(new NatsError('NATS_ERR_INVALID_SUBJECT', quote(subject)))
      return
    }
    if (queue !== null && kind !== null) {
      addDurable(client, { ...granted, queue }, kind)
      return
    }
    if (client.services.options.retained && queue === null) {
      addRetained(client, granted)
      return
    }
    put(client, new Subscription(client, granted))
  }
  if (client.options.verbose) client.outbox.write(OK)
}

/** Subscribes once messages are stored for the group; nothing that the client sends meanwhile is looked at. */
function addDurable (client: Client, granted: Granted & { readonly queue: string }, kind: AckKind): void {
  const { subject, filter, queue } = granted
  const { services: { durables }, space } = client
  const topicFilters = space.names.prefixFiltersOf(filter)
  if (durables === null || topicFilters.length === 0) {
    client.debug(`${queue} cannot be durable on ${subject}: no topic can match it`)
    client.fail(denied(subject, queue))
    return
  }
  client.gate.await<Error | null>((done) => {
    durables.register(space, queue, topicFilters).then(() => { done(null) }, done)
  }, (error) => {
    if (error !== null) {
      client.services.log.error(client.details, `cannot subscribe ${subject} as durable ${queue}: ${error.message}`)
      client.fail(denied(subject, queue))
    } else if (isDenied(client, subject, queue)) {
      client.fail(denied(subject, queue))
    } else {
      put(client, new DurableSubscription(client, durables, kind, granted))
      if (client.options.verbose) client.outbox.write(OK)
    }
  })
}

/**
 * Subscribes with what is retained. A client has one subscription at a time that reads it; the next SUB waits for its turn,
 * and so does a PING, whose answer says that all of it is there. Anything else goes on: an UNSUB counts what comes.
 */
function addRetained (client: Client, granted: Granted): void {
  const { subject, queue } = granted
  client.gate.await<void>((done) => { whenRetained(client, done) }, () => {
    if (isDenied(client, subject, queue)) {
      client.fail(denied(subject, queue))
      return
    }
    const subscription = new RetainedSubscription(client, granted)
    put(client, subscription)
    if (client.options.verbose) client.outbox.write(OK)
    client.retained = subscription
    subscription.begin()
  })
}

function put (client: Client, subscription: Subscription): void {
  client.add(subscription)
  const { cluster, link } = client.services
  client.registration = link.registration
  if (cluster !== null) client.announcement = cluster.interest.stamp
}

function refusal (client: Client, subject: string): NatsError | null {
  const { maxSubTokens } = client.services.options
  const maxSubscriptions = Math.min(client.services.options.maxSubscriptions || Infinity, client.identity?.limits.subscriptions ?? Infinity)
  if (maxSubTokens > 0 && tokenCount(subject) > maxSubTokens) return new NatsError('NATS_ERR_TOO_MANY_TOKENS', quote(subject))
  if (client.subscriptions.size >= maxSubscriptions) {
    return new NatsError('NATS_ERR_MAX_SUBSCRIPTIONS', String(maxSubscriptions))
  }
  return null
}

/** UNSUB (server/client.go processUnsub). `max` counts from the SUB on. */
export function unsubscribe (client: Client, sid: string, max: number): void {
  const subscription = client.subscriptions.get(sid)
  if (subscription !== undefined) {
    if (max > subscription.delivered) subscription.max = max
    else client.remove(subscription)
  }
  if (client.options.verbose) client.outbox.write(OK)
}
