import { type ClaimSet, refusal } from './claim-set.ts'
import { decodeJwt } from './jwt.ts'
import type { Jwt } from './jwt.ts'
import { isPublicKey } from './nkey.ts'
import type { Rights } from './permissions.ts'
import { readPermissions, readUserLimits, rightsOf, type UserLimits } from './user-limits.ts'

/** What an account JWT says; -1 is no limit. */
export interface Account {
  readonly jwt: Jwt
  readonly tags: readonly string[]
  /** Keys that may sign users besides that of the account, each with what all its users are limited to, or null. */
  readonly signingKeys: ReadonlyMap<string, UserLimits | null>
  /** Users, or `*` for all, and the second up to which JWTs issued for them are void. */
  readonly revocations: ReadonlyMap<string, number>
  readonly defaultRights: Rights | null
  readonly disallowBearer: boolean
  readonly connections: number
  readonly subscriptions: number
  readonly payload: number
}

function readSigningKeys (nats: ClaimSet): Map<string, UserLimits | null> {
  const keys = new Map<string, UserLimits | null>()
  for (const [i, item] of nats.list('signing_keys').entries()) {
    if (typeof item === 'string') {
      keys.set(item, null)
    } else {
      const scope = nats.item('signing_keys', i)
      if (scope.text('kind') !== 'user_scope') throw refusal('the JWT has a signing key of an unknown kind')
      keys.set(scope.text('key'), readUserLimits(scope.set('template'), -1))
    }
  }
  for (const key of keys.keys()) {
    if (!isPublicKey(key, 'account')) throw refusal(`the signing key ${JSON.stringify(key)} is no public key of an account`)
  }
  return keys
}

/**
 * Reads an account JWT. What it exports to other accounts and imports from them is ignored.
 *
 * @throws {NatsError} NATS_ERR_AUTHORIZATION with what is wrong
 */
export function readAccount (token: string): Account {
  const jwt = decodeJwt(token, 'account')
  const { nats } = jwt
  if (!isPublicKey(jwt.subject, 'account')) throw refusal('the JWT is of no account')
  // Then nats-server asks a service who may connect: letting everybody in instead would be wrong.
  if (nats.set('authorization').texts('auth_users').length > 0) throw refusal('the account asks for an auth callout, which does not exist here')
  const limits = nats.set('limits')
  return {
    jwt,
    tags: nats.texts('tags'),
    signingKeys: readSigningKeys(nats),
    revocations: nats.numbers('revocations'),
    defaultRights: rightsOf(readPermissions(nats.set('default_permissions'))),
    disallowBearer: limits.flag('disallow_bearer'),
    connections: limits.integer('conn'),
    subscriptions: limits.integer('subs'),
    payload: limits.integer('payload')
  }
}

/** What an operator ought to know who has users in several accounts, which nats-server keeps apart. */
export function sharedSubjects (accounts: readonly string[]): string {
  return `ACCOUNTS DO NOT ISOLATE: users of ${accounts.join(', ')} see each other's subjects; a mountpoint with \${username} or a listener for each keeps them apart`
}

/** Whether a user JWT that was issued at this second is void (server/accounts.go isRevoked). */
export function isRevoked ({ revocations }: Account, user: string, issuedAt: number): boolean {
  const until = Math.max(revocations.get(user) ?? -1, revocations.get('*') ?? -1)
  return until >= issuedAt
}
