import type { HostSubscription } from '../../broker/host.ts'
import { NatsError } from '../../errors.ts'
import { isFilter, tokenCount } from '../../subject/grammar.ts'
import { systemGroup } from '../../wire/limits.ts'
import { OK } from '../../wire/serializer.ts'
import { quote } from '../../wire/text.ts'
import type { Client } from '../client.ts'
import { Subscription } from '../subscription.ts'

/** SUB (server/client.go processSubEx, in its order of checks). */
export function subscribe (client: Client, subject: string, queue: string | null, sid: string): void {
  const { bridge, policy } = client.services
  if (queue === systemGroup) {
    client.fail(denied(subject, queue))
    return
  }
  const asked: HostSubscription = { topic: bridge.hookFilter(subject), qos: 0 }
  if (queue !== null) asked.queue = queue
  const { topic } = asked
  client.gate.await<HostSubscription | null>((done) => { policy.maySubscribe(client.facade, asked, done) }, (granted) => {
    if (granted === null) client.fail(denied(subject, queue))
    else add(client, subject, topic === granted.topic ? subject : bridge.filterOf(granted.topic), granted.topic, queue, sid)
  })
}

function denied (subject: string, queue: string | null): NatsError {
  return queue === null
    ? new NatsError('NATS_ERR_SUBSCRIBE_DENIED', quote(subject))
    : new NatsError('NATS_ERR_QUEUE_DENIED', quote(subject), quote(queue))
}

function add (client: Client, subject: string, filter: string, topicFilter: string, queue: string | null, sid: string): void {
  const { link } = client.services
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
    client.add(new Subscription(client, subject, filter, topicFilter, queue, sid))
    client.registration = link.registration
  }
  if (client.options.verbose) client.outbox.write(OK)
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
