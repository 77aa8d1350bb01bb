import type { Credentials } from '../auth/attempt.ts'
import { Authenticator } from '../auth/authenticator.ts'
import { isPublicKey } from '../auth/nkey.ts'
import { shownKey } from '../auth/option-reader.ts'
import { shownUser } from '../auth/users.ts'
import type { AccountOption, AuthorizationOption, ConnectionType, UserOption } from '../options/authorization.ts'
import { type OperatorNodes, readOperators } from './config-operators.ts'
import type { ConfigNode } from './config-parser.ts'
import { readPermissions } from './config-permissions.ts'
import type { ConfigReader } from './config-reader.ts'

const connectionTypes: readonly string[] = ['STANDARD', 'WEBSOCKET', 'LEAFNODE', 'LEAFNODE_WS', 'MQTT', 'MQTT_WS'] satisfies ConnectionType[]
const credentialKeys = { user: ['username'], pass: ['password'], token: [], timeout: [] } as const

function readTimeout (reader: ConfigReader, node: ConfigNode | undefined): number | null {
  const time = reader.duration(node, 'seconds')
  // As in nats-server, 0 stands for the default.
  if (node === undefined || time === null || time === 0) return null
  return time > 0 ? Math.max(1, Math.round(time)) : reader.wrong(node, 'a duration')
}

/** A single user or a token, with the time for CONNECT. */
function readCredentials (reader: ConfigReader, at: Partial<Record<keyof typeof credentialKeys, ConfigNode>>): Omit<Credentials, 'noAuthUser'> & { timeout: number | null } {
  return {
    user: reader.text(at.user) || null,
    pass: reader.secret(at.pass) || null,
    token: reader.secret(at.token) || null,
    timeout: readTimeout(reader, at.timeout)
  }
}

/** What a block of a listener has of its own. @param path of the block `authorization` in it */
export function readListenerAuthorization (reader: ConfigReader, path: string, { authorization, no_auth_user: noAuthUser }: Partial<Record<'authorization' | 'no_auth_user', ConfigNode>>): Credentials & { timeout: number | null } {
  const block = reader.block(authorization)
  const at = block === null ? {} : reader.keys(block, path, credentialKeys)
  return { ...readCredentials(reader, at), noAuthUser: reader.text(noAuthUser) || null }
}

function readConnectionTypes (reader: ConfigReader, node: ConfigNode | undefined): ConnectionType[] | null {
  const names = reader.texts(node)?.map((name) => name.toUpperCase()) ?? null
  if (node === undefined || names === null || names.every((name) => connectionTypes.includes(name))) return names as ConnectionType[] | null
  return reader.wrong(node, connectionTypes.join(', '), JSON.stringify(names))
}

function readUser (reader: ConfigReader, node: ConfigNode): UserOption | null {
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
  const rights = {
    permissions: readPermissions(reader, at.permissions),
    connectionTypes: readConnectionTypes(reader, at.allowed_connection_types)
  }
  if (at.nkey === undefined || !nkey) return user ? { user, pass: pass || null, ...rights } : reader.problem(node, 'an entry of users has no user')
  if (!isPublicKey(nkey, 'user')) return reader.problem(at.nkey, `${shownKey(nkey)} is no public nkey of a user`)
  if (user || pass) return reader.problem(node, 'a user with an nkey has neither name nor password')
  return { nkey, ...rights }
}

function readUsers (reader: ConfigReader, node: ConfigNode | undefined): UserOption[] {
  return reader.items(node)?.flatMap((item) => readUser(reader, item) ?? []) ?? []
}

// What there is of accounts beyond users: subjects of theirs, limits, exchange with each other.
const ignoredOfAccounts = ['imports', 'exports', 'jetstream', 'mappings', 'maps', 'limits']

function readAccount (reader: ConfigReader, name: string, node: ConfigNode): AccountOption | null {
  const block = reader.block(node)
  if (block === null) return null
  const at = reader.keys(block, `accounts.${name}.`, { users: [], default_permissions: [], nkey: [] }, ignoredOfAccounts)
  const nkey = reader.text(at.nkey)
  if (nkey !== null && !isPublicKey(nkey, 'account')) reader.problem(node, `${shownKey(nkey)} is no public nkey of an account`)
  return { name, users: readUsers(reader, at.users), defaultPermissions: readPermissions(reader, at.default_permissions) }
}

function readAccounts (reader: ConfigReader, node: ConfigNode | undefined): AccountOption[] {
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
  return names?.map((name) => ({ name })) ?? []
}

function idOf (user: UserOption): string {
  return 'nkey' in user ? user.nkey : user.user
}

/** The nodes that say who may connect. */
export type AuthorizationNodes = OperatorNodes & { readonly authorization?: ConfigNode, readonly accounts?: ConfigNode, readonly no_auth_user?: ConfigNode }

/** Reads who may connect; null where nothing says so. */
export function readAuthorization (reader: ConfigReader, nodes: AuthorizationNodes): AuthorizationOption | null {
  const operators = readOperators(reader, nodes)
  const node = nodes.authorization ?? nodes.accounts ?? nodes.no_auth_user ?? nodes.operator ?? nodes.trusted_keys
  if (node === undefined) return null
  const block = reader.block(nodes.authorization) ?? new Map()
  const at = reader.keys(block, 'authorization.', {
    ...credentialKeys,
    users: [],
    default_permissions: ['default_permission', 'permissions']
  }, ['auth_callout', 'auth_hook'])
  const authorization = {
    ...readCredentials(reader, at),
    users: readUsers(reader, at.users),
    defaultPermissions: readPermissions(reader, at.default_permissions),
    accounts: readAccounts(reader, nodes.accounts),
    noAuthUser: reader.text(nodes.no_auth_user) || null,
    ...operators
  }
  checkTogether(reader, authorization, node, at.users !== undefined, nodes.no_auth_user)
  if (!reader.isFaulty) check(reader, authorization, node)
  return authorization
}

type Read = AuthorizationOption & { readonly users: readonly UserOption[], readonly accounts: readonly AccountOption[] }

function checkTogether (reader: ConfigReader, auth: Read, node: ConfigNode, hasUsers: boolean, noAuthUser: ConfigNode | undefined): void {
  const ids = [...auth.users, ...auth.accounts.flatMap((account) => account.users ?? [])].map(idOf)
  const single = auth.user !== null || auth.pass !== null
  if (single && auth.token !== null) reader.problem(node, 'a user with password and a token exclude each other')
  else if (auth.pass !== null && auth.user === null) reader.problem(node, 'a password needs a user')
  const several = hasUsers || ids.length > 0
  if (several && auth.user !== null) reader.problem(node, 'a single user and users or accounts exclude each other')
  if (several && auth.token !== null) reader.problem(node, 'a token and users or accounts exclude each other')
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined) reader.problem(node, `the user ${shownUser(twice)} occurs twice`)
  if (noAuthUser !== undefined && auth.noAuthUser !== null && !ids.includes(auth.noAuthUser ?? '')) {
    reader.problem(noAuthUser, `no_auth_user is ${shownUser(auth.noAuthUser ?? '')}, who is not among the users`)
  }
}

/** What the reader has no words of its own for. */
function check (reader: ConfigReader, authorization: AuthorizationOption, node: ConfigNode): Authenticator | null {
  try {
    return new Authenticator(authorization, [])
  } catch (error) {
    return reader.problem(node, (error as Error).message)
  }
}
