import type { PublishPacket } from '../../broker/host.ts'
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
  const { durables, policy } = client.services
  if (durables !== null && message.subject.charCodeAt(0) === 0x24 /* $ */ && durables.acknowledge(message)) {
    if (client.options.verbose) client.outbox.write(OK)
  } else if (isReservedSubject(message.subject)) {
    deny(client, message)
  } else if (policy.checksPublish) {
    askHost(client, message)
  } else if (policy.isReserved(message.subject)) {
    deny(client, message)
  } else {
    accept(client, message, null)
  }
}

function deny (client: Client, message: Message): void {
  client.fail(new NatsError('NATS_ERR_PUBLISH_DENIED', quote(message.subject)))
}

function askHost (client: Client, message: Message): void {
  const { bridge, policy } = client.services
  const packet = bridge.packetOf(message, bridge.hookTopic(message.subject), client.options.verbose ? 1 : 0)
  client.gate.await<Error | null>((done) => { policy.mayPublish(client.facade, packet, done) }, (error) => {
    if (error !== null) deny(client, message)
    else accept(client, bridge.changed(message, packet), packet)
  })
}

/** @param packet the message as `authorizePublish` left it; null when the host was not asked */
function accept (client: Client, message: Message, packet: PublishPacket | null): void {
  if (message.reply !== '' && isReservedReply(message.reply)) {
    client.fail(new NatsError('NATS_ERR_REPLY_DENIED', quote(message.reply)))
    return
  }
  const route = client.services.router.route(message.subject)
  message.subject = route.subject
  if (packet === null ? client.options.verbose : packet.qos > 0 || packet.retain) store(client, message, route, packet)
  else send(client, message, route, packet)
}

/** QoS 0: to NATS clients at once, to the broker if anybody there may want it. */
function send (client: Client, message: Message, route: Route, packet: PublishPacket | null): void {
  const { bridge } = client.services
  if (client.options.verbose) client.outbox.write(OK)
  const delivered = route.deliver(message, client)
  const listened = bridge.hasListener(route)
  if (listened || bridge.isObserved) {
    client.backlog.add(message.size)
    const published = packet ?? bridge.packetOf(message, bridge.destinationTopic(route) ?? bridge.hookTopic(route.subject), 0)
    bridge.publish(published, route, client.facade, client.backlog.done)
  }
  if (delivered === 0 && !listened) answerForNobody(client, message)
}

/** QoS 1 and above: to NATS clients once the broker has stored it, and `+OK` only then. */
function store (client: Client, message: Message, route: Route, granted: PublishPacket | null): void {
  const { bridge, counters, router } = client.services
  const topic = bridge.destinationTopic(route)
  if (topic === null) {
    send(client, message, route, granted)
    return
  }
  const packet = granted ?? bridge.packetOf(message, topic, 1)
  client.gate.await<Error | null>((done) => { bridge.publishStored(packet, client.facade, done) }, (error) => {
    if (error !== null) {
      counters.failedPublishes++
      client.debug(`publish failed: ${error.message}`)
      deny(client, message)
      return
    }
    if (client.options.verbose) client.outbox.write(OK)
    message.qos = packet.qos
    const now = router.route(message.subject)
    const delivered = now.deliver(message, client)
    if (delivered === 0 && !bridge.hasListener(now)) answerForNobody(client, message)
  })
}

/** A request that nobody serves is answered at once, if the client asked for that and listens to the reply itself. */
function answerForNobody (client: Client, message: Message): void {
  if (message.reply === '' || !client.options.no_responders) return
  for (const receiver of client.services.router.match(message.reply)) {
    if (receiver instanceof Subscription && receiver.owner === client && receiver.queue === null) {
      client.outbox.write(noResponders(message.reply, receiver.sid))
      return
    }
  }
}
