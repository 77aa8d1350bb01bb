import { createUser } from '@nats-io/nkeys'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import type { AuthorizationOption, PermissionsOption } from '../../lib/options/authorization.ts'
import { Chain } from '../auth/jwts.ts'

const userKey = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4'
const accountKey = 'ABB3WW243AJG6ZK6I26EZNML5SBDLUI3UL4KF2HKT3XBBI4SPP7LOVWK'

function readIn (file: string, text: string): AuthorizationOption | null | undefined {
  writeFileSync(file, text)
  return readConfig(file, {}).gateway.authorization
}

function read (t: Test, text: string): AuthorizationOption | null | undefined {
  return readIn(`${t.testdir({})}/nats.conf`, text)
}

function problemsIn (file: string, text: string): string[] {
  writeFileSync(file, text)
  try {
    readConfig(file, {})
  } catch (error) {
    return (error as Error).message.replaceAll(`${file}:`, '').split('\n')
  }
  return []
}

function problems (t: Test, text: string): string[] {
  return problemsIn(`${t.testdir({})}/nats.conf`, text)
}

function seedOf ({ operator }: Chain): string {
  return Buffer.from(operator.getSeed()).toString()
}

const none = { user: null, pass: null, token: null, timeout: null, users: [], defaultPermissions: null, accounts: [], noAuthUser: null }
const all = { permissions: null, connectionTypes: null }

/** What comes of it: the permissions that users of the name `a` have. */
function rights (t: Test, text: string): PermissionsOption | null | undefined {
  return read(t, `authorization { users = [ {user: a, permissions { ${text} }} ] }`)?.users?.[0]?.permissions
}

t.test('a single user or a token', async (t) => {
  t.strictSame(read(t, 'authorization { user: derek, password: "$2a$04$Q.C", timeout: 1 }'), { ...none, user: 'derek', pass: '$2a$04$Q.C', timeout: 1000 })
  t.strictSame(read(t, 'authorization { username: derek, pass: $2a$04$Q.C, timeout: 0.5 }'), { ...none, user: 'derek', pass: '$2a$04$Q.C', timeout: 500 })
  t.strictSame(read(t, 'authorization { token: T, timeout: "2s" }'), { ...none, token: 'T', timeout: 2000 })
  t.strictSame(read(t, 'authorization { timeout: 0 }'), none)
  t.strictSame(read(t, 'authorization { timeout: 0.0001 }'), { ...none, timeout: 1 })
  t.strictSame(read(t, 'authorization {}'), none)
  t.strictSame(read(t, 'authorization { user: "", token: "" }'), none)
  t.equal(read(t, ''), undefined)
})

t.test('users with passwords and nkeys', async (t) => {
  t.strictSame(read(t, `authorization { users = [ {user: a, password: b}\n {username: c}, {nkey: ${userKey}, allowed_connection_types: [standard, "MQTT"]} ] }`), {
    ...none,
    users: [{ user: 'a', pass: 'b', ...all }, { user: 'c', pass: null, ...all }, { nkey: userKey, permissions: null, connectionTypes: ['STANDARD', 'MQTT'] }]
  })
  t.match(read(t, 'authorization { users = [ {user: a, connection_types: WEBSOCKET} ] }'), { users: [{ connectionTypes: ['WEBSOCKET'] }] })
})

t.test('accounts have users, one of whom stands for clients without credentials', async (t) => {
  t.strictSame(read(t, `accounts { A { users: [{user: a, pass: b}], nkey: ${accountKey} }, B {} }\nauthorization { timeout: 1 }\nno_auth_user: a`), {
    ...none,
    timeout: 1000,
    accounts: [{ name: 'A', users: [{ user: 'a', pass: 'b', ...all }], defaultPermissions: null }, { name: 'B', users: [], defaultPermissions: null }],
    noAuthUser: 'a'
  })
  t.strictSame(read(t, 'accounts: [A, B]'), { ...none, accounts: [{ name: 'A' }, { name: 'B' }] })
  t.match(read(t, 'accounts { U: [{user: a}], A { users: $U } }')?.accounts, [{ name: 'A', users: [{ user: 'a' }] }])
  t.strictSame(read(t, 'no_auth_user: ""'), none)
  t.match(read(t, `authorization { users: [{nkey: ${userKey}}] }, no_auth_user: ${userKey}`), { noAuthUser: userKey })
})

t.test('names of Object.prototype are just names', async (t) => {
  const accounts = read(t, 'accounts { __proto__ { users: [{user: __proto__}] }, constructor { users: [{user: constructor}] } }\nno_auth_user: __proto__')?.accounts
  t.strictSame(accounts?.map(({ name, users }) => [name, (users?.[0] as { user: string }).user]), [['__proto__', '__proto__'], ['constructor', 'constructor']])
})

t.test('permissions allow and deny', async (t) => {
  t.strictSame(rights(t, 'publish: { allow: "a.>", deny: ["a.b", "a.c"] }\n subscribe: ["x", "y.* q.*", "z\\tq"]'), {
    publish: { allow: ['a.>'], deny: ['a.b', 'a.c'] },
    subscribe: ['x', 'y.* q.*', 'z\tq'],
    responses: null
  })
})

t.test('an empty allow allows everything, as nats-server has it', async (t) => {
  t.strictSame(rights(t, 'pub: [], sub: { allow: [], deny: x }'), { publish: null, subscribe: { allow: null, deny: ['x'] }, responses: null })
  t.strictSame(rights(t, 'import {}, export: {deny: x}'), { publish: null, subscribe: { allow: null, deny: ['x'] }, responses: null })
})

t.test('answers', async (t) => {
  t.match(rights(t, 'allow_responses: true'), { publish: null, responses: true })
  t.match(rights(t, 'publish_allow_responses: true, publish: {deny: ">"}'), { publish: { allow: null, deny: ['>'] }, responses: true })
  t.match(rights(t, 'allow_responses: { max: 5, ttl: "1m" }, publish: x'), { publish: ['x'], responses: { max: 5, expires: 60_000 } })
  t.match(rights(t, 'allow_responses: { max_msgs: -7, expires: "-1s" }'), { responses: { max: -1, expires: -1 } })
  t.match(rights(t, 'allow_responses: { max: 0, expires: "0s" }'), { responses: { max: 0, expires: 0 } })
  t.match(rights(t, 'allow_responses: {}'), { responses: { max: null, expires: null } })
  t.match(rights(t, 'allow_responses: false'), { publish: null, responses: false })
})

t.test('default permissions', async (t) => {
  t.match(read(t, 'authorization { users = [ {user: a}, {user: b, permissions: {publish: y}} ], default_permissions: {publish: x} }'), {
    defaultPermissions: { publish: ['x'] }, users: [{ permissions: null }, { permissions: { publish: ['y'] } }]
  })
  t.match(read(t, 'accounts { A { default_permissions { publish: x }, users = [ {user: a} ] } }')?.accounts, [{ defaultPermissions: { publish: ['x'] } }])
})

t.test('operators and accounts, whose JWTs are there or in a file', async (t) => {
  const chain = await Chain.create()
  const other = await Chain.create()
  const key = chain.account.getPublicKey()
  const file = `${t.testdir({ 'op.jwt': `\n-----BEGIN NATS OPERATOR JWT-----\n${chain.operatorJwt}\n------END NATS OPERATOR JWT------\n`, plain: `${chain.operatorJwt}\n` })}`
  const preload = `resolver: memory\nresolver_preload { ${key}: ${chain.accountJwt} }`
  const { users, accounts, ...nobody } = none
  const wanted = { ...nobody, users, accounts, operators: [chain.operatorJwt], trustedKeys: [], resolverPreload: { [key]: chain.accountJwt } }
  for (const operator of [`operator: ${chain.operatorJwt}`, `operators: ["${chain.operatorJwt}"]`, `root: "${file}/op.jwt"`, `root_operators: ${file}/plain`]) {
    t.strictSame(readIn(`${file}/nats.conf`, `${operator}\n${preload}\nsystem_account: ${key}`), wanted, operator)
  }
  t.match(readIn(`${file}/nats.conf`, `trusted_keys: ${chain.operator.getPublicKey()}\n${preload}`), { operators: [], trustedKeys: [chain.operator.getPublicKey()] })
  t.match(readIn(`${file}/nats.conf`, `trusted: [${chain.operator.getPublicKey()}, ${other.operator.getPublicKey()}]\nresolver: MEM`), { trustedKeys: { length: 2 }, resolverPreload: {} })
  t.equal(readIn(`${file}/nats.conf`, 'resolver: MEMORY\nsystem_account: A'), undefined)
  const rows: [string, string | RegExp][] = [
    ['operator: nowhere', "the file of the operator's JWT cannot be read: ENOENT"],
    ['operator: 12', /^operator is none: allowed is a string/],
    [`operator: ${chain.accountJwt}\n${preload}`, 'this is no JWT of an operator: the JWT is not of the type operator'],
    [`operator: ${chain.operatorJwt}`, 'operator needs resolver: MEMORY and the accounts in resolver_preload'],
    [`operator: ${chain.operatorJwt}\ntrusted_keys: ${chain.operator.getPublicKey()}\n${preload}`, /^an operator and trusted_keys exclude each other/],
    [`trusted_keys: ${userKey}`, `trusted_keys is ${userKey}: allowed is the public key of an operator`],
    [`trusted_keys: "${seedOf(chain)}"`, 'trusted_keys is a seed: allowed is the public key of an operator'],
    ['resolver: URL("http://u:s3cret@x")', 'resolver is another one: allowed is MEMORY, with the accounts in resolver_preload'],
    ['resolver { type: full }', 'resolver is another one: allowed is MEMORY, with the accounts in resolver_preload'],
    [preload, 'resolver_preload needs an operator, or trusted_keys'],
    [`operator: ${chain.operatorJwt}\nresolver_preload { ${key}: ${other.accountJwt} }`, /the JWT of that account$/],
    [`operator: ${chain.operatorJwt}\nresolver_preload { ${key}: eyJ }`, `this is no JWT of the account ${key}: a JWT has three parts`],
    [`operator: ${chain.operatorJwt}\nresolver_preload { A: eyJ }`, 'a key of resolver_preload is no public key of an account'],
    [`operator: ${chain.operatorJwt}\n${preload}\nauthorization { user: a }`, /operators and users/],
    [`operator: ${chain.operatorJwt}\n${preload}\naccounts { A { users: [{user: a}] } }`, /operators and users/]
  ]
  for (const [text, problem] of rows) {
    const found = problemsIn(`${file}/nats.conf`, text).map((line) => line.replace(/^\d+: /, ''))
    t.match(found, [problem], text)
    t.notMatch(found.join(), /s3cret|eyJ/)
  }
})

t.test('no error shows a secret', async (t) => {
  const rows = [
    'authorization { user: a, pass: $2b$11$S3CRET }', 'authorization { user: a, pass: 10-S3CRET }', 'authorization { token: 1.S3CRET }',
    'authorization { token: 99999999999999999999 }', 'authorization { user: a, pass: "S3CRET\\q" }', 'authorization { user: a, pass: S3CRET S3CRET }', 'authorization { pass: S3CRET }',
    'authorization { user: a, pass: S3CRET, token: S3CRET }', 'authorization { users: [{user: a, pass: S3CRET}, {user: a, pass: S3CRET}] }', 'authorization { users: [{pass: S3CRET}] }',
    `authorization { users: [{nkey: ${userKey}, pass: S3CRET}] }`, 'MY_SECRET: 10-S3CRET', 'authorization { user: a, pass: "S3CRET'
  ]
  for (const text of rows) {
    const found = problems(t, text).join()
    t.not(found, '', text)
    t.notMatch(found, /S3CRET|99999/)
  }
  const seed = Buffer.from(createUser().getSeed()).toString()
  for (const [text, problem] of [
    [`authorization { users: [{user: ${seed}}, {user: ${seed}}] }`, /the user of a seed occurs twice/],
    [`authorization { users: [{user: a}] }\nno_auth_user: ${seed}`, /no_auth_user is of a seed, who is not among the users/],
    [`authorization { users: [{user: a}] }\nmqtt { no_auth_user: ${seed} }`, /noAuthUser' is of a seed/],
    [`authorization { users: [{nkey: ${seed}}] }`, /a seed is no public nkey of a user/],
    [`accounts { A { nkey: ${seed} } }`, /a seed is no public nkey of an account/]
  ] as const) {
    const found = problems(t, text).join()
    t.match(found, problem)
    t.notOk(found.includes(seed), text.replaceAll(seed, 'S...'))
  }
  t.match(problems(t, 'authorization { user: a, pass: $2b$11$x }'), [/the variable here is not set; a text that begins with \$ goes in quotes/])
})

t.test('what is wrong has a line', async (t) => {
  const rows: [string, string | RegExp][] = [
    ['authorization: 1', 'authorization is 1: allowed is a block in braces'],
    ['authorization { user: 12 }', 'user is 12: allowed is a string'],
    ['authorization { user: a, pass: 12345 }', 'pass is none: allowed is a string; digits alone go in quotes'],
    ['authorization { timeout: abc }', /^timeout is "abc": allowed is a duration/],
    ['authorization { usr: a }', /^unknown key 'usr': known are user, pass, token, timeout, users, default_permissions$/],
    ['authorization { user: a, pass: b, token: c }', 'a user with password and a token exclude each other'],
    ['authorization { pass: b }', 'a password needs a user'],
    ['authorization { user: a, users: [] }', 'a single user and users or accounts exclude each other'],
    ['authorization { token: a, users: [] }', 'a token and users or accounts exclude each other'],
    ['authorization { token: a }, accounts { A { users: [{user: a}] } }', 'a token and users or accounts exclude each other'],
    ['authorization { users: 1 }', 'users is 1: allowed is an array in brackets'],
    ['authorization { users: [x] }', 'users is "x": allowed is a block in braces'],
    ['authorization { users: [{pass: a}] }', 'an entry of users has no user'],
    ['authorization { users: [{user: a}, {user: a}] }', 'the user a occurs twice'],
    ['authorization { users: [{user: a}] }, accounts { A { users: [{user: a}] } }', 'the user a occurs twice'],
    ['authorization { users: [{user: a, foo: 1}] }', /^unknown key 'foo'/],
    ['authorization { users: [{nkey: UABC}] }', 'UABC is no public nkey of a user'],
    [`authorization { users: [{nkey: ${accountKey}}] }`, `${accountKey} is no public nkey of a user`],
    [`authorization { users: [{nkey: ${userKey.replace('X', 'Y')}}] }`, /is no public nkey of a user$/],
    [`authorization { users: [{nkey: ${userKey}, user: a}] }`, 'a user with an nkey has neither name nor password'],
    [`authorization { users: [{nkey: ${userKey}, pass: a}] }`, 'a user with an nkey has neither name nor password'],
    ['authorization { users: [{user: a, connection_types: [FOO]}] }', 'connection_types is ["FOO"]: allowed is STANDARD, WEBSOCKET, LEAFNODE, LEAFNODE_WS, MQTT, MQTT_WS'],
    ['authorization { users: [{user: a, connection_types: 1}] }', 'connection_types is 1: allowed is a string or an array of strings'],
    ['authorization { users: [{user: a, permissions: 1}] }', 'permissions is 1: allowed is a block in braces'],
    ['authorization { users: [{user: a, permissions: {pubs: x}}] }', /^unknown key 'pubs'/],
    ['authorization { users: [{user: a, permissions: {pub: {allows: x}}}] }', "unknown key 'allows': known are allow, deny"],
    ['authorization { users: [{user: a, permissions: {pub: 1}}] }', 'pub is 1: allowed is a string or an array of strings'],
    ['authorization { users: [{user: a, permissions: {pub: [1]}}] }', /^pub is 1: allowed is a string$/],
    ['authorization { users: [{user: a, permissions: {pub: "a..b"}}] }', 'pub is "a..b": allowed is a subject'],
    ['authorization { users: [{user: a, permissions: {pub: "a q"}}] }', 'pub is "a q": allowed is a subject'],
    ['authorization { users: [{user: a, permissions: {sub: "a..b"}}] }', 'sub is "a..b": allowed is a subject, or a subject, a blank and a queue group'],
    ['authorization { users: [{user: a, permissions: {pub: "a "}}] }', /^pub is "a "/],
    ['authorization { users: [{user: a, permissions: {pub: "a b c"}}] }', /^pub is "a b c"/],
    ['authorization { users: [{user: a, permissions: {allow_responses: 3}}] }', 'allow_responses is 3: allowed is true, false or a block in braces'],
    ['authorization { users: [{user: a, permissions: {allow_responses: {max: x}}}] }', 'max is "x": allowed is a whole number'],
    ['authorization { users: [{user: a, permissions: {allow_responses: {ttl: 3}}}] }', /^ttl is 3: allowed is a duration in quotes/],
    ['accounts: 1', 'accounts is 1: allowed is a block of accounts or an array of names'],
    ['accounts: [A, A]', 'an account is named twice'],
    ['accounts: ["$G"]', 'the account name $G is reserved'],
    ['accounts { "$G" {} }', 'the account name $G is reserved'],
    ['accounts { A: 1 }', 'A is 1: allowed is a block in braces'],
    ['accounts { A { nkey: x } }', 'x is no public nkey of an account'],
    ['accounts { A { nkey: 1 } }', 'nkey is 1: allowed is a string'],
    ['accounts { A { user: x } }', "unknown key 'user': known are users, default_permissions, nkey"],
    ['no_auth_user: x', 'no_auth_user is x, who is not among the users'],
    ['no_auth_user: 1', 'no_auth_user is 1: allowed is a string']
  ]
  for (const [text, problem] of rows) {
    const [found = '', ...others] = problems(t, `\n${text}`)
    t.match(found.replace(/^2: /, ''), problem, text)
    t.ok(found === '' || found.startsWith('2: '), found)
    t.ok(others.length <= 1, others.join())
  }
})
