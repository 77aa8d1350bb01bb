import { readFileSync } from 'node:fs'
import { readAccount } from '../auth/accounts.ts'
import { isPublicKey } from '../auth/nkey.ts'
import { reasonOf } from '../auth/operator-mode.ts'
import { readOperator } from '../auth/operators.ts'
import { shownKey } from '../auth/option-reader.ts'
import type { AuthorizationOption } from '../options/authorization.ts'
import type { ConfigNode } from './config-parser.ts'
import type { ConfigReader } from './config-reader.ts'

/** The keys of operator mode with their other names. */
export const operatorKeys = {
  operator: ['operators', 'root', 'roots', 'root_operator', 'root_operators'],
  trusted_keys: ['trusted'],
  resolver: ['account_resolver', 'accounts_resolver'],
  resolver_preload: [],
  system_account: ['system']
} as const

export type OperatorNodes = Partial<Record<keyof typeof operatorKeys, ConfigNode>>

/** Runs what checks a JWT; null where it is wrong. */
function tryJwt (reader: ConfigReader, node: ConfigNode, what: string, read: () => unknown): null {
  try {
    read()
  } catch (error) {
    reader.problem(node, `${what}: ${reasonOf(error)}`)
  }
  return null
}

/** A JWT as it is, or as a file of nsc frames it (jwt's ParseDecoratedJWT). */
function unframed (text: string): string {
  return /-{3,}[^\n]*-{3,}\r?\n([\w.=-]+)\r?\n-{3,}/.exec(text)?.[1] ?? text.trim()
}

/** The JWT of an operator, or the name of a file with it. */
function readOperatorJwt (reader: ConfigReader, node: ConfigNode): string | null {
  const text = reader.secret(node)
  if (text === null) return null
  let contents
  try {
    contents = text.startsWith('eyJ') ? text : readFileSync(text, 'utf8')
  } catch (error) {
    // Its name might be a key in the wrong place.
    return reader.problem(node, `the file of the operator's JWT cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  const token = unframed(contents)
  tryJwt(reader, node, 'this is no JWT of an operator', () => { readOperator(token) })
  return token
}

function itemsOf (reader: ConfigReader, node: ConfigNode | undefined): readonly ConfigNode[] {
  if (node === undefined) return []
  return node.kind === 'array' ? node.value : [node]
}

function readTrustedKey (reader: ConfigReader, node: ConfigNode): string | null {
  const key = reader.text(node)
  return key === null || isPublicKey(key, 'operator') ? key : reader.wrong(node, 'the public key of an operator', shownKey(key))
}

function readPreload (reader: ConfigReader, node: ConfigNode | undefined): Record<string, string> | null {
  const block = reader.block(node)
  if (block === null) return null
  return Object.fromEntries([...block].map(([key, item]) => {
    const token = reader.secret(item)?.trim() ?? null
    if (!isPublicKey(key, 'account')) reader.problem(item, 'a key of resolver_preload is no public key of an account')
    else if (token !== null) tryJwt(reader, item, `this is no JWT of the account ${key}`, () => { readAccount(token) })
    return [key, token ?? '']
  }))
}

/** Reads the keys of operator mode; the accounts have to be in the file. */
export function readOperators (reader: ConfigReader, nodes: OperatorNodes): Pick<AuthorizationOption, 'operators' | 'trustedKeys' | 'resolverPreload'> {
  const operators = itemsOf(reader, nodes.operator).flatMap((item) => readOperatorJwt(reader, item) ?? [])
  const trustedKeys = itemsOf(reader, nodes.trusted_keys).flatMap((item) => readTrustedKey(reader, item) ?? [])
  const { resolver } = nodes
  // nats-server looks for MEM anywhere in the text.
  if (resolver !== undefined && !(resolver.kind === 'string' && /^\s*MEM(?:ORY)?\s*$/i.test(resolver.value))) {
    reader.wrong(resolver, 'MEMORY, with the accounts in resolver_preload', 'another one')
  }
  // It has no users but those of its account, which are users here.
  reader.text(nodes.system_account)
  const preload = readPreload(reader, nodes.resolver_preload)
  const node = nodes.operator ?? nodes.trusted_keys
  if (node === undefined) {
    if (nodes.resolver_preload !== undefined) reader.problem(nodes.resolver_preload, 'resolver_preload needs an operator, or trusted_keys')
    return {}
  }
  if (preload === null && resolver === undefined && operators.length + trustedKeys.length > 0) reader.problem(node, `${node.name} needs resolver: MEMORY and the accounts in resolver_preload`)
  if (nodes.operator !== undefined && nodes.trusted_keys !== undefined) reader.problem(nodes.trusted_keys, 'an operator and trusted_keys exclude each other')
  return operators.length + trustedKeys.length === 0 ? {} : { operators, trustedKeys, resolverPreload: preload ?? {} }
}
