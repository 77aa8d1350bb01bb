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
import { Subscription } from '../subscription.ts'

/** SUB (server/client.go processSubEx, in its order of checks). */
export function subscribe (client: Client, subject: string, queue: string | null, sid: string): void {
  const { bridge, options, policy } = client.services
  if (queue === systemGroup) {
    client.fail(denied(subject, queue))
    return
  }
  const kind = queue === null || options.durable === false ? null : ackKindOf(options.durable, queue)
  const asked: HostSubscription = { topic: bridge.hookFilter(subject), qos: kind === null ? 0 : 1 }
  if (queue !== null) asked.queue = queue
  if (kind !== null) asked.durable = true
  const { topic } = asked
  client.gate.await<HostSubscription | null>((done) => { policy.maySubscribe(client.facade, asked, done) }, (granted) => {
    if (granted === null) client.fail(denied(subject, queue))
    else add(client, { subject, filter: topic === granted.topic ? subject : bridge.filterOf(granted.topic), topicFilter: granted.topic, queue, sid, kind })
  })
}

function denied (subject: string, queue: string | null): NatsError {
  return queue === null
    ? new NatsError('NATS_ERR_SUBSCRIBE_DENIED', quote(subject))
    : new NatsError('NATS_ERR_QUEUE_DENIED', quote(subject), quote(queue))
}

/** A SUB that the host has granted. */
interface Granted {
  readonly subject: string
  /** What the host made of it, as subject and as topic filter. */
  readonly filter: string
  readonly topicFilter: string
  readonly queue: string | null
  readonly sid: string
  /** Null unless the queue group is durable. */
  readonly kind: AckKind | null
}

function add (client: Client, granted: Granted): void {
  const { subject, filter, topicFilter, queue, sid, kind } = granted
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
      addDurable(client, granted, queue, kind)
      return
    }
    put(client, new Subscription(client, subject, filter, topicFilter, queue, sid))
  }
  if (client.options.verbose) client.outbox.write(OK)
}

/** Subscribes once messages are stored for the group; nothing that the client sends meanwhile is looked at. */
function addDurable (client: Client, { subject, filter, topicFilter, sid }: Granted, queue: string, kind: AckKind): void {
  const { bridge, durables } = client.services
  if (durables === null || !bridge.isTopicFilter(filter)) {
    client.debug(`${queue} cannot be durable on ${subject}: no topic can match it`)
    client.fail(denied(subject, queue))
    return
  }
  client.gate.await<Error | null>((done) => {
    durables.register(queue, topicFilter).then(() => { done(null) }, done)
  }, (error) => {
    if (error !== null) {
      client.services.log.error(client.details, `cannot subscribe ${subject} as durable ${queue}: ${error.message}`)
      client.fail(denied(subject, queue))
      return
    }
    put(client, new DurableSubscription(client, durables, kind, subject, filter, topicFilter, queue, sid))
    if (client.options.verbose) client.outbox.write(OK)
  })
}

function put (client: Client, subscription: Subscription): void {
  client.add(subscription)
  client.registration = client.services.link.registration
}

function refusal (client: Client, subject: string): NatsError | null {
  const { maxSubTokens, maxSubscriptions } = client.services.options
  if (maxSubTokens > 0 && tokenCount(subject) > maxSubTokens) return new NatsError('NATS_ERR_TOO_MANY_TOKENS', quote(subject))
  if (maxSubscriptions > 0 && client.subscriptions.size >= maxSubscriptions) {
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
