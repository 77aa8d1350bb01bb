import type { Attempt } from '../auth/attempt.ts'
import type { Identity } from '../auth/identity.ts'
import { NatsError } from '../errors.ts'
import { quote } from '../wire/text.ts'
import type { Client } from './client.ts'
import type { Subscription } from './subscription.ts'

// Who a client is, and what follows from it while it is connected.

/** What a client has said of itself. @param before who it is already, if it says the same as then */
export function attemptOf (client: Client, before: Identity | null): Attempt {
  const { options, certificate, address, arrival: { rules: listener, greeting: { nonce } }, services: { policy } } = client
  const meetsHooks = before === null && policy.authenticates
  return { listener, options, nonce, certificate, address, meetsHooks, before, isOpen: () => client.state !== 'closed' }
}

/** It is known who a client is; an error when the account has as many connections as it may. */
export function assume (client: Client, identity: Identity): NatsError | null {
  const { seats } = client.services
  if (client.identity !== null) seats.leave(client.identity)
  client.identity = null
  const full = seats.enter(identity)
  if (full !== null) return full
  client.identity = identity
  client.facade.nats = { ...client.options, ...identity.shown, sig: '' }
  client.facade.username = identity.username
  client.reconfigure()
  client.clock.expireWith(identity)
  client.debug(`Client is ${identity.name}`)
  review(client)
  return null
}

/** Takes away the subscriptions that a client may not have any more (server/client.go processSubsOnConfigReload). */
function review (client: Client): void {
  const { permissions } = client
  for (const subscription of [...client.subscriptions.values()]) {
    if (permissions === null || permissions.maySubscribe(subscription.subject, subscription.queue)) {
      subscription.obey(permissions)
    } else {
      client.remove(subscription)
      client.fail(removed(subscription))
    }
  }
}

function removed ({ subject, queue, sid }: Subscription): NatsError {
  return queue === null
    ? new NatsError('NATS_ERR_SUBSCRIPTION_REMOVED', quote(subject), quote(sid))
    : new NatsError('NATS_ERR_QUEUE_REMOVED', quote(subject), quote(queue), quote(sid))
}

/**
 * Asks again who a client is, now that users and permissions are others: it goes, or goes on with the rights that it
 * has now (server/reload.go reloadAuthorization). The hooks of the host, which have not changed, are not asked.
 */
export function recheck (client: Client): void {
  const { identity, services: { authenticator } } = client
  // Whoever is about to say it is asked the new authenticator: see logIn.
  if (identity === null) return
  const lost = identity.jwt === null ? null : authenticator.recheck(identity)
  if (lost !== null) {
    client.fail(lost)
    return
  }
  client.gate.await<Identity | NatsError>((done) => {
    const outcome = authenticator.authenticate(attemptOf(client, identity))
    if (outcome instanceof Promise) outcome.then(done, done)
    else done(outcome)
  }, (outcome) => {
    // Asked again meanwhile.
    if (client.identity !== identity || client.services.authenticator !== authenticator) return
    if (outcome instanceof NatsError) expel(client, outcome, authenticator.isGone(identity))
    // Where its subjects are, and what it is called, is settled for the time of a connection.
    else if (outcome.username !== identity.username || outcome.account !== identity.account) client.close()
    else failWith(client, assume(client, outcome))
  })
}

/** nats-server ends who is no user any more without a word, and tells who has another password (server/reload.go clientHasMovedToDifferentAccount). */
function expel (client: Client, error: NatsError, isGone: boolean): void {
  if (!isGone) {
    client.fail(error)
    return
  }
  client.services.log.warn(client.details, error.message)
  client.close()
}

function failWith (client: Client, error: NatsError | null): void {
  if (error !== null) client.fail(error)
}
