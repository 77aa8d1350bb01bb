import { encodeOperator, newScopedSigner } from '@nats-io/jwt'
import { createAccount, createOperator, createUser } from '@nats-io/nkeys'
import fc from 'fast-check'
import t from 'tap'
import type { Authenticator } from '../../lib/auth/authenticator.ts'
import type { Identity } from '../../lib/auth/identity.ts'
import { Seats } from '../../lib/auth/seats.ts'
import { attempt, authenticator, nonce, outcome, sign, tcp, websocket, wrongOption } from './attempts.ts'
import { Chain, forge, second } from './jwts.ts'

async function enter (chain: Chain, jwt: string, to: Authenticator = authenticator(chain.option), rest: Parameters<typeof attempt>[1] = {}): Promise<Identity | string> {
  return await outcome(to.authenticate(attempt({ jwt, sig: sign(chain.user) }, rest)))
}

async function identityOf (...args: Parameters<typeof enter>): Promise<Identity> {
  const result = await enter(...args)
  if (typeof result === 'string') throw new Error(result)
  return result
}

t.test('a user whose account an operator has signed', async (t) => {
  const chain = await Chain.create()
  const one = authenticator(chain.option)
  t.ok(one.needsNonce)
  t.ok(one.isAnnounced(tcp))
  t.strictSame(one.warnings, [])
  const jwt = await chain.encodeUser()
  const key = chain.user.getPublicKey()
  t.match(await enter(chain, jwt, one), {
    name: `JWT User "${key}"`,
    username: key,
    account: chain.account.getPublicKey(),
    accountConnections: Infinity,
    permissions: null,
    limits: { subscriptions: Infinity, payload: Infinity, data: Infinity },
    expires: null,
    shown: { user: '', pass: '', auth_token: '', nkey: '', jwt },
    match: null,
    jwt: { subject: key, issuer: chain.account.getPublicKey(), name: 'N', tags: [], bearer: false }
  })
  const wrong: readonly (readonly [Parameters<typeof attempt>[0], string])[] = [
    [{}, 'CONNECT has no user JWT'],
    [{ user: 'a', pass: 'b', nkey: key, sig: sign(chain.user) }, 'CONNECT has no user JWT'],
    [{ jwt }, 'CONNECT has no signature'],
    [{ jwt, sig: sign(createUser()) }, 'the signature is not that of the nonce by the user'],
    [{ jwt, sig: sign(chain.user, nonce.toLowerCase()) }, 'the signature is not that of the nonce by the user'],
    [{ jwt, sig: sign(chain.account) }, 'the signature is not that of the nonce by the user']
  ]
  for (const [options, reason] of wrong) t.equal(await outcome(one.authenticate(attempt(options))), reason)
})

t.test('only who is trusted may sign, all along the chain', async (t) => {
  const chain = await Chain.create()
  const other = await Chain.create()
  t.equal(await enter(chain, await chain.encodeUser(), authenticator(other.option)), `there is no account "${chain.account.getPublicKey()}"`)
  const untrusted = authenticator({ ...chain.option, operators: [other.operatorJwt] })
  t.match(untrusted.warnings, [/is not signed by a trusted operator/])
  t.equal(await enter(chain, await chain.encodeUser(), untrusted), 'the account JWT is not signed by a trusted operator')
  chain.accountJwt = await chain.encodeAccount({}, {}, chain.account)
  t.equal(await enter(chain, await chain.encodeUser()), 'the account JWT is not signed by a trusted operator', 'an account that signs itself')
  const keys = await Chain.create()
  const trusted = authenticator({ trustedKeys: [keys.operator.getPublicKey()], resolverPreload: keys.option.resolverPreload ?? null })
  t.type(await enter(keys, await keys.encodeUser(), trusted), 'object', 'trusted keys are as good as the JWT of an operator')
})

t.test('times of user and account', async (t) => {
  const now = second()
  const chain = await Chain.create()
  t.equal(await enter(chain, await chain.encodeUser({}, { exp: now - 10 })), 'the JWT has expired')
  t.equal(await enter(chain, await chain.encodeUser({}, { nbf: now + 1000 })), 'the JWT is not valid yet')
  t.match(await enter(chain, await chain.encodeUser({}, { exp: now + 1000, nbf: now - 10 })), { expires: { at: (now + 1000) * 1000, code: 'NATS_ERR_USER_EXPIRED' } })
  chain.accountJwt = await chain.encodeAccount({}, { exp: now + 500 })
  t.match(await enter(chain, await chain.encodeUser({}, { exp: now + 1000 })), { expires: { at: (now + 500) * 1000, code: 'NATS_ERR_ACCOUNT_EXPIRED' } })
  t.match(await enter(chain, await chain.encodeUser({}, { exp: now + 100 })), { expires: { at: (now + 100) * 1000, code: 'NATS_ERR_USER_EXPIRED' } })
  chain.accountJwt = await chain.encodeAccount({}, { exp: now - 10 })
  t.equal(await enter(chain, await chain.encodeUser()), 'the JWT has expired')
  t.match(authenticator(chain.option).warnings, [/has expired/])
  chain.accountJwt = await chain.encodeAccount({}, { nbf: now + 1000 })
  t.equal(await enter(chain, await chain.encodeUser()), 'the JWT is not valid yet')
})

t.test('signing keys of operator and account', async (t) => {
  const operatorKey = createOperator()
  const accountKey = createAccount()
  const chain = await Chain.create()
  chain.operatorJwt = await encodeOperator('O', chain.operator, { signing_keys: [operatorKey.getPublicKey()] })
  chain.accountJwt = await chain.encodeAccount({ signing_keys: [accountKey.getPublicKey()] }, {}, operatorKey)
  t.match(await enter(chain, await chain.encodeSigned(accountKey)), { account: chain.account.getPublicKey(), jwt: { issuer: accountKey.getPublicKey() } })
  t.equal(await enter(chain, await chain.encodeSigned(createAccount())), 'the user JWT is not signed by a key of its account')
  t.type(await enter(chain, await chain.encodeUser()), 'object', "the account's own key may sign too")
  const strict = { signing_keys: [operatorKey.getPublicKey()], strict_signing_key_usage: true }
  chain.operatorJwt = await encodeOperator('O', chain.operator, strict)
  t.equal(await enter(chain, await chain.encodeUser()), 'the user JWT is not signed by a key of its account', 'not where signing keys have to')
  t.type(await enter(chain, await chain.encodeSigned(accountKey)), 'object')
  chain.accountJwt = await chain.encodeAccount({ signing_keys: [accountKey.getPublicKey()] })
  t.equal(await enter(chain, await chain.encodeSigned(accountKey)), 'the account JWT is not signed by a trusted operator')
})

t.test('revocations', async (t) => {
  const chain = await Chain.create()
  const key = chain.user.getPublicKey()
  const jwt = await chain.encodeUser()
  const identity = await identityOf(chain, jwt)
  for (const [revocations, revoked] of [
    [{ [key]: second() + 10 }, true], [{ '*': second() + 10 }, true], [{ [key]: second() - 1000 }, false], [{ '*': second() - 1000 }, false],
    [{ [createUser().getPublicKey()]: second() + 10 }, false], [{ [key]: second() - 1000, '*': second() + 10 }, true]
  ] as const) {
    chain.accountJwt = await chain.encodeAccount({ revocations })
    const reloaded = authenticator(chain.option)
    t.equal(await enter(chain, jwt, reloaded) === 'the user JWT is revoked', revoked, JSON.stringify(revocations))
    t.equal(reloaded.recheck(identity)?.wire, revoked ? 'User Authentication Revoked' : undefined)
  }
})

t.test('accounts that are loaded again tell who may stay', async (t) => {
  const accountKey = createAccount()
  const chain = await Chain.create({ signing_keys: [accountKey.getPublicKey()] })
  const identity = await identityOf(chain, await chain.encodeUser())
  const signed = await identityOf(chain, await chain.encodeSigned(accountKey))
  const bearer = await identityOf(chain, await chain.encodeUser({ bearer_token: true }))
  for (const each of [identity, signed, bearer]) t.equal(authenticator(chain.option).recheck(each), null)
  chain.accountJwt = await chain.encodeAccount({ limits: { disallow_bearer: true } })
  const reloaded = authenticator(chain.option)
  t.equal(reloaded.recheck(identity), null)
  t.equal(reloaded.recheck(signed)?.wire, 'Authorization Violation')
  t.equal(reloaded.recheck(bearer)?.wire, 'Authorization Violation')
  const gone = authenticator({ ...chain.option, resolverPreload: {} })
  t.equal(gone.recheck(identity)?.wire, 'Authorization Violation')
  t.equal(gone.recheck(await identityOf(chain, '', authenticator(null)))?.wire, 'Authorization Violation')
  t.equal(authenticator(null).recheck(identity), null)
})

t.test('bearer tokens need no signature', async (t) => {
  const chain = await Chain.create()
  const jwt = await chain.encodeUser({ bearer_token: true })
  const one = authenticator(chain.option)
  t.match(await outcome(one.authenticate(attempt({ jwt }))), { jwt: { bearer: true }, shown: { jwt } })
  t.match(await outcome(one.authenticate(attempt({ jwt, sig: '%' }))), { jwt: { bearer: true } })
  chain.accountJwt = await chain.encodeAccount({ limits: { disallow_bearer: true } })
  t.equal(await enter(chain, jwt), 'the account allows no bearer tokens')
})

t.test('permissions and limits of user and account', async (t) => {
  const chain = await Chain.create({
    limits: { subs: 10, payload: 1000, conn: 2 },
    default_permissions: { pub: { allow: ['default'] } }
  })
  const own = await identityOf(chain, await chain.encodeUser({ pub: { allow: ['a.>'], deny: ['a.x'] }, sub: { deny: ['s q.*'] }, subs: 5, payload: 2000, data: 7 }))
  t.strictSame(own.limits, { subscriptions: 5, payload: 1000, data: 7 })
  t.ok(own.permissions?.mayPublish('a.b') && !own.permissions.mayPublish('a.x') && !own.permissions.mayPublish('default'))
  t.ok(own.permissions?.maySubscribe('s', null) && !own.permissions.maySubscribe('s', 'q.1'))
  const other = await identityOf(chain, await chain.encodeUser())
  t.ok(other.permissions?.mayPublish('default') && !other.permissions.mayPublish('a.b'), 'default permissions')
  const answers = await identityOf(chain, await chain.encodeUser({ resp: { max: 3, ttl: 5_000_000_000 } }))
  t.strictSame(answers.permissions?.rights.responses, { max: 3, expires: 5000 })
  t.notOk(answers.permissions?.mayPublish('x'))
  t.strictSame((await identityOf(chain, await chain.encodeUser({ resp: {} }))).permissions?.rights.responses, { max: 1, expires: 120_000 })
  const seats = new Seats()
  t.equal(seats.enter(own), null)
  t.equal(seats.enter(other), null)
  t.equal(seats.enter(own)?.wire, 'maximum account active connections exceeded')
  seats.leave(own)
  t.equal(seats.enter(own), null)
  for (let i = 0; i < 3; i++) seats.leave(own)
  t.equal(seats.enter(own), null)
})

t.test('limits that a JWT lacks are none to be had', async (t) => {
  const chain = await Chain.create()
  const jwt = forge({ sub: chain.user.getPublicKey(), nats: { type: 'user', version: 2 } }, chain.account)
  t.strictSame((await identityOf(chain, jwt)).limits, { subscriptions: 0, payload: 0, data: 0 })
})

t.test('networks from which a user may connect', async (t) => {
  const chain = await Chain.create()
  const jwt = await chain.encodeUser({ src: ['10.1.0.0/16', ' 192.0.2.7/32', '2001:db8::/32'] })
  for (const address of ['10.1.2.3', '192.0.2.7', '2001:db8::1']) t.type(await enter(chain, jwt, undefined, { address }), 'object', address)
  for (const address of ['10.2.0.1', '192.0.2.8', '2001:db9::1', '::1', '', 'x']) t.equal(await enter(chain, jwt, undefined, { address }), `the user may not connect from ${address}`)
  const text = forge({ sub: chain.user.getPublicKey(), nats: { type: 'user', version: 2, src: '10.1.0.0/16,192.0.2.7/32' } }, chain.account)
  t.type(await enter(chain, text, undefined, { address: '192.0.2.7' }), 'object')
  t.type(await enter(chain, text), 'string')
  for (const src of ['10.1.0.0', '10.1.0.0/33', '1.2.3/8', 'a/8', '2001:db8::/129', '']) {
    t.equal(await enter(chain, await chain.encodeUser({ src: [src] })), `the JWT has the invalid network ${JSON.stringify(src)}`)
  }
})

t.test('times of the day at which a user may be connected', async (t) => {
  const chain = await Chain.create()
  const at = (time: string): number => Date.parse(`2026-03-02T${time}Z`)
  async function left (times: object[], now: number, zone = 'UTC', exp?: number): Promise<number | string | undefined> {
    const jwt = forge({ sub: chain.user.getPublicKey(), ...exp !== undefined && { exp }, nats: { type: 'user', version: 2, times, times_location: zone } }, chain.account)
    const result = await enter(chain, jwt, authenticator(chain.option, [tcp], () => now))
    return typeof result === 'string' ? result : result.expires === null ? undefined : (result.expires.at - now) / 1000
  }
  const day = [{ start: '09:00:00', end: '17:00:00' }]
  const outside = 'the user may not connect at this time of the day'
  t.equal(await left([], at('03:00:00')), undefined)
  t.equal(await left(day, at('16:59:00')), 60)
  t.equal(await left(day, at('16:59:00.500')), 59.5)
  t.equal(await left(day, at('08:59:59')), outside)
  t.equal(await left(day, at('17:00:00')), outside)
  t.equal(await left(day, at('16:59:00'), 'UTC', at('16:59:30') / 1000), 30)
  const night = [{ start: '22:00:00', end: '6:00:00' }]
  t.equal(await left(night, at('05:00:00')), 3600)
  t.equal(await left(night, at('23:00:00')), 7 * 3600)
  t.equal(await left(night, at('12:00:00')), outside)
  t.equal(await left([...day, { start: '16:00:00', end: '18:00:00' }], at('16:30:00')), 5400, 'the longest counts')
  t.equal(await left(day, at('14:30:00'), 'America/New_York'), 7.5 * 3600)
  t.equal(await left(day, at('13:30:00'), 'America/New_York'), outside)
  t.match(await left(day, at('13:30:00'), 'Mars/Olympus'), /unknown time zone/)
  for (const wrong of ['', '9', '24:00:00', '12:60:00', '12:00', 'noon']) {
    t.match(await left([{ start: wrong, end: '17:00:00' }], at('12:00:00')), /invalid time range/, wrong)
    t.match(await left([{ start: '01:00:00', end: wrong }], at('12:00:00')), /invalid time range/, wrong)
  }
})

t.test('kinds of connection', async (t) => {
  const chain = await Chain.create()
  const jwt = await chain.encodeUser({ allowed_connection_types: ['WEBSOCKET', 'MQTT'] })
  t.type(await enter(chain, jwt, undefined, { listener: websocket }), 'object')
  t.equal(await enter(chain, jwt), 'the user may not connect by STANDARD')
  const unknown = forge({ sub: chain.user.getPublicKey(), nats: { type: 'user', version: 2, allowed_connection_types: ['PIGEON'] } }, chain.account)
  t.equal(await enter(chain, unknown), 'the user may not connect by STANDARD')
  const lower = forge({ sub: chain.user.getPublicKey(), nats: { type: 'user', version: 2, allowed_connection_types: ['pigeon', 'standard'] } }, chain.account)
  t.type(await enter(chain, lower), 'object')
})

t.test('a signing key may decide on permissions and limits', async (t) => {
  const key = createAccount()
  const chain = await Chain.create()
  const account = chain.account.getPublicKey()
  async function withTemplate (template: object, tags: string[] = [], accountTags: string[] = []): Promise<Identity | string> {
    chain.accountJwt = await chain.encodeAccount({ signing_keys: [newScopedSigner(key, 'role', template)], tags: accountTags })
    return await enter(chain, await chain.encodeSigned(key, { tags }, true))
  }
  async function allowed (...allow: string[]): Promise<string | readonly string[]> {
    const result = await withTemplate({ pub: { allow } }, ['region:eu', 'region:us', 'team:x', 'bad:a b'], ['plan:gold'])
    return typeof result === 'string' ? result : result.permissions?.rights.publish.allow?.rules.map(({ subject }) => subject) ?? []
  }
  const plain = await withTemplate({ pub: { allow: ['a'] }, subs: 3, payload: 9 }) as Identity
  t.strictSame(plain.limits, { subscriptions: 3, payload: 9, data: Infinity })
  t.ok(plain.permissions?.mayPublish('a') && !plain.permissions.mayPublish('b'))
  t.strictSame(await allowed('{{name()}}.{{ subject() }}.>'), [`N.${chain.user.getPublicKey()}.>`])
  t.strictSame(await allowed('{{account-name()}}.{{Account-Subject()}}'), [`A.${account}`])
  t.strictSame(await allowed('x', '{{tag(region)}}.{{tag(team)}}'), ['x', 'eu.x', 'us.x'])
  t.strictSame(await allowed('{{tag(Region)}}.{{tag(Region)}}'), ['eu.eu', 'us.us'], 'a template has one value at a time')
  t.strictSame(await allowed('{{account-tag(plan)}}.{{tag(bad)}}', 'y'), ['y'], 'what is no subject is left out')
  t.match(await allowed('{{password()}}'), /unknown template/)
  const nothing = await withTemplate({ pub: { allow: ['{{tag(none)}}'] }, sub: { allow: ['{{tag(none)}}'] } }) as Identity
  t.notOk(nothing.permissions?.mayPublish('x'), 'an empty list allows nothing here')
  t.notOk(nothing.permissions?.maySubscribe('x', null))
  t.match(await withTemplate({ pub: { deny: ['{{tag(none)}}'] } }), /comes to no subject/, 'what cannot be denied refuses')
  t.match(await withTemplate({ sub: { deny: ['{{tag(bad)}}'] } }, ['bad:a b c']), /comes to no subject/)
  const many = Array.from({ length: 70 }, (_, i) => `t:${i}`)
  t.match(await withTemplate({ pub: { allow: ['{{tag(t)}}.{{ tag(t) }}'] } }, many), /more than 4096 subjects/)
  t.match(await withTemplate({ pub: { allow: Array.from({ length: 60 }, (_, i) => `${i}.{{tag(t)}}`) } }, many), /more than 4096 subjects/)
  t.type(await withTemplate({ pub: { allow: ['{{tag(t)}}.{{ tag(t) }}'] } }, many.slice(0, 60)), 'object')
  t.match(await withTemplate({ bearer_token: true }), { jwt: { bearer: true } })
  t.equal(await withTemplate({ allowed_connection_types: ['WEBSOCKET'] }), 'the user may not connect by STANDARD')
  t.equal(await enter(chain, await chain.encodeSigned(key, { pub: { allow: ['>'] } }, true)), 'the user JWT has permissions or limits, which its signing key has already')
  t.equal(await enter(chain, await chain.encodeSigned(key)), 'the user JWT has permissions or limits, which its signing key has already')
})

t.test('hooks see a JWT only if the user has signed the nonce', async (t) => {
  const chain = await Chain.create()
  const jwt = await chain.encodeUser()
  const all = authenticator(null)
  t.match(all.authenticate(attempt({ jwt, sig: sign(chain.user), user: 'spoofed' })), { username: chain.user.getPublicKey(), shown: { jwt, user: '' } })
  for (const options of [{ jwt }, { jwt, sig: sign(createUser()) }, { jwt: `${jwt}A`, sig: sign(chain.user) }]) {
    t.match(all.authenticate(attempt(options)), { shown: { jwt: '' } })
  }
  const expired = await chain.encodeUser({}, { exp: second() - 10 })
  t.match(all.authenticate(attempt({ jwt: expired, sig: sign(chain.user) })), { shown: { jwt: '' } })
})

t.test('malformed JWTs are refused, each for its reason', async (t) => {
  const chain = await Chain.create()
  const one = authenticator(chain.option)
  const sub = chain.user.getPublicKey()
  const user = { type: 'user', version: 2 }
  const good = await chain.encodeUser()
  const [head = '', body = '', tail = ''] = good.split('.')
  const json = (text: string): string => Buffer.from(text, 'latin1').toString('base64url')
  const wrong: readonly (readonly [string, string])[] = [
    ['x', 'a JWT has three parts'],
    [`${good}.`, 'a JWT has three parts'],
    ['..', 'the header of the JWT is no JSON'],
    [`${head}=.${body}.${tail}`, 'the header of the JWT is no base64url of UTF-8'],
    [`${json('"\xff"')}.${body}.${tail}`, 'the header of the JWT is no base64url of UTF-8'],
    [`${json('[]')}.${body}.${tail}`, 'the JWT is no object'],
    [`${json('{"typ":1}')}.${body}.${tail}`, 'typ is no string'],
    [`${json('null')}.${body}.${tail}`, 'the JWT does not say that it is one'],
    [`${head}.${json('{')}.${tail}`, 'the body of the JWT is no JSON'],
    [`${head}.${body}.`, 'the JWT is not signed by its issuer'],
    [`${head}.${body}.${tail.slice(1)}`, 'the JWT is not signed by its issuer'],
    [`${head}.${body}.${tail}=`, 'the JWT is not signed by its issuer'],
    ['a'.repeat(1024 * 1024 + 1), 'the JWT is longer than 1 MiB'],
    [forge({ sub, nats: user }, chain.account, { typ: 'JWT', alg: 'none' }), "the JWT's algorithm is not ed25519-nkey"],
    [forge({ sub, nats: user }, chain.account, { typ: 'JWT', alg: 'ed25519' }), "the JWT's algorithm is not ed25519-nkey"],
    [forge({ sub, nats: { ...user, version: 3 } }, chain.account), 'the JWT is not of version 2'],
    [forge({ sub, type: 'user', nats: {} }, chain.account), 'the JWT is not of version 2'],
    [forge({ sub, nats: { ...user, type: 'account' } }, chain.account), 'the JWT is not of the type user'],
    [chain.accountJwt, 'the JWT is not of the type user'],
    [chain.operatorJwt, 'the JWT is not of the type user'],
    [forge({ sub, nats: user }, chain.operator), 'the JWT is not signed by its issuer'],
    [forge({ sub, nats: user }, chain.user), 'the JWT is not signed by its issuer'],
    [forge({ sub, nats: user, iss: createAccount().getPublicKey() }, chain.account), 'the JWT is not signed by its issuer'],
    [forge({ sub, nats: user, iss: '' }, chain.account), 'the JWT is not signed by its issuer'],
    [forge({ sub, nats: [] }, chain.account), 'nats is no object'],
    [forge({ sub: 5, nats: user }, chain.account), 'sub is no string'],
    [forge({ sub: 'x', nats: user }, chain.account), 'the user JWT is of no user'],
    [forge({ nats: { ...user, bearer_token: true } }, chain.account), 'the user JWT is of no user'],
    [forge({ sub, exp: 'never', nats: user }, chain.account), 'exp is no whole number'],
    [forge({ sub, nbf: 1.5, nats: user }, chain.account), 'nbf is no whole number'],
    [forge({ sub, nats: { ...user, subs: '5' } }, chain.account), 'nats.subs is no whole number'],
    [forge({ sub, nats: { ...user, bearer_token: 1 } }, chain.account), 'nats.bearer_token is no boolean'],
    [forge({ sub, nats: { ...user, pub: 'x' } }, chain.account), 'nats.pub is no object'],
    [forge({ sub, nats: { ...user, pub: { allow: 'x' } } }, chain.account), 'nats.pub.allow is no list of strings'],
    [forge({ sub, nats: { ...user, pub: { deny: [1] } } }, chain.account), 'nats.pub.deny is no list of strings'],
    [forge({ sub, nats: { ...user, times: [5] } }, chain.account), 'nats.times[0] is no object'],
    [forge({ sub, nats: { ...user, times: {} } }, chain.account), 'nats.times is no list'],
    [forge({ sub, nats: { ...user, pub: { deny: ['a..b'] } } }, chain.account), 'the JWT has the invalid permission "a..b"'],
    [forge({ sub, nats: { ...user, pub: { deny: ['a q'] } } }, chain.account), 'the JWT has the invalid permission "a q"'],
    [forge({ sub, nats: { ...user, sub: { deny: ['a q r'] } } }, chain.account), 'the JWT has the invalid permission "a q r"'],
    [forge({ sub, nats: { ...user, proxy_required: true } }, chain.account), 'the user has to come through a proxy'],
    [forge({ sub, nats: { ...user, issuer_account: 'x' } }, chain.account), 'there is no account "x"'],
    [forge({ sub, nats: { ...user, issuer_account: '__proto__' } }, chain.account), 'there is no account "__proto__"']
  ]
  for (const [jwt, reason] of wrong) t.equal(await outcome(one.authenticate(attempt({ jwt, sig: sign(chain.user) }))), reason)
})

t.test('names of claims in any case mean the same, as to Go', async (t) => {
  const chain = await Chain.create()
  const jwt = forge({ SUB: chain.user.getPublicKey(), Nats: { Type: 'user', VERSION: 2, Pub: { ALLOW: ['a'], deny: null } } }, chain.account)
  const { permissions } = await identityOf(chain, jwt)
  t.ok(permissions?.mayPublish('a') && !permissions.mayPublish('b'))
})

t.test('a JWT with any letter changed is refused', async () => {
  const chain = await Chain.create()
  const one = authenticator(chain.option)
  const jwt = await chain.encodeUser({ bearer_token: true })
  const end = jwt.lastIndexOf('.')
  await fc.assert(fc.asyncProperty(fc.nat(end - 1), fc.constantFrom(...'AZaz09-_.'), async (at, letter) => {
    const changed = jwt.slice(0, at) + letter + jwt.slice(at + 1)
    return changed === jwt || typeof await outcome(one.authenticate(attempt({ jwt: changed }))) === 'string'
  }), { numRuns: 100 })
})

t.test('says what is wrong with operators and accounts', async (t) => {
  const chain = await Chain.create()
  const { operators, resolverPreload } = chain.option
  const key = chain.account.getPublicKey()
  const account = { type: 'account', version: 2 }
  const preload = (claims: object, signer = chain.operator): object => ({ operators, resolverPreload: { [key]: forge({ sub: key, nats: { ...account, ...claims } }, signer) } })
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ operators }, "'.resolverPreload' is undefined: allowed is an object with the JWT of each account by its public key"],
    [{ resolverPreload }, "'.resolverPreload' is there without operators"],
    [{ operators: [chain.accountJwt], resolverPreload }, "'.operators[0]' is wrong, as the JWT is not of the type operator: allowed is the JWT of an operator"],
    [{ operators: [1], resolverPreload }, "'.operators[0]' is a number: allowed is a string"],
    [{ operators: [await encodeOperator('O', chain.operator, { signing_keys: ['x'] })], resolverPreload }, "'.operators[0]' is wrong, as the JWT has a key that is none of an operator"],
    [{ operators, trustedKeys: ['x'], resolverPreload }, "'.trustedKeys' is there beside operators: allowed is one of both"],
    [{ trustedKeys: [key], resolverPreload }, `'.trustedKeys[0]' is ${key}: allowed is the public key of an operator`],
    [{ operators, resolverPreload: { [key]: 5 } }, `'.resolverPreload.${key}' is a number: allowed is a string`],
    [{ operators, resolverPreload: { [key]: 'x' } }, `'.resolverPreload.${key}' is wrong, as a JWT has three parts`],
    [{ operators, resolverPreload: { [createAccount().getPublicKey()]: chain.accountJwt } }, `is one of the account ${key}: allowed is the JWT of that account`],
    [preload({ signing_keys: ['x'] }), 'the signing key "x" is no public key of an account'],
    [preload({ signing_keys: [{ kind: 'other', key }] }), 'the JWT has a signing key of an unknown kind'],
    [preload({ signing_keys: [5] }), 'nats.signing_keys[0] is no object'],
    [preload({ authorization: { auth_users: [createUser().getPublicKey()] } }), 'the account asks for an auth callout, which does not exist here'],
    [preload({ revocations: { x: 'y' } }), 'nats.revocations.x is no whole number'],
    [preload({ revocations: [] }), 'nats.revocations is no object'],
    [preload({ default_permissions: { sub: { deny: ['..'] } } }), 'the JWT has the invalid permission ".."'],
    [{ ...chain.option, users: [{ user: 'a' }] }, "'' is one with operators and users: allowed is operators alone"],
    [{ ...chain.option, token: 'a' }, "'' is one with operators and users"],
    [{ ...chain.option, noAuthUser: 'a' }, "'' is one with operators and users"]
  ]
  for (const [option, message] of wrong) {
    const text = wrongOption(option)
    t.ok(text.includes(message), text)
  }
  t.equal(wrongOption({ operators: [` ${chain.operatorJwt}\n`], resolverPreload: { [key]: `${chain.accountJwt}\n` } }), 'nothing', 'as files have them')
})
