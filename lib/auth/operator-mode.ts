import { NatsError } from '../errors.ts'
import type { ConnectionType } from '../options/authorization.ts'
import { type Account, isRevoked, readAccount, sharedSubjects } from './accounts.ts'
import type { Attempt } from './attempt.ts'
import { refusal } from './claim-set.ts'
import { type Identity, noCredentials } from './identity.ts'
import { checkTime, decodeJwt, type Jwt } from './jwt.ts'
import { isPublicKey } from './nkey.ts'
import { readOperator } from './operators.ts'
import { shownKey, wrongOption } from './option-reader.ts'
import { Permissions, type Rights } from './permissions.ts'
import { checkSignature } from './proof.ts'
import { fillTemplates } from './templates.ts'
import { admitsAddress, isEmpty, readUserLimits, rightsOf, timeLeft, type UserLimits } from './user-limits.ts'

/** Of -1 and 0 the first is no limit. */
function limit (...claimed: number[]): number {
  return Math.min(...claimed.map((value) => value < 0 ? Infinity : value))
}

const knownTypes: readonly string[] = ['STANDARD', 'WEBSOCKET', 'LEAFNODE', 'LEAFNODE_WS', 'MQTT', 'MQTT_WS', 'IN_PROCESS'] satisfies ConnectionType[]

/** Why a JWT is refused, for people. */
export function reasonOf (error: unknown): string {
  return error instanceof NatsError ? error.message.replace(/^authorization violation: /, '') : String(error)
}

/** Runs what reads a JWT of the options. @throws {NatsError} NATS_ERR_OPTION with what is wrong with it */
function fromOption<T> (path: string, what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw wrongOption(path, `wrong, as ${reasonOf(error)}`, what)
  }
}

/**
 * Operator mode: an operator's key signs account JWTs, an account's key signs user JWTs, and the user signs the nonce
 * (server/auth.go processClientOrLeafAuthentication, where `trustedKeys` is set).
 */
export class OperatorMode {
  /** What an operator ought to know, a line each. */
  readonly warnings: string[] = []
  private readonly trusted = new Set<string>()
  /** Signing keys whose accounts' own keys must not sign users. */
  private readonly strict = new Set<string>()
  private readonly accounts = new Map<string, Account>()

  /**
   * @param operators their JWTs
   * @param trustedKeys what may sign accounts besides their keys
   * @param accounts JWTs by public key
   * @throws {NatsError} NATS_ERR_OPTION
   */
  constructor (operators: readonly string[], trustedKeys: readonly string[], accounts: ReadonlyMap<string, string>) {
    for (const [i, token] of operators.entries()) this.trustOperator(token, `authorization.operators[${i}]`)
    for (const [i, key] of trustedKeys.entries()) {
      const path = `authorization.trustedKeys[${i}]`
      if (!isPublicKey(key, 'operator')) throw wrongOption(path, shownKey(key), 'the public key of an operator')
      this.trusted.add(key)
    }
    for (const [key, token] of accounts) this.addAccount(key, token)
    if (accounts.size > 1) this.warnings.push(sharedSubjects([...accounts.keys()]))
  }

  private trustOperator (token: string, path: string): void {
    const { keys, isStrict } = fromOption(path, 'the JWT of an operator', () => readOperator(token.trim()))
    for (const key of keys) {
      this.trusted.add(key)
      if (isStrict) this.strict.add(key)
    }
  }

  private addAccount (key: string, token: string): void {
    const path = `authorization.resolverPreload.${key}`
    const account = fromOption(path, 'the JWT of an account', () => readAccount(token.trim()))
    const { jwt } = account
    if (jwt.subject !== key) throw wrongOption(path, `one of the account ${jwt.subject}`, 'the JWT of that account')
    if (!this.trusted.has(jwt.issuer)) this.warnings.push(`the JWT of account ${key} is not signed by a trusted operator: nobody can connect with it`)
    else if (jwt.expires > 0 && jwt.expires * 1000 < Date.now()) this.warnings.push(`the JWT of account ${key} has expired: nobody can connect with it`)
    this.accounts.set(key, account)
  }

  private account (key: string, now: number): Account {
    const account = this.accounts.get(key)
    if (account === undefined) throw refusal(`there is no account ${JSON.stringify(key)}`)
    if (!this.trusted.has(account.jwt.issuer)) throw refusal('the account JWT is not signed by a trusted operator')
    checkTime(account.jwt, now)
    return account
  }

  /** What the user may, which the template of a signing key decides if it has one. */
  private limitsOf (jwt: Jwt, account: Account): UserLimits {
    const scope = this.strict.has(account.jwt.issuer) || jwt.issuer !== account.jwt.subject ? account.signingKeys.get(jwt.issuer) : null
    if (scope === undefined) throw refusal('the user JWT is not signed by a key of its account')
    const own = readUserLimits(jwt.nats, 0)
    if (scope === null) return own
    if (!isEmpty(own)) throw refusal('the user JWT has permissions or limits, which its signing key has already')
    const permissions = fillTemplates(scope.permissions, {
      name: jwt.name,
      subject: jwt.subject,
      tags: jwt.nats.texts('tags'),
      accountName: account.jwt.name,
      accountSubject: account.jwt.subject,
      accountTags: account.tags
    })
    return { ...scope, permissions }
  }

  /** @throws {NatsError} NATS_ERR_AUTHORIZATION with the reason for the log */
  authenticate (attempt: Attempt, now: number): Identity {
    const { options, nonce, address, listener: { connectionType } } = attempt
    if (options.jwt === '') throw refusal('CONNECT has no user JWT')
    const jwt = decodeJwt(options.jwt, 'user')
    if (!isPublicKey(jwt.subject, 'user')) throw refusal('the user JWT is of no user')
    checkTime(jwt, now)
    const issuerAccount = jwt.nats.text('issuer_account')
    const account = this.account(issuerAccount === '' ? jwt.issuer : issuerAccount, now)
    const limits = this.limitsOf(jwt, account)
    if (limits.proxyRequired) throw refusal('the user has to come through a proxy')
    if (limits.bearer && account.disallowBearer) throw refusal('the account allows no bearer tokens')
    const types = limits.connectionTypes.filter((type) => knownTypes.includes(type))
    if (limits.connectionTypes.length > 0 && !types.includes(connectionType)) throw refusal(`the user may not connect by ${connectionType}`)
    if (!limits.bearer) checkSignature(jwt.subject, options.sig, nonce)
    if (isRevoked(account, jwt.subject, jwt.issuedAt)) throw refusal('the user JWT is revoked')
    if (!admitsAddress(limits, address)) throw refusal(`the user may not connect from ${address}`)
    const left = timeLeft(limits, now)
    if (left === null) throw refusal('the user may not connect at this time of the day')
    return this.identity(options.jwt, jwt, account, limits, rightsOf(limits.permissions) ?? account.defaultRights, now + left)
  }

  private identity (token: string, jwt: Jwt, account: Account, limits: UserLimits, rights: Rights | null, until: number): Identity {
    const userEnd = Math.min(jwt.expires > 0 ? jwt.expires * 1000 : Infinity, until)
    const accountEnd = account.jwt.expires > 0 ? account.jwt.expires * 1000 : Infinity
    const at = Math.min(userEnd, accountEnd)
    return {
      name: `JWT User "${jwt.subject}"`,
      username: jwt.subject,
      account: account.jwt.subject,
      accountConnections: limit(account.connections),
      permissions: rights === null ? null : new Permissions(rights),
      limits: {
        subscriptions: limit(limits.subscriptions, account.subscriptions),
        payload: limit(limits.payload, account.payload),
        data: limit(limits.data)
      },
      expires: at === Infinity ? null : { at, code: userEnd <= accountEnd ? 'NATS_ERR_USER_EXPIRED' : 'NATS_ERR_ACCOUNT_EXPIRED' },
      shown: { ...noCredentials, jwt: token },
      match: null,
      jwt: { subject: jwt.subject, issuer: jwt.issuer, name: jwt.name, tags: jwt.nats.texts('tags'), issuedAt: jwt.issuedAt, bearer: limits.bearer }
    }
  }

  /**
   * Whether a connection may stay now that these are the accounts; null if so (server/accounts.go
   * updateAccountClaimsWithRefresh).
   */
  recheck ({ account: key, jwt }: Identity, now: number): NatsError | null {
    if (key === null || jwt === null) return refusal('the connection has no user JWT')
    try {
      const account = this.account(key, now)
      if (jwt.bearer && account.disallowBearer) throw refusal('the account allows no bearer tokens')
      if (isRevoked(account, jwt.subject, jwt.issuedAt)) return new NatsError('NATS_ERR_USER_REVOKED')
      if (jwt.issuer !== key && !account.signingKeys.has(jwt.issuer)) throw refusal('the user JWT is not signed by a key of its account')
      return null
    } catch (error) {
      return error as NatsError
    }
  }
}
