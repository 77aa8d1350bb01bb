import { isCorrelated, uncorrelated } from '../../broker/correlation.ts'
import type { PublishPacket } from '../../broker/host.ts'
import { type Publishing, publishingOfPacket } from '../../broker/properties.ts'
import { NatsError } from '../../errors.ts'
import type { Awaited } from '../../routing/replies.ts'
import type { Route } from '../../routing/route.ts'
import { isReservedReply, isReservedSubject } from '../../wire/limits.ts'
import type { Message } from '../../wire/message.ts'
import { noResponders, OK } from '../../wire/serializer.ts'
import { quote } from '../../wire/text.ts'
import type { Client } from '../client.ts'
import { requesterOf } from '../requester.ts'
import { Subscription } from '../subscription.ts'

// hot: once per message
/** PUB and HPUB (server/client.go processInboundClientMsg, in its order of checks). */
export function publish (client: Client, message: Message): void {
  const first = message.subject.charCodeAt(0)
  if (first === 0x24 /* $ */ && client.services.durables?.acknowledge(message, requesterOf(client)) === true) {
    if (client.options.verbose) client.outbox.write(OK)
  } else if (first === 0x5f /* _ */ && isCorrelated(message.subject)) {
    const answer = uncorrelated(message)
    // Who got the request may answer it; anybody else is somebody who publishes to the response topic.
    if (client.permissions?.takeReply(message.subject) === true || mayPublish(client, answer.subject)) check(client, answer)
    else deny(client, message)
  } else if (mayPublish(client, message.subject)) {
    check(client, message)
  } else {
    deny(client, message)
  }
}

// hot: once per message
function mayPublish (client: Client, subject: string): boolean {
  const { permissions } = client
  return permissions === null || permissions.mayPublish(subject)
}

// hot: once per message
function check (client: Client, message: Message): void {
  if (isReservedSubject(message.subject)) {
    deny(client, message)
    return
  }
  const { policy } = client.services
  const { bridge, router } = client.space
  const route = router.route(message.subject)
  message.subject = route.subject
  const publishing = bridge.publishing(message, route, client.options.verbose)
  if (policy.checksPublish) askHost(client, message, route, publishing)
  else if (policy.isReserved(bridge, route)) deny(client, message)
  else accept(client, message, route, publishing, null)
}

function deny (client: Client, message: Message): void {
  client.fail(new NatsError('NATS_ERR_PUBLISH_DENIED', quote(message.subject)))
}

function askHost (client: Client, message: Message, route: Route, publishing: Publishing): void {
  const { services: { policy }, space: { bridge, names, router } } = client
  const packet = bridge.packetOf(message, bridge.destinationTopic(route) ?? names.hookTopic(message.subject), publishing)
  client.gate.await<Error | null>((done) => { policy.mayPublish(client.facade, packet, done) }, (error) => {
    const subject = error === null ? bridge.changedSubject(message, packet) : null
    if (subject === null) {
      deny(client, message)
      return
    }
    const changed = bridge.changed(message, packet, subject)
    const now = router.route(changed.subject)
    changed.subject = now.subject
    accept(client, changed, now, publishingOfPacket(packet), packet)
  })
}

/** @param packet the message as `authorizePublish` left it; null when the host was not asked */
function accept (client: Client, message: Message, route: Route, publishing: Publishing, packet: PublishPacket | null): void {
  if (message.reply !== '' && isReservedReply(message.reply)) client.fail(new NatsError('NATS_ERR_REPLY_DENIED', quote(message.reply)))
  else if (publishing === 0) send(client, message, route, packet)
  else store(client, message, route, publishing, packet)
}

/** QoS 0: to NATS clients at once, to the broker if anybody there may want it. */
function send (client: Client, message: Message, route: Route, packet: PublishPacket | null): void {
  const { bridge, names } = client.space
  if (client.options.verbose) client.outbox.write(OK)
  const delivered = deliver(client, message, route)
  const listened = bridge.hasListener(route)
  if (listened) expectAnswer(client, message, bridge.destinationTopic(route))
  if (listened || bridge.isObserved) {
    client.backlog.add(message.size)
    const published = packet ?? bridge.packetOf(message, bridge.destinationTopic(route) ?? names.hookTopic(route.subject), 0)
    bridge.publish(published, route, client.facade, client.backlog.done)
  }
  if (delivered === 0 && isUnserved(client, message, route, listened)) answerForNobody(client, message)
}

/** QoS 1 and above, and retained: to NATS clients once the broker has stored it, and `+OK` only then. */
function store (client: Client, message: Message, route: Route, publishing: Publishing, granted: PublishPacket | null): void {
  const { bridge, router } = client.space
  const topic = bridge.destinationTopic(route)
  if (topic === null) {
    send(client, message, route, granted)
    return
  }
  const packet = granted ?? bridge.packetOf(message, topic, publishing)
  const awaited = expectAnswer(client, message, topic)
  client.gate.await<Error | null>((done) => { bridge.publishStored(packet, client.facade, done) }, (error) => {
    if (error !== null) {
      if (awaited !== null) client.services.spaces.replies?.withdraw(awaited)
      client.services.counters.failedPublishes++
      client.debug(`publish failed: ${error.message}`)
      deny(client, message)
      return
    }
    if (client.options.verbose) client.outbox.write(OK)
    message.qos = packet.qos
    message.origin = packet
    const now = router.route(message.subject)
    const delivered = deliver(client, message, now)
    const listened = bridge.hasListener(now)
    const unserved = delivered === 0 && isUnserved(client, message, now, listened)
    if (unserved || (awaited !== null && !listened)) {
      unlessStored(client, packet, () => {
        if (awaited !== null && !listened) client.services.spaces.replies?.withdraw(awaited)
        if (unserved) answerForNobody(client, message)
      })
    }
  })
}

// hot: once per message
/** To the NATS clients of this node; the number of deliveries. */
function deliver (client: Client, message: Message, route: Route): number {
  const { spaces } = client.services
  const delivered = route.deliver(message, client)
  if (!spaces.areSeveral) return delivered
  const topic = client.space.bridge.destinationTopic(route)
  return topic === null ? delivered : delivered + spaces.relay(message, topic, client.space, client)
}

/** A device may answer that cannot see the reply subject. */
function expectAnswer (client: Client, message: Message, topic: string | null): Awaited | null {
  const { replies } = client.services.spaces
  return message.reply === '' || topic === null || replies === null ? null : replies.expect(requesterOf(client), topic, message.reply)
}

/** Calls back unless a session has stored the packet: one that is away will serve it. */
function unlessStored (client: Client, { qos, topic }: PublishPacket, callback: () => void): void {
  if (qos === 0) {
    callback()
    return
  }
  const { link } = client.services
  client.gate.await<boolean>((done) => { link.isStoredFor(topic).then(done, () => { done(true) }) }, (isStored) => {
    if (!isStored) callback()
  })
}

/**
 * Whether a message that no NATS client got is a request that nobody serves, of a client that asked to be told.
 *
 * @param listened whether somebody else may listen: a node that is silent gets it, and is no responder
 */
function isUnserved (client: Client, message: Message, route: Route, listened: boolean): boolean {
  if (message.reply === '' || !client.options.no_responders) return false
  return !listened || !client.space.bridge.hasResponder(route)
}

/** A request that nobody serves is answered at once, if the client listens to the reply itself. */
function answerForNobody (client: Client, message: Message): void {
  for (const receiver of client.space.router.match(message.reply)) {
    if (receiver instanceof Subscription && receiver.owner === client && receiver.queue === null) {
      client.outbox.write(noResponders(message.reply, receiver.sid))
      return
    }
  }
}
