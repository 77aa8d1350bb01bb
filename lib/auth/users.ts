import type { NatsError } from '../errors.ts'
import type { Attempt, ListenerRules } from './attempt.ts'
import { namesOf } from './certificate.ts'
import { refusal } from './claim-set.ts'
import { hasSameParts, isSameName, parseName, type DistinguishedName } from './distinguished-name.ts'
import { isPublicKey, isSeed } from './nkey.ts'
import { OptionReader, shownKey, wrongOption } from './option-reader.ts'
import { isBcrypt } from './passwords.ts'
import type { Rights } from './permissions.ts'
import { readRights } from './rights-option.ts'

/** A user of the configuration. */
export interface User {
  /** The name, or the public key. */
  readonly id: string
  /** Plain or bcrypt; null for an nkey. */
  readonly pass: string | null
  /** The name as that of the subject of a certificate, if it is one. */
  readonly subject: DistinguishedName | null
  readonly account: string | null
  readonly rights: Rights | null
  /** Null is any. */
  readonly connectionTypes: ReadonlySet<string> | null
}

const connectionTypes = ['STANDARD', 'WEBSOCKET', 'LEAFNODE', 'LEAFNODE_WS', 'MQTT', 'MQTT_WS', 'IN_PROCESS']

function readConnectionTypes (reader: OptionReader): Set<string> | null {
  const types = reader.texts('connectionTypes').map((type) => type.toUpperCase())
  if (!types.every((type) => connectionTypes.includes(type))) throw wrongOption(reader.at('connectionTypes'), types.join(', '), `some of ${connectionTypes.join(', ')}`)
  return types.length === 0 ? null : new Set(types)
}

function readUser (value: unknown, path: string, account: string | null, inherited: Rights | null): User {
  const reader = new OptionReader(value, path, ['user', 'pass', 'nkey', 'permissions', 'connectionTypes'])
  const user = reader.text('user')
  const nkey = reader.text('nkey')
  const id = nkey ?? user
  if (id === null) throw wrongOption(path, 'one without user and nkey', 'a user with a name or an nkey')
  if (nkey !== null && !isPublicKey(nkey, 'user')) throw wrongOption(reader.at('nkey'), shownKey(nkey), 'the public nkey of a user')
  if (nkey !== null && (user !== null || reader.has('pass'))) throw wrongOption(path, 'one with an nkey and a name or password', 'a user with a name or an nkey')
  return {
    id,
    pass: nkey === null ? reader.text('pass') ?? '' : null,
    subject: nkey === null ? parseName(id) : null,
    account,
    rights: readRights(reader.get('permissions'), reader.at('permissions')) ?? inherited,
    connectionTypes: readConnectionTypes(reader)
  }
}

function isAllowed (user: User, { connectionType }: ListenerRules): boolean {
  return user.connectionTypes === null || user.connectionTypes.has(connectionType)
}

/** The name of a user, for messages; somebody may have taken a seed for one. */
export function shownUser (name: string, shown = name): string {
  return isSeed(name) ? 'of a seed' : shown
}

function quotedUser (name: string): string {
  return shownUser(name, JSON.stringify(name))
}

/** The refusal of somebody who says to be a user that there is not. */
export function noUser (name: string): NatsError {
  return refusal(`there is no user ${quotedUser(name)}`)
}

/** The users of the configuration, by name and by nkey. */
export class Users {
  private readonly named = new Map<string, User>()
  private readonly keyed = new Map<string, User>()

  /** Adds the users of an option. @throws {NatsError} NATS_ERR_OPTION */
  add (list: readonly unknown[], path: string, account: string | null, inherited: Rights | null): void {
    for (const [i, value] of list.entries()) {
      const user = readUser(value, `${path}[${i}]`, account, inherited)
      if (this.has(user.id)) throw wrongOption(`${path}[${i}]`, `${shownUser(user.id)}, who is there already`, 'each user once')
      const users = user.pass === null ? this.keyed : this.named
      users.set(user.id, user)
    }
  }

  has (id: string): boolean {
    return this.named.has(id) || this.keyed.has(id)
  }

  isNamed (id: string): boolean {
    return this.named.has(id)
  }

  get hasNames (): boolean {
    return this.named.size > 0
  }

  get hasKeys (): boolean {
    return this.keyed.size > 0
  }

  /** Whether a password stands there for everybody to read who reads the configuration. */
  get hasPlainPasswords (): boolean {
    return [...this.named.values()].some(({ pass }) => pass !== null && pass !== '' && !isBcrypt(pass))
  }

  private find (users: ReadonlyMap<string, User>, id: string, listener: ListenerRules): User | null {
    const user = users.get(id)
    return user !== undefined && isAllowed(user, listener) ? user : null
  }

  /** @throws {NatsError} NATS_ERR_AUTHORIZATION where there is none, or not for this listener */
  withKey (key: string, listener: ListenerRules): User {
    const user = this.find(this.keyed, key, listener)
    if (user === null) throw refusal(`no user has the nkey ${quotedUser(key)}`)
    return user
  }

  /** @throws {NatsError} NATS_ERR_AUTHORIZATION where there is none, or not for this listener */
  withName (name: string, listener: ListenerRules): User {
    const user = this.find(this.named, name, listener)
    if (user === null) throw noUser(name)
    return user
  }

  /**
   * The user whom a client certificate names (server/auth.go checkClientTLSCertSubject).
   *
   * @throws {NatsError} NATS_ERR_AUTHORIZATION where there is none
   */
  withCertificate ({ certificate, listener }: Attempt): User {
    if (certificate?.raw === undefined) throw refusal('the client has no certificate')
    let names
    try {
      names = namesOf(certificate.raw)
    } catch {
      throw refusal('the client certificate cannot be read')
    }
    for (const name of names.alternative) {
      const user = this.find(this.named, name, listener)
      if (user !== null) return user
    }
    const { subject } = names
    const user = subject === null ? null : this.withSubject(subject, listener)
    if (user !== null) return user
    for (const name of names.written) {
      const user = this.find(this.named, name, listener)
      if (user !== null) return user
    }
    throw refusal(`no user is the one of the client certificate of ${JSON.stringify(names.written.at(-1))}`)
  }

  /** The user whose name is that subject, or has the same parts in another order. */
  private withSubject (subject: DistinguishedName, listener: ListenerRules): User | null {
    const users = [...this.named.values()].filter((user) => user.subject !== null && isAllowed(user, listener))
    return users.find((user) => isSameName(user.subject ?? [], subject)) ??
      users.find((user) => hasSameParts(user.subject ?? [], subject)) ?? null
  }

  /** Whether a certificate may name this user somewhere, so that an empty password is none (server/auth.go canTLSMap). */
  isMapped (user: User, listeners: readonly ListenerRules[]): boolean {
    return listeners.some((listener) => listener.verifyAndMap && isAllowed(user, listener))
  }
}
