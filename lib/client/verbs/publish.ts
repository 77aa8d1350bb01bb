import { isCorrelated, uncorrelated } from '../../broker/correlation.ts'
import type { PublishPacket } from '../../broker/host.ts'
import { type Publishing, publishingOfPacket } from '../../broker/properties.ts'
import { NatsError } from '../../errors.ts'
import type { Route } from '../../routing/router.ts'
import { isReservedReply, isReservedSubject } from '../../wire/limits.ts'
import type { Message } from '../../wire/message.ts'
import { noResponders, OK } from '../../wire/serializer.ts'
import { quote } from '../../wire/text.ts'
import type { Client } from '../client.ts'
import { Subscription } from '../subscription.ts'

// hot: once per message
/** PUB and HPUB (server/client.go processInboundClientMsg, in its order of checks). */
export function publish (client: Client, message: Message): void {
  const { durables } = client.services
  const { subject } = message
  const first = subject.charCodeAt(0)
  if (first === 0x24 /* $ */ && durables !== null && durables.acknowledge(message, client.space)) {
    if (client.options.verbose) client.outbox.write(OK)
  } else if (isReservedSubject(subject)) {
    deny(client, message)
  } else if (first === 0x5f /* _ */ && isCorrelated(subject)) {
    const answer = uncorrelated(message)
    if (isReservedSubject(answer.subject)) deny(client, message)
    // Who got the request may answer it; anybody else is somebody who publishes to the response topic.
    else if (client.permissions?.takeReply(subject) === true || mayPublish(client, answer.subject)) check(client, answer)
    else deny(client, message)
  } else if (mayPublish(client, subject)) {
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
  const { policy } = client.services
  const { bridge, router } = client.space
  const route = router.route(message.subject)
  message.subject = route.subject
  const publishing = bridge.publishing(message, route, client.options.verbose)
  if (policy.checksPublish) askHost(client, message, route, publishing)
  else if (policy.isReserved(message.subject, client.space.names)) deny(client, message)
  else accept(client, message, route, publishing, null)
}

function deny (client: Client, message: Message): void {
  client.fail(new NatsError('NATS_ERR_PUBLISH_DENIED', quote(message.subject)))
}

function askHost (client: Client, message: Message, route: Route, publishing: Publishing): void {
  const { services: { policy }, space: { bridge, names, router } } = client
  const packet = bridge.packetOf(message, bridge.destinationTopic(route) ?? names.hookTopic(message.subject), publishing)
  client.gate.await<Error | null>((done) => { policy.mayPublish(client.facade, packet, done) }, (error) => {
    if (error !== null) {
      deny(client, message)
      return
    }
    const changed = bridge.changed(message, packet)
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
  if (listened) expectAnswer(client, message, route)
  if (listened || bridge.isObserved) {
    client.backlog.add(message.size)
    const published = packet ?? bridge.packetOf(message, bridge.destinationTopic(route) ?? names.hookTopic(route.subject), 0)
    bridge.publish(published, route, client.facade, client.backlog.done)
  }
  if (delivered === 0 && !listened) answerForNobody(client, message)
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
  expectAnswer(client, message, route)
  client.gate.await<Error | null>((done) => { bridge.publishStored(packet, client.facade, done) }, (error) => {
    if (error !== null) {
      client.services.counters.failedPublishes++
      client.debug(`publish failed: ${error.message}`)
      deny(client, message)
      return
    }
    if (client.options.verbose) client.outbox.write(OK)
    message.qos = packet.qos
    const now = router.route(message.subject)
    const delivered = deliver(client, message, now)
    if (delivered === 0 && !bridge.hasListener(now)) answerUnlessStored(client, message, topic)
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
function expectAnswer (client: Client, message: Message, route: Route): void {
  const { replies } = client.services.spaces
  const topic = message.reply === '' || replies === null ? null : client.space.bridge.destinationTopic(route)
  if (topic !== null) replies?.expect(client.space, topic, message.reply)
}

/** A session that is away and has the request stored will serve it. */
function answerUnlessStored (client: Client, message: Message, topic: string): void {
  if (message.qos === 0) {
    answerForNobody(client, message)
  } else if (message.reply !== '' && client.options.no_responders) {
    const { link } = client.services
    client.gate.await<boolean>((done) => { link.isStoredFor(topic).then(done, () => { done(true) }) }, (isStored) => {
      if (!isStored) answerForNobody(client, message)
    })
  }
}

/** A request that nobody serves is answered at once, if the client asked for that and listens to the reply itself. */
function answerForNobody (client: Client, message: Message): void {
  if (message.reply === '' || !client.options.no_responders) return
  for (const receiver of client.space.router.match(message.reply)) {
    if (receiver instanceof Subscription && receiver.owner === client && receiver.queue === null) {
      client.outbox.write(noResponders(message.reply, receiver.sid))
      return
    }
  }
}
