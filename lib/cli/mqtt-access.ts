import { isDeepStrictEqual } from 'node:util'
import type { Aedes } from 'aedes'
import type { Credentials, ListenerRules } from '../auth/attempt.ts'
import type { Authenticator, Outcome } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import { asHost, type Done, type HostBroker, type HostHooks, type PublishPacket } from '../broker/host.ts'
import { forMqttAlone } from '../broker/mqtt-hooks.ts'
import { authTimeoutOf } from '../client/login.ts'
import { NatsError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Logger } from '../options.ts'
import { defaultConnectOptions } from '../wire/connect.ts'
import { type MqttClient, type MqttCredentials, MqttGuest } from './mqtt-guest.ts'
import { MqttSessions } from './mqtt-sessions.ts'

/** What an `mqtt` block says of who may connect. */
export interface MqttAccessOption {
  /** A user, token or `noAuthUser` of its own, instead of those of `authorization`; null for the latter. */
  readonly credentials: Credentials | null
  /** Milliseconds for CONNECT; null is that of `authorization`. */
  readonly timeout: number | null
}

export const noMqttAccess: MqttAccessOption = { credentials: null, timeout: null }

/** What holds for the connections of the MQTT port. */
export function mqttRules ({ credentials, timeout }: MqttAccessOption): ListenerRules {
  return { connectionType: 'MQTT', verifyAndMap: false, credentials, timeout }
}

// CONNACK (MQTT 3.1.1, 3.2.2.3), which Aedes translates for MQTT 5.
const serverUnavailable = 3
const badUserName = 4
const notAuthorized = 5
// DISCONNECT (MQTT 5, 3.14.2.1): Not authorized.
const expelled = 0x87

const guestOf = Symbol('guest')

type Hooked = MqttClient & { protocol?: string, [guestOf]?: MqttGuest }

/**
 * Makes MQTT clients pass the option `authorization` of the gateway, as those of nats-server's MQTT port do
 * (server/mqtt.go, server/auth.go): a user with password, a token or the JWT of a bearer as password. NATS clients have
 * passed the gateway, and are not asked here.
 */
export class MqttAccess {
  private readonly broker: HostBroker & { connectTimeout: number }
  private readonly log: Logger
  private readonly sessions: MqttSessions
  private readonly aedes: HostHooks
  private readonly connectTimeout: number
  private readonly guests = new Set<MqttGuest>()
  /** Publishes that are acknowledged and go nowhere. */
  private readonly denied = new WeakSet<object>()
  private gateway: Gateway | null = null
  private rules = mqttRules(noMqttAccess)
  /** The one that the guests were asked by. */
  private authenticator: Authenticator | null = null

  /** @param broker one of Aedes 2 that has no gateway yet: what is denied must not come to the gateway */
  constructor (broker: Aedes, log: Logger) {
    this.broker = asHost(broker) as MqttAccess['broker']
    this.log = log
    this.sessions = new MqttSessions(this.broker, (client, topicFilter) => {
      return (client as Hooked)[guestOf]?.maySubscribe(topicFilter) !== false
    }, (client, error) => { log.error(detailsOf(client), `cannot remove subscriptions of a session: ${error.message}`) })
    const { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward, published, connectTimeout } = this.broker
    this.aedes = { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward, published }
    this.connectTimeout = connectTimeout
    this.hook()
    this.dropDenied()
  }

  private hook (): void {
    const { broker, aedes } = this
    broker.authenticate = forMqttAlone((client, username, password, done) => {
      if (isNats(client)) aedes.authenticate.call(broker, client, username, password, done)
      else this.authenticate(client as Hooked, username, password, done)
    })
    broker.authorizePublish = forMqttAlone((client, packet, done) => {
      if (client === null || isNats(client) || this.admits(client as Hooked, packet, done)) aedes.authorizePublish.call(broker, client, packet, done)
    })
    broker.authorizeSubscribe = forMqttAlone((client, subscription, done) => {
      if (isNats(client) || this.maySubscribe(client as Hooked, subscription.topic)) aedes.authorizeSubscribe.call(broker, client, subscription, done)
      else done(null, null)
    })
    broker.authorizeForward = forMqttAlone((client, packet) => {
      const guest = (client as Hooked)[guestOf]
      return (guest === undefined ? isNats(client) : guest.mayReceive(packet)) ? packet : null
    })
  }

  /** Aedes acknowledges a publish that this hook has let through, and then publishes it. */
  private dropDenied (): void {
    const { broker, denied } = this
    const { publish } = broker
    broker.publish = (packet, client, done) => {
      if (denied.has(packet)) setImmediate(done)
      else publish.call(broker, packet, client, done)
    }
  }

  /** Has to be called before MQTT clients can connect. */
  begin (gateway: Gateway, option: MqttAccessOption): void {
    this.gateway = gateway
    this.obey(option)
  }

  /** Puts changed users, permissions and options into effect: whoever is not let in any more is closed. */
  reload (option: MqttAccessOption): void {
    if (this.obey(option)) for (const guest of [...this.guests]) this.recheck(guest)
  }

  /** Whether there are other users, or other rules. */
  private obey (option: MqttAccessOption): boolean {
    const { rules, authenticator: before, access: { authenticator } } = this
    const next = mqttRules(option)
    if (!isDeepStrictEqual(next, rules)) this.rules = next
    this.authenticator = authenticator
    this.broker.connectTimeout = authenticator.isRequired(next) ? authTimeoutOf(next, this.access) : this.connectTimeout
    return authenticator !== before || this.rules !== rules
  }

  private get access (): Gateway['access'] {
    if (this.gateway === null) throw new Error('MQTT clients cannot connect before `begin`')
    return this.gateway.access
  }

  private authenticate (client: Hooked, username: string | undefined, password: Buffer | undefined, done: (error: Error | null, success?: boolean) => void): void {
    const credentials = { user: username ?? '', pass: password?.toString() ?? '' }
    const refuse = (error: NatsError, returnCode: number): void => {
      this.log.warn(detailsOf(client), error.message)
      done(Object.assign(error, { returnCode }), false)
    }
    if (username === '') {
      refuse(new NatsError('NATS_ERR_AUTHORIZATION', 'the user name is empty'), badUserName)
      return
    }
    this.ask(client, credentials, null, (outcome) => {
      if (client.closed) return
      const full = outcome instanceof NatsError ? null : this.access.seats.enter(outcome)
      if (outcome instanceof NatsError) refuse(outcome, notAuthorized)
      else if (full !== null) refuse(full, serverUnavailable)
      else this.welcome(client, credentials, outcome, done)
    })
  }

  /** Asks who a client is; who it was `before` need not be compared again. */
  private ask (client: Hooked, { user, pass }: MqttCredentials, before: Identity | null, done: (outcome: Outcome) => void): void {
    const { access: { authenticator }, rules: listener } = this
    const outcome = authenticator.authenticate({
      listener,
      // Which of them the password is shows when it is compared.
      options: { ...defaultConnectOptions, user, pass, auth_token: pass, jwt: pass },
      nonce: '',
      meetsHooks: false,
      certificate: null,
      address: addressOf(client),
      before,
      isOpen: () => !client.closed
    })
    if (!(outcome instanceof Promise)) {
      done(outcome)
      return
    }
    outcome.then((late) => {
      // A reload came in between.
      if (this.access.authenticator !== authenticator || this.rules !== listener) this.ask(client, { user, pass }, before, done)
      else done(late)
    }, done)
  }

  private welcome (client: Hooked, credentials: MqttCredentials, identity: Identity, done: (error: null, success: boolean) => void): void {
    const guest = new MqttGuest(client, credentials, identity, this.access.spaces.main.names, (error) => { this.expel(guest, error) })
    client[guestOf] = guest
    this.guests.add(guest)
    client.conn.once('close', () => {
      this.guests.delete(guest)
      guest.clock.stop()
      if (guest.isSeated) this.access.seats.leave(guest.identity)
    })
    this.log.debug(detailsOf(client), `MQTT client is ${identity.name}`)
    // Another node publishes it without asking when this one ends.
    if (client._will !== undefined && !guest.mayPublish(client._will.topic)) {
      this.offend(guest, client._will.topic)
      client._will = undefined
    }
    done(null, true)
  }

  /** Asks again who a client is, now that users and permissions are others. */
  private recheck (guest: MqttGuest): void {
    const { client, credentials, identity } = guest
    const { authenticator, seats } = this.access
    const lost = identity.jwt === null ? null : authenticator.recheck(identity)
    if (lost !== null) {
      this.expel(guest, lost)
      return
    }
    this.ask(client, credentials, identity, (outcome) => {
      if (client.closed || guest.identity !== identity) return
      if (outcome instanceof NatsError) {
        this.expel(guest, outcome)
      } else if (outcome.username !== identity.username || outcome.account !== identity.account) {
        this.expel(guest, new NatsError('NATS_ERR_AUTHORIZATION', `the client is ${outcome.name} now`))
      } else {
        seats.leave(identity)
        const full = seats.enter(outcome)
        guest.isSeated = full === null
        guest.assume(outcome)
        if (full === null) this.review(guest)
        else this.expel(guest, full)
      }
    })
  }

  /** Takes away the subscriptions that a client may not have any more. */
  private review (guest: MqttGuest): void {
    const { client } = guest
    const lost = Object.keys(client.subscriptions).filter((topicFilter) => !guest.maySubscribe(topicFilter))
    if (lost.length === 0) return
    this.log.info(detailsOf(client), `Removed subscriptions of ${guest.identity.name} - not authorized: ${lost.join(', ')}`)
    client.unsubscribe(lost, () => {})
    this.sessions.forget(client, lost)
  }

  private expel ({ client }: MqttGuest, error: NatsError): void {
    this.log.warn(detailsOf(client), error.message)
    client.disconnect({ reasonCode: expelled })
  }

  /** False where it has answered itself. */
  private admits (client: Hooked, packet: PublishPacket, done: Done): boolean {
    const guest = client[guestOf]
    if (guest !== undefined && guest.mayPublish(packet.topic)) {
      if (packet.payload.length <= guest.identity.limits.payload) return true
      done(new Error('Maximum Payload Violation'))
      return false
    }
    if (guest !== undefined) this.offend(guest, packet.topic)
    if (guest === undefined || client.version === 5) {
      done(new Error('Permissions Violation'))
      return false
    }
    // Before MQTT 5 no acknowledgement can say so: as in nats-server, it says nothing, and the connection stays.
    this.denied.add(packet)
    done(null)
    return false
  }

  private maySubscribe (client: Hooked, topicFilter: string): boolean {
    const guest = client[guestOf]
    if (guest === undefined) return false
    const { identity: { name, limits } } = guest
    const isMore = client.subscriptions[topicFilter] === undefined && Object.keys(client.subscriptions).length >= limits.subscriptions
    if (!isMore && guest.maySubscribe(topicFilter)) return true
    this.log.warn(detailsOf(client), `Subscription Violation - ${name}, Topic filter ${JSON.stringify(topicFilter)}`)
    // It may be one of a session that goes on.
    this.sessions.forget(client, [topicFilter])
    return false
  }

  /** The first time is worth a line, however many follow. */
  private offend (guest: MqttGuest, topic: string): void {
    const text = `Publish Violation - ${guest.identity.name}, Topic ${JSON.stringify(topic)}`
    if (guest.hasOffended) this.log.debug(detailsOf(guest.client), text)
    else this.log.warn(detailsOf(guest.client), `${text}: it is dropped, and so are others`)
    guest.hasOffended = true
  }
}

function isNats (client: object): boolean {
  return (client as Hooked).protocol === 'nats'
}

function addressOf ({ conn }: MqttClient): string {
  return (conn.remoteAddress ?? '').replace(/^::ffff:/, '')
}

function detailsOf (client: MqttClient): object {
  return { address: addressOf(client), client: client.id }
}
