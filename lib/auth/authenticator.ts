import { NatsError } from '../errors.ts'
import type { AuthorizationOption } from '../options/authorization.ts'
import { sharedSubjects } from './accounts.ts'
import type { Attempt, Credentials, ListenerRules } from './attempt.ts'
import { refusal } from './claim-set.ts'
import { type Identity, noCredentials, noLimits } from './identity.ts'
import { isPublicKey } from './nkey.ts'
import { OperatorMode } from './operator-mode.ts'
import { kindOf, OptionReader, wrongOption } from './option-reader.ts'
import { isBcrypt, isSame, matchesPassword } from './passwords.ts'
import { Permissions } from './permissions.ts'
import { checkSignature, prove } from './proof.ts'
import { readRights } from './rights-option.ts'
import { noUser, shownUser, type User, Users } from './users.ts'

const credentialNames = ['user', 'pass', 'token', 'noAuthUser']
const names = [...credentialNames, 'timeout', 'users', 'accounts', 'defaultPermissions', 'operators', 'trustedKeys', 'resolverPreload']

/** Either who somebody is, or why not; the latter ends the connection, and only its `wire` is for the client. */
export type Outcome = Identity | NatsError

function credentialsOf (reader: OptionReader): Credentials {
  const credentials = { user: reader.text('user'), pass: reader.text('pass'), token: reader.text('token'), noAuthUser: reader.text('noAuthUser') }
  if (credentials.token !== null && (credentials.user !== null || credentials.pass !== null)) {
    throw wrongOption(reader.path, 'one with a token and a user', 'a user with password, or a token')
  }
  // nats-server then asks for nothing.
  if (credentials.pass !== null && credentials.user === null) throw wrongOption(reader.path, 'one with a password and no user', 'a user with password, or a token')
  return credentials
}

/** Reads what a listener may have of its own. @throws {NatsError} NATS_ERR_OPTION */
export function readListenerRules (value: unknown, path: string): Pick<ListenerRules, 'credentials' | 'timeout'> {
  const reader = new OptionReader(value, path, [...credentialNames, 'timeout'])
  const credentials = credentialsOf(reader)
  // With nothing but a timeout it asks for what the gateway asks for.
  return { credentials: Object.values(credentials).every((each) => each === null) ? null : credentials, timeout: reader.integer('timeout', 1) }
}

/** Tells who a connection is, by what the option `authorization` says. */
export class Authenticator {
  /** Milliseconds that a client may take to send CONNECT; null is for the gateway to decide. */
  readonly timeout: number | null
  /** What an operator ought to know, a line each. */
  readonly warnings: string[] = []
  private readonly listeners: readonly ListenerRules[]
  private readonly now: () => number
  private readonly credentials: Credentials
  private readonly users = new Users()
  private readonly operators: OperatorMode | null

  /**
   * @param option null lets everybody in
   * @param listeners all that ask it
   * @param now milliseconds since 1970
   * @throws {NatsError} NATS_ERR_OPTION, naming the part of the option, its value unless it may be secret, and what is allowed
   */
  constructor (option: AuthorizationOption | null, listeners: readonly ListenerRules[], now: () => number = Date.now) {
    const reader = new OptionReader(option ?? {}, 'authorization', names)
    this.listeners = listeners
    this.now = now
    this.timeout = reader.integer('timeout', 1)
    this.credentials = credentialsOf(reader)
    this.readUsers(reader)
    this.operators = this.readOperators(reader)
    this.checkTogether(reader)
  }

  private readUsers (reader: OptionReader): void {
    const inherited = readRights(reader.get('defaultPermissions'), reader.at('defaultPermissions'))
    this.users.add(reader.list('users'), reader.at('users'), null, inherited)
    const accounts = new Set<string>()
    const inhabited = reader.list('users').length > 0 ? ['$G'] : []
    for (const [i, value] of reader.list('accounts').entries()) {
      const account = new OptionReader(value, `${reader.at('accounts')}[${i}]`, ['name', 'users', 'defaultPermissions'])
      const name = account.text('name')
      if (name === null || accounts.has(name)) throw wrongOption(account.at('name'), String(name), 'a name that no other account has')
      accounts.add(name)
      if (account.list('users').length > 0) inhabited.push(name)
      this.users.add(account.list('users'), account.at('users'), name, readRights(account.get('defaultPermissions'), account.at('defaultPermissions')))
    }
    if (inhabited.length > 1) this.warnings.push(sharedSubjects(inhabited))
  }

  private readOperators (reader: OptionReader): OperatorMode | null {
    const operators = reader.texts('operators')
    const trustedKeys = reader.texts('trustedKeys')
    if (operators.length > 0 && trustedKeys.length > 0) throw wrongOption(reader.at('trustedKeys'), 'there beside operators', 'one of both')
    const preload = reader.get('resolverPreload')
    if (operators.length + trustedKeys.length === 0) {
      if (preload !== undefined) throw wrongOption(reader.at('resolverPreload'), 'there without operators', 'accounts of operators')
      return null
    }
    if (typeof preload !== 'object' || preload === null || Array.isArray(preload)) {
      throw wrongOption(reader.at('resolverPreload'), kindOf(preload), 'an object with the JWT of each account by its public key')
    }
    const accounts = new OptionReader(preload, reader.at('resolverPreload'), Object.keys(preload))
    const mode = new OperatorMode(operators, trustedKeys, new Map(Object.keys(preload).map((key) => [key, accounts.text(key) ?? ''])))
    this.warnings.push(...mode.warnings)
    return mode
  }

  /** As server/auth.go validateNoAuthUser, server/jwt.go validateTrustedOperators and the parser of server/opts.go. */
  private checkTogether (reader: OptionReader): void {
    const { user, pass, token, noAuthUser } = this.credentials
    const several = this.users.hasNames || this.users.hasKeys
    if (this.operators !== null && (several || user !== null || token !== null || noAuthUser !== null)) {
      throw wrongOption(reader.path, 'one with operators and users', 'operators alone')
    }
    if (several && (user !== null || token !== null)) throw wrongOption(reader.path, 'one with a single user or token and several users', 'one of both')
    if (noAuthUser !== null && !this.users.has(noAuthUser)) throw wrongOption(reader.at('noAuthUser'), shownUser(noAuthUser), 'one of the users')
    for (const { connectionType, credentials } of this.listeners) {
      if (credentials !== null) this.checkListener(`${connectionType.toLowerCase()}.authorization`, credentials, several)
    }
    if (this.users.hasPlainPasswords || (user !== null && pass !== null && !isBcrypt(pass))) {
      this.warnings.push('Plaintext passwords detected, use nkeys or bcrypt')
    }
  }

  /** As server/websocket.go validateWebsocketOptions and server/mqtt.go validateMQTTOptions. */
  private checkListener (path: string, { user, token, noAuthUser }: Credentials, several: boolean): void {
    if (several && (user !== null || token !== null)) throw wrongOption(path, 'one with a user or token, where there are users', 'noAuthUser alone')
    if (noAuthUser !== null && !this.users.has(noAuthUser)) throw wrongOption(`${path}.noAuthUser`, shownUser(noAuthUser), 'one of the users')
  }

  private credentialsFor (listener: ListenerRules): Credentials {
    return listener.credentials ?? this.credentials
  }

  /** Whether anything is asked of clients of a listener. */
  isRequired (listener: ListenerRules): boolean {
    const { user, token, noAuthUser } = this.credentialsFor(listener)
    return this.operators !== null || this.users.hasNames || this.users.hasKeys || user !== null || token !== null || noAuthUser !== null
  }

  /**
   * Whether INFO says `auth_required`, without which clients do not send credentials. Who may do without them is told
   * so by its absence, and may also do without CONNECT.
   */
  isAnnounced (listener: ListenerRules): boolean {
    return this.isRequired(listener) && this.credentialsFor(listener).noAuthUser === null
  }

  /** Whether INFO has a nonce, which clients with keys sign (server/nkey.go nonceRequired). */
  get needsNonce (): boolean {
    return this.operators !== null || this.users.hasKeys
  }

  /** Who a connection is. A promise only where a bcrypt hash is compared; neither throws nor rejects. */
  authenticate (attempt: Attempt): Outcome | Promise<Outcome> {
    try {
      const identity = this.identify(attempt)
      return identity instanceof Promise ? identity.catch(refused) : identity
    } catch (error) {
      return refused(error)
    }
  }

  /** In the order of server/auth.go processClientOrLeafAuthentication. */
  private identify (attempt: Attempt): Identity | Promise<Identity> {
    const { options, listener } = attempt
    if (!this.isRequired(listener)) return this.open(attempt)
    if (this.operators !== null) return this.operators.authenticate(attempt, this.now())
    const { noAuthUser } = this.credentialsFor(listener)
    const isEmpty = options.user === '' && options.pass === '' && options.auth_token === ''
    if (this.users.hasKeys) {
      const key = options.nkey === '' && isEmpty && noAuthUser !== null && !this.users.isNamed(noAuthUser) ? noAuthUser : options.nkey
      if (key !== '') return this.withKey(attempt, key, noAuthUser)
    }
    if (this.users.hasNames) {
      if (listener.verifyAndMap) return this.withPassword(attempt, this.users.withCertificate(attempt))
      if (isEmpty && noAuthUser !== null && this.users.isNamed(noAuthUser)) return this.known(attempt, this.users.withName(noAuthUser, listener))
      if (options.user !== '') return this.withPassword(attempt, this.users.withName(options.user, listener))
    }
    return this.withSingle(attempt)
  }

  /**
   * Nothing is asked; what the client says of itself is for hooks. Of several kinds of credentials one counts, so that
   * no hook lets a client in by the one and takes its name from the other.
   */
  private open (attempt: Attempt): Identity {
    const { options } = attempt
    const { nkey, jwt, key } = prove(options, attempt.nonce, this.now())
    if (key !== '') return identityOf({ name: nameOf(key, '', ''), username: key, shown: { ...noCredentials, nkey, jwt } })
    const { user, pass, auth_token: token } = options
    if (attempt.meetsHooks && isPublicKey(user, 'user')) throw refusal('the user name is a public key that the client has not signed with')
    if (user !== '') return identityOf({ name: nameOf('', user, ''), username: user, shown: { ...noCredentials, user, pass } })
    return identityOf({ name: nameOf('', '', token), username: null, shown: { ...noCredentials, pass, auth_token: token } })
  }

  private known (attempt: Attempt, { id, pass, account, rights }: User): Identity {
    const { options, nonce } = attempt
    const rest = { username: id, account, permissions: rights === null ? null : new Permissions(rights) }
    if (pass === null) return identityOf({ ...rest, name: nameOf(id, '', ''), shown: { ...noCredentials, nkey: id } })
    const { nkey, jwt } = prove(options, nonce, this.now())
    return identityOf({ ...rest, name: nameOf('', id, ''), shown: { ...noCredentials, user: options.user === id ? id : '', pass: options.pass, nkey, jwt } })
  }

  private withKey (attempt: Attempt, key: string, noAuthUser: string | null): Identity {
    const user = this.users.withKey(key, attempt.listener)
    if (key === noAuthUser) return { ...this.known(attempt, user), shown: noCredentials }
    checkSignature(key, attempt.options.sig, attempt.nonce)
    return this.known(attempt, user)
  }

  private withPassword (attempt: Attempt, user: User): Identity | Promise<Identity> {
    const { listener } = attempt
    const configured = user.pass ?? ''
    if (!listener.verifyAndMap && configured === '' && this.users.isMapped(user, this.listeners)) throw refusal('the user needs a client certificate')
    return this.compared(attempt, configured, attempt.options.pass, () => this.known(attempt, user))
  }

  private withSingle (attempt: Attempt): Identity | Promise<Identity> {
    const { options, listener } = attempt
    const { user, pass, token } = this.credentialsFor(listener)
    const { nkey, jwt } = prove(options, attempt.nonce, this.now())
    if (token !== null) {
      const shown = { ...noCredentials, auth_token: options.auth_token, nkey, jwt }
      return this.compared(attempt, token, options.auth_token, () => identityOf({ name: nameOf('', '', options.auth_token), username: null, shown }))
    }
    if (user === null) throw refusal('CONNECT has no credentials')
    if (!isSame(user, options.user)) throw noUser(options.user)
    const shown = { ...noCredentials, user, pass: options.pass, nkey, jwt }
    return this.compared(attempt, pass ?? '', options.pass, () => identityOf({ name: nameOf('', user, ''), username: user, shown }))
  }

  private compared (attempt: Attempt, configured: string, given: string, who: () => Identity): Identity | Promise<Identity> {
    const check = (same: boolean): Identity => {
      if (!same) throw refusal('wrong password or token')
      return { ...who(), match: { configured, given } }
    }
    const match = attempt.before?.match ?? null
    if (match !== null && match.configured === configured && match.given === given) return check(true)
    const same = matchesPassword(configured, given, attempt.isOpen)
    return typeof same === 'boolean' ? check(same) : same.then(check)
  }

  /** Whether whoever a connection is has been removed, by whichever credentials it came in. */
  isGone ({ username, jwt }: Identity): boolean {
    return jwt === null && username !== null && !this.users.has(username) && this.credentials.user === null
  }

  /** Whether a connection in operator mode may stay that another authenticator let in; null if so. */
  recheck (identity: Identity): NatsError | null {
    return this.operators?.recheck(identity, this.now()) ?? null
  }
}

function refused (error: unknown): NatsError {
  return error instanceof NatsError ? error : refusal(error instanceof Error ? error.message : String(error))
}

/** As server/client.go getAuthUser. */
function nameOf (key: string, user: string, token: string): string {
  if (key !== '') return `Nkey ${JSON.stringify(key)}`
  if (user !== '') return `User ${JSON.stringify(user)}`
  return token !== '' ? 'Token "[REDACTED]"' : 'User "N/A"'
}

function identityOf (known: Pick<Identity, 'name' | 'username' | 'shown'> & Partial<Pick<Identity, 'account' | 'permissions'>>): Identity {
  return { account: null, permissions: null, ...known, accountConnections: Infinity, limits: noLimits, expires: null, jwt: null, match: null }
}
