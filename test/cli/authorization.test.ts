import t from 'tap'
import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import type { Authorization } from '../../lib/cli/config-authorization.ts'

const userKey = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4'
const accountKey = 'ABB3WW243AJG6ZK6I26EZNML5SBDLUI3UL4KF2HKT3XBBI4SPP7LOVWK'

function read (t: Test, text: string): Authorization | null {
  return readConfig(`${t.testdir({ 'nats.conf': text })}/nats.conf`, {}).authorization
}

function problems (t: Test, text: string): string[] {
  const dir = t.testdir({ 'nats.conf': text })
  try {
    readConfig(`${dir}/nats.conf`, {})
  } catch (error) {
    return (error as Error).message.replaceAll(`${dir}/nats.conf:`, '').split('\n')
  }
  return []
}

const none = { user: null, pass: null, token: null, timeout: null, users: [], accounts: [], noAuthUser: null }
const all = { permissions: null, connectionTypes: null }

function only (...subjects: string[]): object {
  return { allow: subjects.map((subject) => ({ subject, queue: null })), deny: [] }
}

t.test('a single user or a token', async (t) => {
  t.strictSame(read(t, 'authorization { user: derek, password: "$2a$04$Q.C", timeout: 1 }'), { ...none, user: 'derek', pass: '$2a$04$Q.C', timeout: 1000 })
  t.strictSame(read(t, 'authorization { username: derek, pass: $2a$04$Q.C, timeout: 0.5 }'), { ...none, user: 'derek', pass: '$2a$04$Q.C', timeout: 500 })
  t.strictSame(read(t, 'authorization { token: T, timeout: "2s" }'), { ...none, token: 'T', timeout: 2000 })
  t.strictSame(read(t, 'authorization {}'), none)
  t.strictSame(read(t, 'authorization { user: "", token: "" }'), none)
})

t.test('users with passwords and nkeys', async (t) => {
  t.strictSame(read(t, `authorization { users = [ {user: a, password: b}\n {username: c}, {nkey: ${userKey}, allowed_connection_types: [standard, "MQTT"]} ] }`), {
    ...none,
    users: [{ user: 'a', pass: 'b', ...all }, { user: 'c', pass: '', ...all }, { nkey: userKey, permissions: null, connectionTypes: ['STANDARD', 'MQTT'] }]
  })
  t.match(read(t, 'authorization { users = [ {user: a, connection_types: WEBSOCKET} ] }'), { users: [{ connectionTypes: ['WEBSOCKET'] }] })
})

t.test('accounts have users, one of whom stands for clients without credentials', async (t) => {
  t.strictSame(read(t, `accounts { A { users: [{user: a, pass: b}], nkey: ${accountKey} }, B {} }\nauthorization { timeout: 1 }\nno_auth_user: a`), {
    ...none, timeout: 1000, accounts: [{ name: 'A', users: [{ user: 'a', pass: 'b', ...all }] }, { name: 'B', users: [] }], noAuthUser: 'a'
  })
  t.strictSame(read(t, 'accounts: [A, B]'), { ...none, accounts: [{ name: 'A', users: [] }, { name: 'B', users: [] }] })
  t.strictSame(read(t, 'accounts { U: [{user: a}], A { users: $U } }'), { ...none, accounts: [{ name: 'A', users: [{ user: 'a', pass: '', ...all }] }] })
  t.strictSame(read(t, 'no_auth_user: ""'), none)
  t.match(read(t, `authorization { users: [{nkey: ${userKey}}] }, no_auth_user: ${userKey}`), { noAuthUser: userKey })
})

t.test('permissions allow and deny', async (t) => {
  const [user] = read(t, `authorization { users = [ {user: a, permissions: {
    publish: { allow: "a.>", deny: ["a.b", "a.c"] }
    subscribe: ["x", "y.* q.*", "z\\tq"]
  }} ] }`)?.users ?? []
  t.strictSame(user?.permissions, {
    publish: { allow: [{ subject: 'a.>', queue: null }], deny: [{ subject: 'a.b', queue: null }, { subject: 'a.c', queue: null }] },
    subscribe: { allow: [{ subject: 'x', queue: null }, { subject: 'y.*', queue: 'q.*' }, { subject: 'z', queue: 'q' }], deny: [] },
    responses: null
  })
})

t.test('an empty allow allows everything, as nats-server has it', async (t) => {
  t.match(read(t, 'authorization { users = [ {user: a, permissions: { pub: [], sub: { allow: [], deny: x }}} ] }')?.users, [
    { permissions: { publish: { allow: null, deny: [] }, subscribe: { allow: null, deny: [{ subject: 'x' }] } } }
  ])
  t.strictSame(read(t, 'authorization { users = [ {user: a, permission { import {}, export: {deny: x} }} ] }')?.users[0]?.permissions, {
    publish: null, subscribe: { allow: null, deny: [{ subject: 'x', queue: null }] }, responses: null
  })
})

t.test('who may answer may publish nothing else, unless rules say so', async (t) => {
  function permissions (text: string): unknown {
    return read(t, `authorization { users = [ {user: a, permissions { ${text} }} ] }`)?.users[0]?.permissions
  }
  const nothing = { allow: [], deny: [] }
  t.strictSame(permissions('allow_responses: true'), { publish: nothing, subscribe: null, responses: { max: 1, expires: 120_000 } })
  t.strictSame(permissions('publish_allow_responses: true, publish: {deny: ">"}'), { publish: { allow: [], deny: [{ subject: '>', queue: null }] }, subscribe: null, responses: { max: 1, expires: 120_000 } })
  t.strictSame(permissions('allow_responses: { max: 5, ttl: "1m" }, publish: x'), { publish: only('x'), subscribe: null, responses: { max: 5, expires: 60_000 } })
  t.strictSame(permissions('allow_responses: { max_msgs: -7, expires: "-1s" }'), { publish: nothing, subscribe: null, responses: { max: -1, expires: -1 } })
  t.strictSame(permissions('allow_responses: { max: 0, expires: "0s" }'), { publish: nothing, subscribe: null, responses: { max: 1, expires: 120_000 } })
  t.strictSame(permissions('allow_responses: false'), { publish: null, subscribe: null, responses: null })
})

t.test('users without permissions have the default ones', async (t) => {
  t.match(read(t, 'authorization { users = [ {user: a}, {user: b, permissions: {publish: y}} ], default_permissions: {publish: x} }')?.users, [
    { permissions: { publish: only('x') } }, { permissions: { publish: only('y') } }
  ])
  t.match(read(t, 'accounts { A { default_permissions { publish: x }, users = [ {user: a} ] } }')?.accounts, [
    { users: [{ permissions: { publish: only('x') } }] }
  ])
})

t.test('what is wrong has a line', async (t) => {
  const rows: [string, string | RegExp][] = [
    ['authorization: 1', 'authorization is 1: allowed is a block in braces'],
    ['authorization { user: 12 }', 'user is 12: allowed is a string'],
    ['authorization { user: a, pass: 12345 }', 'pass is none: allowed is a string; digits alone go in quotes'],
    ['authorization { timeout: abc }', /^timeout is "abc": allowed is a duration/],
    ['authorization { usr: a }', /^unknown key 'usr': known are user, pass, token, timeout, users, default_permissions$/],
    ['authorization { user: a, pass: b, token: c }', 'a user with password and a token exclude each other'],
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
    ['authorization { users: [{user: a, permissions: {pub: "a..b"}}] }', 'pub is "a..b": allowed is a subject, or a subject, a blank and a queue group'],
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
