import { createAccount, createUser } from '@nats-io/nkeys'
import bcrypt from 'bcryptjs'
import t from 'tap'
import type { Identity } from '../../lib/auth/identity.ts'
import { createNonce } from '../../lib/auth/nkey.ts'
import { readListenerRules } from '../../lib/auth/authenticator.ts'
import { authTimeoutOf } from '../../lib/client/login.ts'
import { resolveOptions } from '../../lib/options.ts'
import { attempt, authenticator, nonce, outcome, sign, tcp, websocket, wrongOption } from './attempts.ts'

const hash = bcrypt.hashSync('foobar', 4)

async function name (of: Parameters<typeof outcome>[0]): Promise<string> {
  const result = await outcome(of)
  return typeof result === 'string' ? result : result.name
}

t.test('without the option everybody gets in, whatever they say', async (t) => {
  for (const option of [null, {}, { users: [], accounts: [], user: '', token: null }]) {
    const all = authenticator(option)
    t.notOk(all.isRequired(tcp))
    t.notOk(all.isAnnounced(tcp))
    t.notOk(all.needsNonce)
    t.equal(all.timeout, null)
    t.strictSame(all.authenticate(attempt()), {
      name: 'User "N/A"',
      username: null,
      account: null,
      accountConnections: Infinity,
      permissions: null,
      limits: { subscriptions: Infinity, payload: Infinity, data: Infinity },
      expires: null,
      jwt: null,
      match: null,
      shown: { user: '', pass: '', auth_token: '', nkey: '', jwt: '' }
    })
    t.match(all.authenticate(attempt({ user: 'x', pass: 'y' })), { name: 'User "x"', username: 'x' })
    t.match(all.authenticate(attempt({ auth_token: 'y' })), { name: 'Token "[REDACTED]"', username: null })
  }
})

t.test('of several kinds of credentials hooks see one', async (t) => {
  const key = createUser()
  const nkey = key.getPublicKey()
  const none = { user: '', pass: '', auth_token: '', nkey: '', jwt: '' }
  const all = authenticator(null)
  const said = { user: 'a', pass: 'b', auth_token: 'c' }
  const of = (from: ReturnType<typeof authenticator>, options: Parameters<typeof attempt>[0]): Identity => from.authenticate(attempt(options)) as Identity
  t.match(of(all, { ...said, nkey, sig: sign(key) }), { username: nkey, shown: { ...none, nkey } })
  t.match(of(all, { ...said, nkey }), { username: 'a', shown: { ...none, user: 'a', pass: 'b' } })
  t.match(of(all, { pass: 'b', auth_token: 'c' }), { username: null, shown: { ...none, pass: 'b', auth_token: 'c' } })
  t.match(of(authenticator({ token: 'c' }), said), { username: null, shown: { ...none, auth_token: 'c' } })
  t.match(of(authenticator({ user: 'a', pass: 'b' }), said), { username: 'a', shown: { ...none, user: 'a', pass: 'b' } })
  t.match(of(authenticator({ users: [{ user: 'a', pass: 'b' }] }), said), { username: 'a', shown: { ...none, user: 'a', pass: 'b' } })
  t.match(of(authenticator({ users: [{ nkey }] }), { ...said, nkey, sig: sign(key) }), { username: nkey, shown: { ...none, nkey } })
})

t.test('a password that has matched is not compared again, unless it is another, or the configured one is', async (t) => {
  const user = (pass: string): ReturnType<typeof authenticator> => authenticator({ user: 'a', pass })
  const options = { user: 'a', pass: 'foobar' }
  const before = await outcome(user(hash).authenticate(attempt(options))) as Identity
  t.notOk(user(hash).authenticate(attempt(options, { before })) instanceof Promise)
  t.match(await outcome(user(hash).authenticate(attempt(options, { before }))), { match: { configured: hash, given: 'foobar' } })
  t.equal(await name(user(hash).authenticate(attempt({ ...options, pass: 'x' }, { before }))), 'wrong password or token')
  t.equal(await name(user(bcrypt.hashSync('other', 4)).authenticate(attempt(options, { before }))), 'wrong password or token')
  t.equal(await name(user('other').authenticate(attempt(options, { before }))), 'wrong password or token')
  t.equal(await name(authenticator({ token: hash }).authenticate(attempt(options, { before }))), 'wrong password or token', 'a token is no password')
})

t.test('hooks of the host see an nkey only if its owner has signed the nonce', async (t) => {
  const all = authenticator(null)
  const user = createUser()
  const nkey = user.getPublicKey()
  t.match(all.authenticate(attempt({ nkey, sig: sign(user) })), { name: `Nkey "${nkey}"`, username: nkey, shown: { nkey } })
  for (const sig of ['', sign(createUser()), sign(user, 'another nonce'), '!']) {
    t.match(all.authenticate(attempt({ nkey, sig })), { name: 'User "N/A"', username: null, shown: { nkey: '' } })
  }
  const passwords = authenticator({ user: 'a', pass: 'b' })
  t.match(passwords.authenticate(attempt({ user: 'a', pass: 'b', nkey, sig: sign(createUser()) })), { username: 'a', shown: { nkey: '' } })
  t.match(passwords.authenticate(attempt({ user: 'a', pass: 'b', nkey, sig: sign(user) })), { username: 'a', shown: { nkey } })
})

t.test('a token', async (t) => {
  for (const token of ['_YZZ22_', bcrypt.hashSync('_YZZ22_', 4)]) {
    const one = authenticator({ token, timeout: 1000 })
    t.ok(one.isAnnounced(tcp))
    t.equal(one.timeout, 1000)
    t.match(await outcome(one.authenticate(attempt({ auth_token: '_YZZ22_' }))), { name: 'Token "[REDACTED]"', username: null })
    for (const wrong of [{}, { auth_token: 'x' }, { user: '_YZZ22_' }, { pass: '_YZZ22_' }, { auth_token: hash }]) {
      t.equal(await name(one.authenticate(attempt(wrong))), 'wrong password or token')
    }
  }
})

t.test('a single user', async (t) => {
  for (const pass of ['foobar', hash]) {
    const one = authenticator({ user: 'derek', pass })
    t.match(await outcome(one.authenticate(attempt({ user: 'derek', pass: 'foobar' }))), { name: 'User "derek"', username: 'derek' })
    t.equal(await name(one.authenticate(attempt({ user: 'derek', pass: 'foo' }))), 'wrong password or token')
    t.equal(await name(one.authenticate(attempt({ user: 'derek' }))), 'wrong password or token')
    t.equal(await name(one.authenticate(attempt({ user: 'other', pass: 'foobar' }))), 'there is no user "other"')
    t.equal(await name(one.authenticate(attempt())), 'there is no user ""')
  }
  t.equal(await name(authenticator({ user: 'a' }).authenticate(attempt({ user: 'a' }))), 'User "a"', 'a user without password')
})

t.test('several users, with passwords and nkeys', async (t) => {
  const key = createUser()
  const nkey = key.getPublicKey()
  const some = authenticator({ users: [{ user: 'a', pass: 'x', permissions: { publish: 'a.>' } }, { user: 'b', pass: hash }, { nkey }], defaultPermissions: { publish: 'd' } })
  t.ok(some.needsNonce)
  t.ok(some.isAnnounced(websocket))
  const a = await outcome(some.authenticate(attempt({ user: 'a', pass: 'x' }))) as Identity
  t.ok(a.permissions?.mayPublish('a.b'))
  t.notOk(a.permissions?.mayPublish('d'))
  const b = await outcome(some.authenticate(attempt({ user: 'b', pass: 'foobar' }))) as Identity
  t.ok(b.permissions?.mayPublish('d'), 'default permissions')
  t.not(b.permissions, (await outcome(some.authenticate(attempt({ user: 'b', pass: 'foobar' }))) as Identity).permissions, 'replies of a connection are its own')
  const identity = await outcome(some.authenticate(attempt({ nkey, sig: sign(key) }))) as Identity
  t.match(identity, { name: `Nkey "${nkey}"`, username: nkey, shown: { nkey } })
  const wrong: readonly (readonly [Parameters<typeof attempt>[0], string])[] = [
    [{}, 'CONNECT has no credentials'],
    [{ auth_token: 'x' }, 'CONNECT has no credentials'],
    [{ user: 'c', pass: 'x' }, 'there is no user "c"'],
    [{ user: 'a', pass: 'y' }, 'wrong password or token'],
    [{ user: nkey }, `there is no user "${nkey}"`],
    [{ nkey }, 'CONNECT has no signature'],
    [{ nkey, sig: '%' }, 'the signature is no base64'],
    [{ nkey, sig: 'A' }, 'the signature is no base64'],
    [{ nkey, sig: 'AAAA' }, 'the signature is not that of the nonce by the user'],
    [{ nkey, sig: sign(key, `${nonce} `) }, 'the signature is not that of the nonce by the user'],
    [{ nkey, sig: sign(createUser()) }, 'the signature is not that of the nonce by the user'],
    [{ nkey: createUser().getPublicKey(), sig: sign(key), user: 'a', pass: 'x' }, 'no user has the nkey'],
    [{ nkey: 'a', user: 'a', pass: 'x' }, 'no user has the nkey "a"']
  ]
  for (const [options, reason] of wrong) t.match(await name(some.authenticate(attempt(options))), reason, JSON.stringify(options))
})

t.test('a signature may be base64url without padding or standard base64 with it', async (t) => {
  const key = createUser()
  const some = authenticator({ users: [{ nkey: key.getPublicKey() }] })
  for (let i = 0; i < 20; i++) {
    const nonce = createNonce()
    t.match(nonce, /^[\w-]{15}$/)
    const signature = Buffer.from(key.sign(Buffer.from(nonce)))
    for (const encoding of ['base64', 'base64url'] as const) {
      t.match(some.authenticate(attempt({ nkey: key.getPublicKey(), sig: signature.toString(encoding) }, { nonce })), { username: key.getPublicKey() })
    }
  }
})

t.test('a user who stands for clients without credentials', async (t) => {
  const nkey = createUser().getPublicKey()
  for (const noAuthUser of ['foo', nkey]) {
    const some = authenticator({ accounts: [{ name: 'A', users: [{ user: 'foo', pass: hash }, { nkey }] }], noAuthUser })
    t.ok(some.isRequired(tcp))
    t.notOk(some.isAnnounced(tcp))
    t.match(await outcome(some.authenticate(attempt())), { username: noAuthUser, account: 'A', shown: { nkey: '' } })
    t.match(await outcome(some.authenticate(attempt({ user: 'foo', pass: 'foobar' }))), { username: 'foo' })
    for (const wrong of [{ user: 'foo' }, { user: 'bar' }, { pass: 'x' }, { auth_token: 'x' }]) {
      t.type(await outcome(some.authenticate(attempt(wrong))), 'string', JSON.stringify(wrong))
    }
  }
})

t.test('users may be bound to a kind of connection', async (t) => {
  const key = createUser()
  const nkey = key.getPublicKey()
  const some = authenticator({ users: [{ user: 'w', connectionTypes: ['WEBSOCKET'] }, { user: 'm', connectionTypes: ['MQTT'] }, { nkey, connectionTypes: ['STANDARD'] }] })
  t.equal(await name(some.authenticate(attempt({ user: 'w' }, { listener: websocket }))), 'User "w"')
  t.equal(await name(some.authenticate(attempt({ user: 'w' }))), 'there is no user "w"')
  t.equal(await name(some.authenticate(attempt({ user: 'm' }))), 'there is no user "m"')
  t.equal(await name(some.authenticate(attempt({ nkey, sig: sign(key) }))), `Nkey "${nkey}"`)
  t.match(await name(some.authenticate(attempt({ nkey, sig: sign(key) }, { listener: websocket }))), 'no user has the nkey')
})

t.test('a listener may have credentials of its own', async (t) => {
  const mere = { ...websocket, ...readListenerRules({ timeout: 1 }, 'websocket') }
  t.equal(mere.timeout, 1)
  t.ok(authenticator({ token: 'T' }, [tcp, mere]).isAnnounced(mere), 'a timeout alone lets nobody in')
  for (const timeout of [0, -1, 1.5, '1', true]) {
    t.throws(() => readListenerRules({ timeout }, 'websocket.authorization'), { code: 'NATS_ERR_OPTION', message: /'websocket\.authorization\.timeout' is .* a whole number from 1/ })
  }
  const own = { ...websocket, ...readListenerRules({ token: 'T' }, 'websocket') }
  const open = authenticator(null, [tcp, own])
  t.notOk(open.isRequired(tcp))
  t.ok(open.isAnnounced(own))
  t.equal(await name(open.authenticate(attempt({ auth_token: 'T' }, { listener: own }))), 'Token "[REDACTED]"')
  t.equal(await name(open.authenticate(attempt({}, { listener: own }))), 'wrong password or token')
  t.equal(await name(open.authenticate(attempt())), 'User "N/A"')
  const guest = { ...websocket, ...readListenerRules({ noAuthUser: 'guest' }, 'websocket') }
  const some = authenticator({ users: [{ user: 'guest', pass: 'x' }] }, [tcp, guest])
  t.ok(some.isAnnounced(tcp))
  t.notOk(some.isAnnounced(guest))
  t.equal(await name(some.authenticate(attempt({}, { listener: guest }))), 'User "guest"')
  t.equal(await name(some.authenticate(attempt())), 'CONNECT has no credentials')
})

t.test('names of Object.prototype are just names', async (t) => {
  const list = ['__proto__', 'constructor', 'toString']
  const some = authenticator({ accounts: list.map((name) => ({ name, users: [{ user: `${name}!`, pass: name }] })) })
  for (const name of list) {
    t.match(await outcome(some.authenticate(attempt({ user: `${name}!`, pass: name }))), { username: `${name}!`, account: name })
    t.equal(await outcome(some.authenticate(attempt({ user: name, pass: name }))), `there is no user "${name}"`)
    t.equal(await outcome(authenticator({ users: [{ nkey: createUser().getPublicKey() }] }).authenticate(attempt({ nkey: name }))), `no user has the nkey "${name}"`)
  }
  t.match(wrongOption(JSON.parse('{ "__proto__": 1 }')), "'.__proto__' is unknown")
})

t.test('nothing that a client sends makes it throw, and no reason holds a secret', async (t) => {
  const secret = 'S3CRET'
  const nkey = createUser().getPublicKey()
  const some = authenticator({ users: [{ user: 'a', pass: secret }, { nkey }] })
  const odd = ['', '\0', '\u{1F511}', '__proto__', nkey, nkey.slice(1), `${nkey.slice(0, -1)}A`, secret, 'a'.repeat(5000), '..', 'e30.e30.e30']
  for (const user of ['', 'a', 'b']) {
    for (const value of odd) {
      for (const key of ['pass', 'nkey', 'sig', 'jwt', 'auth_token'] as const) {
        const result = await outcome(some.authenticate(attempt({ user, [key]: value })))
        if (typeof result === 'string' && key !== 'nkey' && result.includes(secret)) t.fail(result)
        if (typeof result !== 'string' && (value !== secret || key !== 'pass')) t.fail(`${user} got in with ${key} ${value}`)
      }
    }
  }
})

t.test('an end of the connection ends the waiting for its password', async (t) => {
  const some = authenticator({ token: hash })
  t.equal(await name(some.authenticate(attempt({ auth_token: 'foobar' }, { isOpen: () => false }))), 'wrong password or token')
})

t.test('passwords in plain text are worth a warning', async (t) => {
  const warning = ['Plaintext passwords detected, use nkeys or bcrypt']
  t.strictSame(authenticator({ user: 'a', pass: 'b' }).warnings, warning)
  t.strictSame(authenticator({ users: [{ user: 'a', pass: hash }, { user: 'b', pass: 'b' }] }).warnings, warning)
  for (const fine of [null, { user: 'a', pass: hash }, { users: [{ user: 'a' }, { user: 'b', pass: hash }] }]) t.strictSame(authenticator(fine).warnings, [])
})

t.test('says what is wrong with the option', async (t) => {
  const nkey = createUser().getPublicKey()
  const of = { user: 'a' }
  const wrong: readonly (readonly [unknown, string])[] = [
    [[], "'' is a list: allowed is an object"],
    ['x', "'' is a string: allowed is an object"],
    [{ users: {} }, "'.users' is an object: allowed is a list"],
    [{ user: 1 }, "'.user' is a number: allowed is a string"],
    [{ pass: ['S3CRET'] }, "'.pass' is a list: allowed is a string"],
    [{ secret: 'S3CRET' }, "'.secret' is unknown: allowed is user, "],
    [{ timeout: 0 }, "'.timeout' is 0: allowed is a whole number from 1"],
    [{ pass: 'S3CRET' }, "'' is one with a password and no user: allowed is a user with password, or a token"],
    [{ user: 'a', token: 'b' }, "'' is one with a token and a user: allowed is a user with password, or a token"],
    [{ users: ['a'] }, "'.users[0]' is a string: allowed is an object"],
    [{ users: [{}] }, "'.users[0]' is one without user and nkey"],
    [{ users: [{ user: '' }] }, "'.users[0]' is one without user and nkey"],
    [{ users: [{ nkey: 'UABC' }] }, "'.users[0].nkey' is UABC: allowed is the public nkey of a user"],
    [{ users: [{ nkey: createAccount().getPublicKey() }] }, 'allowed is the public nkey of a user'],
    [{ users: [{ nkey, pass: 'S3CRET' }] }, "'.users[0]' is one with an nkey and a name or password"],
    [{ users: [of, of] }, "'.users[1]' is a, who is there already: allowed is each user once"],
    [{ users: [of], accounts: [{ name: 'A', users: [of] }] }, "'.accounts[0].users[0]' is a, who is there already"],
    [{ users: [{ ...of, connectionTypes: ['PIGEON'] }] }, "'.users[0].connectionTypes' is PIGEON: allowed is some of STANDARD"],
    [{ accounts: [{}] }, "'.accounts[0].name' is null: allowed is a name that no other account has"],
    [{ accounts: [{ name: 'A' }, { name: 'A' }] }, "'.accounts[1].name' is A"],
    [{ users: [of], user: 'b' }, "'' is one with a single user or token and several users"],
    [{ users: [of], token: 'S3CRET' }, "'' is one with a single user or token and several users"],
    [{ users: [of], noAuthUser: 'b' }, "'.noAuthUser' is b: allowed is one of the users"],
    [{ user: 'b', noAuthUser: 'b' }, "'.noAuthUser' is b: allowed is one of the users"],
    [{ users: [{ ...of, permissions: 'x' }] }, "'.users[0].permissions' is a string: allowed is an object"],
    [{ users: [{ ...of, permissions: { pub: 'x' } }] }, "'.users[0].permissions.pub' is unknown: allowed is publish, subscribe, responses"],
    [{ users: [{ ...of, permissions: { publish: ['a', 'a q'] } }] }, "'.users[0].permissions.publish[1]' is \"a q\": allowed is a subject"],
    [{ users: [{ ...of, permissions: { publish: { deny: 'a..b' } } }] }, "'.users[0].permissions.publish.deny' is \"a..b\": allowed is a subject"],
    [{ users: [{ ...of, permissions: { subscribe: { allow: [1] } } }] }, "'.users[0].permissions.subscribe.allow[0]' is a number: allowed is a subject, or a subject, a blank and a queue group"],
    [{ users: [{ ...of, permissions: { subscribe: { permit: 'x' } } }] }, "'.users[0].permissions.subscribe.permit' is unknown"],
    [{ defaultPermissions: { responses: { max: 1.5 } } }, "'.defaultPermissions.responses.max' is 1.5: allowed is a whole number from -1"],
    [{ defaultPermissions: { responses: 1 } }, "'.defaultPermissions.responses' is a number: allowed is an object"],
    [{ defaultPermissions: { publish: 1 } }, "'.defaultPermissions.publish' is a number: allowed is a subject"]
  ]
  for (const [option, message] of wrong) {
    const text = wrongOption(option)
    t.ok(text.includes(message), `${JSON.stringify(option)}: ${text}`)
    t.notOk(text.includes('S3CRET'), 'without secrets')
  }
  const seed = Buffer.from(createUser().getSeed()).toString()
  for (const option of [{ users: [{ user: seed }, { user: seed }] }, { users: [of], noAuthUser: seed }, { users: [{ nkey: seed }] }]) {
    t.match(wrongOption(option), / a seed/)
    t.notOk(wrongOption(option).includes(seed))
  }
  t.match(wrongOption({ users: [of] }, [{ ...websocket, ...readListenerRules({ noAuthUser: 'x' }, 'websocket') }]), /websocket.authorization.noAuthUser' is x/)
})

t.test('permissions of the option', async (t) => {
  async function permissions (given: object): Promise<Identity['permissions']> {
    return (await outcome(authenticator({ users: [{ user: 'a', permissions: given }] }).authenticate(attempt({ user: 'a' }))) as Identity).permissions
  }
  const lists = await permissions({ publish: { allow: ['a.>', 'b'], deny: 'a.x' }, subscribe: ['s', 't q.*'] })
  t.ok(lists?.mayPublish('b') && lists.mayPublish('a.y') && !lists.mayPublish('a.x') && !lists.mayPublish('c'))
  t.ok(lists?.maySubscribe('s', null) && lists.maySubscribe('t', 'q.1') && !lists.maySubscribe('t', null))
  t.notOk((await permissions({ publish: [] }))?.mayPublish('x'), 'an empty list allows nothing')
  t.notOk((await permissions({ publish: { allow: [] } }))?.mayPublish('x'))
  t.ok((await permissions({ publish: { deny: [] } }))?.mayPublish('x'))
  t.ok((await permissions({ publish: null, subscribe: 'x' }))?.mayPublish('x'))
  const answers = await permissions({ responses: true })
  t.strictSame(answers?.rights.responses, { max: 1, expires: 120_000 })
  t.notOk(answers?.mayPublish('x'), 'who may answer may publish nothing else')
  t.ok((await permissions({ publish: 'x', responses: { max: 5 } }))?.mayPublish('x'))
  t.strictSame((await permissions({ responses: { max: 0, expires: -1 } }))?.rights.responses, { max: 1, expires: -1 })
  t.equal((await permissions({ responses: false }))?.rights.responses, null)
})

t.test('a time for CONNECT that no timer can wait is the longest that one can', async (t) => {
  const patient = authenticator({ users: [{ user: 'ann', pass: 'pw' }], timeout: 2 ** 40 })
  t.equal(authTimeoutOf(tcp, { authenticator: patient, options: resolveOptions({}) }), 2 ** 31 - 1)
})
