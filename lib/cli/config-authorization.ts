import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'
import { readPermissions } from './config-permissions.ts'
import type { Permissions } from './config-permissions.ts'
import { isPublicKey } from '../auth/nkey.ts'

interface Rights {
  /** Null allows everything. */
  readonly permissions: Permissions | null
  /** STANDARD, WEBSOCKET, MQTT, ...; null is any. */
  readonly connectionTypes: readonly string[] | null
}

export interface PasswordUser extends Rights {
  readonly user: string
  /** Plain, or bcrypt if it begins with `$2a$`, `$2b$`, `$2x$` or `$2y$`. */
  readonly pass: string
}

export interface NkeyUser extends Rights {
  readonly nkey: string
}

export type User = PasswordUser | NkeyUser

export interface Account {
  readonly name: string
  readonly users: readonly User[]
}

/** One user and password, or a token, and how long (milliseconds) a client may take to send them. */
export interface Credentials {
  readonly user: string | null
  readonly pass: string | null
  readonly token: string | null
  readonly timeout: number | null
}

/** Who may connect. Default permissions are already those of the users that have none of their own. */
export interface Authorization extends Credentials {
  readonly users: readonly User[]
  readonly accounts: readonly Account[]
  readonly noAuthUser: string | null
}

const connectionTypes = ['STANDARD', 'WEBSOCKET', 'LEAFNODE', 'LEAFNODE_WS', 'MQTT', 'MQTT_WS']
const credentialKeys = { user: ['username'], pass: ['password'], token: [], timeout: [] } as const

function credentialsOf (reader: ConfigReader, at: Partial<Record<keyof Credentials, ConfigNode>>): Credentials {
  return {
    user: reader.text(at.user) || null,
    pass: reader.secret(at.pass) || null,
    token: reader.secret(at.token) || null,
    timeout: reader.duration(at.timeout, 'seconds')
  }
}

function readConnectionTypes (reader: ConfigReader, node: ConfigNode | undefined): string[] | null {
  const names = reader.texts(node)?.map((name) => name.toUpperCase()) ?? null
  if (node === undefined || names === null || names.every((name) => connectionTypes.includes(name))) return names
  return reader.wrong(node, connectionTypes.join(', '), JSON.stringify(names))
}

function readUser (reader: ConfigReader, node: ConfigNode, inherited: Permissions | null): User | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, '', {
    user: ['username'],
    pass: ['password'],
    nkey: [],
    permissions: ['permission', 'authorization'],
    allowed_connection_types: ['connection_types', 'clients']
  })
  const user = reader.text(at.user)
  const pass = reader.secret(at.pass)
  const nkey = reader.text(at.nkey)
  const rights: Rights = {
    permissions: readPermissions(reader, at.permissions) ?? inherited,
    connectionTypes: readConnectionTypes(reader, at.allowed_connection_types)
  }
  if (at.nkey === undefined || !nkey) return user ? { user, pass: pass ?? '', ...rights } : reader.problem(node, 'an entry of users has no user')
  if (!isPublicKey(nkey, 'user')) return reader.problem(at.nkey, `${nkey} is no public nkey of a user`)
  if (user || pass) return reader.problem(node, 'a user with an nkey has neither name nor password')
  return { nkey, ...rights }
}

function readUsers (reader: ConfigReader, node: ConfigNode | undefined, inherited: Permissions | null): User[] {
  return reader.items(node)?.flatMap((item) => readUser(reader, item, inherited) ?? []) ?? []
}

// What there is of accounts beyond users: subjects of theirs, limits, exchange with each other.
const ignoredOfAccounts = ['imports', 'exports', 'jetstream', 'mappings', 'maps', 'limits']

function readAccount (reader: ConfigReader, name: string, node: ConfigNode): Account | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, `accounts.${name}.`, { users: [], default_permissions: [], nkey: [] }, ignoredOfAccounts)
  const nkey = reader.text(at.nkey)
  if (nkey !== null && !isPublicKey(nkey, 'account')) reader.problem(node, `${nkey} is no public nkey of an account`)
  return { name, users: readUsers(reader, at.users, readPermissions(reader, at.default_permissions)) }
}

function readAccounts (reader: ConfigReader, node: ConfigNode | undefined): Account[] {
  if (node === undefined) return []
  if (node.kind === 'block') {
    return [...node.value].flatMap(([name, item]) => {
      if (name === '$G') reader.problem(item, 'the account name $G is reserved')
      return (!item.used && readAccount(reader, name, item)) || []
    })
  }
  const names = node.kind === 'array' ? reader.texts(node) : reader.wrong(node, 'a block of accounts or an array of names')
  if (names?.includes('$G')) reader.problem(node, 'the account name $G is reserved')
  if (names !== null && new Set(names).size < names.length) reader.problem(node, 'an account is named twice')
  return names?.map((name) => ({ name, users: [] })) ?? []
}

function idOf (user: User): string {
  return 'nkey' in user ? user.nkey : user.user
}

/** Reads the keys `authorization`, `accounts` and `no_auth_user`; null where there is none of them. */
export function readAuthorization (
  reader: ConfigReader,
  nodes: { readonly authorization?: ConfigNode, readonly accounts?: ConfigNode, readonly no_auth_user?: ConfigNode }
): Authorization | null {
  const node = nodes.authorization ?? nodes.accounts ?? nodes.no_auth_user
  if (node === undefined) return null
  const block = reader.block(nodes.authorization) ?? new Map()
  const at = reader.keys(block, 'authorization.', {
    ...credentialKeys,
    users: [],
    default_permissions: ['default_permission', 'permissions']
  }, ['auth_callout', 'auth_hook'])
  const authorization = {
    ...credentialsOf(reader, at),
    users: readUsers(reader, at.users, readPermissions(reader, at.default_permissions)),
    accounts: readAccounts(reader, nodes.accounts),
    noAuthUser: reader.text(nodes.no_auth_user) || null
  }
  checkTogether(reader, authorization, node, at.users !== undefined, nodes.no_auth_user)
  return authorization
}

function checkTogether (reader: ConfigReader, auth: Authorization, node: ConfigNode, hasUsers: boolean, noAuthUser: ConfigNode | undefined): void {
  const ids = [...auth.users, ...auth.accounts.flatMap((account) => account.users)].map(idOf)
  const single = auth.user !== null || auth.pass !== null
  if (single && auth.token !== null) reader.problem(node, 'a user with password and a token exclude each other')
  const several = hasUsers || ids.length > 0
  if (several && auth.user !== null) reader.problem(node, 'a single user and users or accounts exclude each other')
  if (several && auth.token !== null) reader.problem(node, 'a token and users or accounts exclude each other')
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined) reader.problem(node, `the user ${twice} occurs twice`)
  if (noAuthUser !== undefined && auth.noAuthUser !== null && !ids.includes(auth.noAuthUser)) {
    reader.problem(noAuthUser, `no_auth_user is ${auth.noAuthUser}, who is not among the users`)
  }
}
