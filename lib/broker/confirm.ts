import type { Done, HostBroker, HostHooks, PublishPacket } from './host.ts'
import type { PublishOrder } from './publish-order.ts'

type Publish = HostBroker['publish']
type Hook = HostHooks['authorizePublish']

/** Where a client keeps its publishes that are not acknowledged yet. */
const pending = Symbol('pending publishes')

/** An MQTT client of Aedes, as far as it matters here. */
interface PublishingClient {
  readonly closed: boolean
  emit (event: 'error', error: Error): unknown
  [pending]?: Pending
}

/** The unacknowledged QoS 1 publishes of a client. */
class Pending {
  readonly byMessageId = new Map<number, Confirmation>()
  /** The oldest one that Aedes has not been answered about, and the newest one. */
  first: Confirmation | null = null
  last: Confirmation | null = null
}

/** One QoS 1 publish of an MQTT client, from `authorizePublish` until Aedes publishes it itself. */
class Confirmation {
  readonly client: PublishingClient
  readonly pending: Pending
  readonly packet: PublishPacket
  readonly messageId: number
  /** What `authorizePublish` is to answer to. */
  readonly answer: Done
  next: Confirmation | null = null
  /** Whether the hook has answered, and the packet may be published. */
  publishing = false
  /** Whether it is on its way into the broker, and as what: the packet, or a copy that a wrap of the host made. */
  published: Partial<PublishPacket> | null = null
  /** Whether Aedes can be answered, and what: an error of the hook, or null. */
  ready = false
  error: Error | null = null
  answered = false
  /** Whether the publish is over, and what Aedes gives for that. */
  over = false
  overError: Error | null | undefined = undefined
  done: Done | undefined = undefined
  /** Publishes of the client that use the same id while this one does. */
  after: (() => void)[] | null = null

  constructor (client: PublishingClient, of: Pending, packet: PublishPacket, messageId: number, answer: Done) {
    this.client = client
    this.pending = of
    this.packet = packet
    this.messageId = messageId
    this.answer = answer
  }
}

/**
 * Has QoS 1 publishes of MQTT clients stored before their PUBACK. Aedes sends it between `authorizePublish` and
 * `broker.publish` (lib/handlers/publish.js), so here the packet is published when the hook has allowed it, Aedes hears
 * of that once it is stored, and its own call of `publish`, after the PUBACK, only waits for the end of that one:
 *
 *     hook -> publish: store -> answer: PUBACK -> publish (nothing is left to do) -> done
 *                      emit  -> deliver ... ----------------------------------------^
 *
 * A publish that cannot be stored closes the connection without PUBACK. PUBACKs go out in the order of the publishes.
 */
export class Confirmer {
  private readonly broker: HostBroker
  private readonly order: PublishOrder
  private active = true
  private released: (() => void) | null = null

  constructor (broker: HostBroker, order: PublishOrder) {
    this.broker = broker
    this.order = order
  }

  /** The hook, and what is to be done before it answers. */
  guard (hook: Hook): Hook {
    const guarded: Hook = (client, packet, answer) => {
      // Wills and packets of the host have no message id.
      if (!this.active || packet.qos !== 1 || packet.messageId === undefined || client === null) hook.call(this.broker, client, packet, answer)
      else this.ask(hook, client as PublishingClient, packet, packet.messageId, answer)
    }
    return guarded
  }

  // hot: once per QoS 1 publish of an MQTT client
  private ask (hook: Hook, client: PublishingClient, packet: PublishPacket, messageId: number, answer: Done): void {
    const of = client[pending] ??= new Pending()
    const known = of.byMessageId.get(messageId)
    if (known !== undefined) {
      // A hook of the host that calls the one before it, which is guarded too; or a client that reuses an id too early.
      if (known.packet === packet || !known.publishing) hook.call(this.broker, client, packet, answer)
      else (known.after ??= []).push(() => { this.ask(hook, client, packet, messageId, answer) })
      return
    }
    const confirmation = new Confirmation(client, of, packet, messageId, answer)
    of.byMessageId.set(messageId, confirmation)
    if (of.last === null) of.first = confirmation
    else of.last.next = confirmation
    of.last = confirmation
    hook.call(this.broker, client, packet, (error) => {
      if (confirmation.publishing || confirmation.ready) return
      if (error || packet.qos !== 1) this.forget(confirmation, error ?? null)
      else this.publish(confirmation)
    })
  }

  private publish (confirmation: Confirmation): void {
    confirmation.publishing = true
    this.broker.publish(confirmation.packet, confirmation.client, (error) => {
      confirmation.over = true
      confirmation.overError = error
      // Where nobody said that it is stored: the wraps are undone, or a wrap of the host did not publish it.
      if (!confirmation.ready) this.stored(confirmation, error ?? null)
      const { done } = confirmation
      confirmation.done = undefined
      done?.(error)
    })
  }

  /**
   * Wraps `broker.publish`; `run` is the wrapped function.
   *
   * @returns whether the call was about a confirmed publish
   */
  take (run: Publish, packet: Partial<PublishPacket>, client: object | null, done: Done | undefined): boolean {
    if (packet.qos !== 1 || packet.messageId === undefined || client === null) return false
    const confirmation = (client as PublishingClient)[pending]?.byMessageId.get(packet.messageId)
    if (confirmation === undefined) return false
    const { packet: original, published } = confirmation
    if (published === null) {
      if (!confirmation.publishing || confirmation.ready) return false
      confirmation.published = packet
      this.order.expect(packet as PublishPacket, (error) => { this.stored(confirmation, error ?? null) })
      this.order.publish(run, packet, client, done)
      return true
    }
    // Another message of this client, which the host made from this one.
    if (!confirmation.answered || (packet !== original && published === original)) return false
    this.release(confirmation)
    if (confirmation.over) done?.(confirmation.overError)
    else confirmation.done = done
    return true
  }

  private stored (confirmation: Confirmation, error: Error | null): void {
    if (confirmation.ready) return
    confirmation.ready = true
    const { client } = confirmation
    if (client.closed) return
    // MQTT 5 clients would get a PUBACK with an error: the message is not refused, though, and must come again.
    if (error !== null) client.emit('error', error)
    else this.answer(confirmation.pending)
  }

  /** What is not published is answered in its turn, and is none of ours any more. */
  private forget (confirmation: Confirmation, error: Error | null): void {
    confirmation.ready = true
    confirmation.error = error
    this.release(confirmation)
    this.answer(confirmation.pending)
  }

  private answer (of: Pending): void {
    for (let confirmation = of.first; confirmation !== null && confirmation.ready && !confirmation.client.closed; confirmation = of.first) {
      of.first = confirmation.next
      if (of.first === null) of.last = null
      confirmation.answered = true
      confirmation.answer(confirmation.error)
    }
  }

  private release ({ pending: of, messageId, after }: Confirmation): void {
    of.byMessageId.delete(messageId)
    if (after !== null) for (const each of after) each()
    if (!this.active && this.released !== null && !this.isBusy()) this.released()
  }

  private isBusy (): boolean {
    for (const id in this.broker.clients) {
      const of = (this.broker.clients[id] as Partial<PublishingClient>)[pending]
      if (of !== undefined && of.byMessageId.size > 0) return true
    }
    return false
  }

  /** Confirms nothing new. `released` is called once Aedes has been through with what is under way, at once if nothing is. */
  close (released: () => void): void {
    this.active = false
    if (this.isBusy()) this.released = released
    else released()
  }
}
