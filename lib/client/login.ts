import type { ListenerRules } from '../auth/attempt.ts'
import type { Identity } from '../auth/identity.ts'
import { connectionId } from '../broker/identity.ts'
import { NatsError } from '../errors.ts'
import { mountpointOf } from '../subject/mountpoint.ts'
import { fillPlaceholders } from '../subject/placeholders.ts'
import { tlsTable } from '../transport/tls-options.ts'
import type { Client } from './client.ts'
import { longest } from './clock.ts'
import type { Services } from './services.ts'
import { assume, attemptOf } from './standing.ts'

type Done = (error: NatsError | null) => void

// How long a client may take to say who it is, in milliseconds (server/const.go AUTH_TIMEOUT).
export const authTimeout = 2000
/** Where there is TLS, so much longer than its handshake. */
export const afterHandshake = 1000

/** How long a client of a listener may take to say who it is (server/opts.go getDefaultAuthTimeout). */
export function authTimeoutOf (rules: ListenerRules, { authenticator, options: { tls } }: Pick<Services, 'authenticator' | 'options'>): number {
  const time = rules.timeout ?? authenticator.timeout ?? (tls === null ? authTimeout : (tls.timeout ?? tlsTable.timeout.default) + afterHandshake)
  return Math.min(time, longest)
}

/** Ends a client in time that has to say who it is, and does not. */
export function awaitLogIn (client: Client): void {
  const { arrival: { rules }, services } = client
  if (client.state !== 'new' || client.gate.isHeld) return
  if (services.authenticator.isRequired(rules) || services.policy.authenticates) client.clock.awaitConnect(authTimeoutOf(rules, services))
}

/**
 * Finds out who a client is, by the option `authorization`, and then whether the host lets it in. The hooks of the host
 * see what has been proven: a key that signed the nonce, a user name that goes with its password.
 */
export function logIn (client: Client, done: Done): void {
  const { authenticator } = client.services
  const outcome = authenticator.authenticate(attemptOf(client, null))
  if (!(outcome instanceof Promise)) {
    become(client, outcome, done)
    return
  }
  outcome.then((late) => {
    if (client.services.authenticator === authenticator) become(client, late, done)
    else logIn(client, done)
  }, done)
}

function become (client: Client, outcome: Identity | NatsError, done: Done): void {
  if (client.state === 'closed') return
  const refused = outcome instanceof NatsError ? outcome : assume(client, outcome)
  if (refused !== null) {
    done(refused)
    return
  }
  const { policy } = client.services
  if (client.state === 'new') {
    identify(client)
    policy.connect(client.facade, done)
  } else {
    policy.authenticate(client.facade, done)
  }
}

/** Gives the client the id that the option `clientId` makes of what it says; one that says nothing keeps its random one. */
function identify (client: Client): void {
  const { clientId } = client.services.options
  if (clientId === '') return
  const { facade, options: { name } } = client
  const id = fillPlaceholders(clientId, { username: facade.username ?? '', name })
  if (id !== null) facade.id = connectionId(id)
}

/** Puts the client where its subjects are. It stays there. */
export function mount (client: Client): NatsError | null {
  const { address, arrival, facade, options: { name } } = client
  const mountpoint = mountpointOf(arrival.mountpoint, { username: facade.username ?? '', clientid: facade.id, name, host: address })
  if (mountpoint === null) return new NatsError('NATS_ERR_AUTHORIZATION', `nothing to fill ${arrival.mountpoint} with`)
  if (client.state === 'new') client.admit(mountpoint)
  else if (mountpoint !== client.space.mountpoint) return new NatsError('NATS_ERR_AUTHORIZATION', `another CONNECT leads from ${client.space.mountpoint} to ${mountpoint}`)
  return null
}
