import { createAccount, createUser } from '@nats-io/nkeys'
import { connect as connectNats, nkeyAuthenticator } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import type { Facade } from '../../lib/broker/facade.ts'
import type { HostHooks } from '../../lib/broker/host.ts'
import type { GatewayOptions } from '../../lib/index.ts'
import { quote } from '../../lib/wire/text.ts'
import { type Host, startHost, versions } from '../helper/brokers.ts'
import { connectMqtt } from '../helper/mqtt.ts'
import { connect } from '../helper/raw.ts'
import { sign } from './attempts.ts'
import { Chain, forge, second } from './jwts.ts'

// The hooks of the host and the option `authorization` hold together, and no hook is shown what is not proven.

/* eslint-disable no-template-curly-in-string -- placeholders of the options mountpoint and clientId */

const violation = "-ERR 'Authorization Violation'\r\n"

function publishDenied (...subjects: string[]): string {
  return subjects.map((subject) => `-ERR 'Permissions Violation for Publish to ${quote(subject)}'\r\n`).join('')
}

function subscribeDenied (...subjects: string[]): string {
  return subjects.map((subject) => `-ERR 'Permissions Violation for Subscription to ${quote(subject)}'\r\n`).join('')
}

for (const { name, create } of versions) {
  const start = async (t: Test, nats: GatewayOptions = {}): Promise<Host & { hooks: HostHooks }> => {
    const host = await startHost(t, { create, nats })
    return { ...host, hooks: host.broker as unknown as HostHooks }
  }

  /** Sends a CONNECT whose fields may depend on the nonce. @returns what comes back, up to the end or the answer to PING */
  const answerTo = async (t: Test, port: number, options: object | ((nonce: string) => object)): Promise<string> => {
    const client = await connect(t, port, null)
    const nonce = String(client.info['nonce'] ?? '')
    client.send(`CONNECT ${JSON.stringify({ verbose: false, ...typeof options === 'function' ? options(nonce) : options })}\r\n`)
    return await client.fence().catch(() => client.end())
  }

  t.test(`${name}: authenticate is shown what is proven, and nothing else`, async (t) => {
    const { hooks, natsPort, natsUrl } = await start(t)
    const open = await connect(t, natsPort)
    t.strictSame([open.info['auth_required'], open.info['nonce']], [undefined, undefined], 'nothing is asked as long as the host asks for nothing')
    let seen: object = {}
    hooks.authenticate = (client, username, password, callback) => {
      const { user, pass, auth_token: token, nkey, jwt, sig } = (client as Facade).nats
      const shown = Object.entries({ username, password: password?.toString(), user, pass, token, nkey, jwt, sig })
      seen = Object.fromEntries(shown.filter(([, value]) => value !== undefined && value !== ''))
      callback(null, true)
    }
    const key = createUser()
    const nkey = key.getPublicKey()
    const other = createUser()
    const chain = await Chain.create()
    const sub = chain.user.getPublicKey()
    const jwt = await chain.encodeUser()
    const bearer = await chain.encodeUser({ bearer_token: true })
    const user = { type: 'user', version: 2 }
    const forged = forge({ sub, iss: chain.account.getPublicKey(), nats: user }, createAccount())
    const expired = forge({ sub, exp: second() - 10, nats: user }, chain.account)
    const [head, , tail] = jwt.split('.')
    const altered = `${head ?? ''}.${Buffer.from(JSON.stringify({ sub: nkey, iss: chain.account.getPublicKey(), nats: user })).toString('base64url')}.${tail ?? ''}`
    const password = { user: 'ann', pass: 'pw' }
    const shownPassword = { username: 'ann', password: 'pw', user: 'ann', pass: 'pw' }
    const rows: readonly (readonly [name: string, options: object | ((nonce: string) => object), shown: object])[] = [
      ['nothing', {}, {}],
      ['a user with a password', password, shownPassword],
      ['a user', { user: 'ann' }, { username: 'ann', user: 'ann' }],
      ['a token', { auth_token: 'T' }, { token: 'T' }],
      ['a user and a token', { ...password, auth_token: 'T' }, shownPassword],
      ['a key', (nonce) => ({ nkey, sig: sign(key, nonce) }), { username: nkey, nkey }],
      ['a key and a password', (nonce) => ({ nkey, sig: sign(key, nonce), ...password, auth_token: 'T' }), { username: nkey, nkey }],
      ['a key without signature', { nkey, ...password }, shownPassword],
      ['a key that signed another nonce', { nkey, sig: sign(key, 'another'), auth_token: 'T' }, { token: 'T' }],
      ['a key that another one signed for', (nonce) => ({ nkey, sig: sign(other, nonce) }), {}],
      ['a key as user, signed for by another', (nonce) => ({ nkey, user: 'ann', sig: sign(other, nonce) }), { username: 'ann', user: 'ann' }],
      ['a JWT', (nonce) => ({ jwt, sig: sign(chain.user, nonce) }), { username: sub, jwt }],
      ['a JWT and a password', (nonce) => ({ jwt, sig: sign(chain.user, nonce), ...password }), { username: sub, jwt }],
      ['a JWT and the key of another', (nonce) => ({ jwt, nkey, sig: sign(chain.user, nonce) }), { username: sub, jwt }],
      ['a key and the JWT of another', (nonce) => ({ jwt, nkey, sig: sign(key, nonce) }), { username: nkey, nkey }],
      ['a JWT without signature', { jwt, ...password }, shownPassword],
      ['a bearer token, which nobody has signed', { jwt: bearer }, {}],
      ['a JWT that its issuer has not signed', (nonce) => ({ jwt: forged, sig: sign(chain.user, nonce) }), {}],
      ['a JWT that was altered', (nonce) => ({ jwt: altered, sig: sign(key, nonce) }), {}],
      ['a JWT that has expired', (nonce) => ({ jwt: expired, sig: sign(chain.user, nonce) }), {}]
    ]
    for (const [name, options, shown] of rows) {
      t.equal(await answerTo(t, natsPort, options), '', name)
      t.strictSame(seen, shown, name)
    }
    const library = await connectNats({ servers: natsUrl, authenticator: nkeyAuthenticator(key.getSeed()) })
    t.teardown(() => library.close())
    t.strictSame(seen, { username: nkey, nkey }, 'the official client signs')
    t.match(library.info, { auth_required: true, nonce: /^.{11,}$/ })
  })

  t.test(`${name}: a public key is no user name, unless it is proven or configured`, async (t) => {
    const asked: unknown[] = []
    const watch = (hooks: HostHooks): void => {
      hooks.preConnect = (_client, packet, callback) => {
        asked.push(packet.username)
        callback(null, true)
      }
      hooks.authenticate = (_client, username, _password, callback) => {
        asked.push(username)
        callback(null, true)
      }
    }
    const { hooks, natsPort } = await start(t)
    const key = createUser()
    const other = createUser()
    const nkey = key.getPublicKey()
    t.equal(await answerTo(t, natsPort, { user: nkey }), '', 'as nats-server, where no hook asks who it is')
    watch(hooks)
    const thefts: readonly (readonly [string, object | ((nonce: string) => object)])[] = [
      ['alone', { user: nkey }],
      ['with a password', { user: nkey, pass: 'pw', auth_token: 'T' }],
      ['beside the key, without signature', { user: nkey, nkey }],
      ['beside the key, signed by another', (nonce) => ({ user: nkey, nkey, sig: sign(other, nonce) })]
    ]
    for (const [how, options] of thefts) {
      t.equal(await answerTo(t, natsPort, options), violation, how)
      t.strictSame(asked.splice(0), [], `${how}: no hook is asked`)
    }
    t.equal(await answerTo(t, natsPort, (nonce) => ({ user: nkey, nkey: other.getPublicKey(), sig: sign(other, nonce) })), '')
    t.strictSame(asked.splice(0), [other.getPublicKey(), other.getPublicKey()], 'a proven key counts, the name does not')
    const near = [`${nkey.slice(0, -1)}${nkey.endsWith('A') ? 'B' : 'A'}`, nkey.toLowerCase(), createAccount().getPublicKey()]
    for (const user of near) {
      t.equal(await answerTo(t, natsPort, { user }), '')
      t.strictSame(asked.splice(0), [user, user], 'what is the key of no user is a name like any other')
    }
    const again = await connect(t, natsPort, { user: 'ann' })
    asked.length = 0
    again.send(`CONNECT {"verbose":false,"user":"${nkey}"}\r\n`)
    t.equal(await again.end(), violation, 'nor does a client become one')
    t.strictSame(asked, [])
    const configured = await start(t, { authorization: { users: [{ user: nkey, pass: 'pw' }] } })
    watch(configured.hooks)
    t.equal(await answerTo(t, configured.natsPort, { user: nkey, pass: 'pw' }), '')
    t.strictSame(asked.splice(0), [nkey, nkey])
  })

  t.test(`${name}: authenticate comes after the option authorization, and either refuses`, async (t) => {
    const key = createUser()
    const asked: unknown[] = []
    for (const [authorization, rows] of [
      [{ users: [{ user: 'ann', pass: 'pw' }, { user: 'bob', pass: 'pw' }, { nkey: key.getPublicKey() }] }, [
        [{ user: 'ann', pass: 'pw' }, true, 'ann'],
        [{ user: 'ann', pass: 'pw', nkey: 'x' }, false, null],
        [{ user: 'bob', pass: 'pw' }, false, 'bob'],
        [{ user: 'ann', pass: 'x' }, false, null],
        [(nonce: string) => ({ nkey: key.getPublicKey(), sig: sign(key, nonce), user: 'ann' }), true, key.getPublicKey()],
        [{ nkey: key.getPublicKey(), user: 'ann', pass: 'pw' }, false, null]
      ]],
      [{ token: 'T' }, [[{ auth_token: 'T', user: 'ann' }, true, undefined], [{ auth_token: 'x', user: 'ann', pass: 'pw' }, false, null]]],
      [{ users: [{ user: 'guest' }], noAuthUser: 'guest' }, [[{}, true, 'guest'], [{ auth_token: 'x' }, false, null]]]
    ] as const) {
      const { hooks, natsPort } = await start(t, { authorization })
      hooks.authenticate = (_client, username, _password, callback) => {
        asked.push(username)
        callback(null, username !== 'bob')
      }
      for (const [options, isIn, username] of rows) {
        t.equal(await answerTo(t, natsPort, options), isIn ? '' : violation)
        t.strictSame(asked.splice(0), username === null ? [] : [username])
      }
    }
  })

  t.test(`${name}: whatever the hook says, a client is told what nats-server tells it`, async (t) => {
    const { hooks, natsPort } = await start(t)
    for (const returnCode of [1, 2, 3, 4, 5, 0x87]) {
      hooks.authenticate = (_client, _username, _password, callback) => { callback(Object.assign(new Error('pw of ann is s3cret'), { returnCode }), null) }
      t.equal(await answerTo(t, natsPort, { user: 'ann', pass: 's3cret' }), violation)
    }
  })

  t.test(`${name}: permissions and hooks each deny`, async (t) => {
    const permissions = { publish: ['both.>', 'permitted.>'], subscribe: { allow: ['both.>', 'permitted.>', 'wide.>'], deny: ['wide.denied'] } }
    const { hooks, natsPort, mqttUrl } = await start(t, { authorization: { users: [{ user: 'ann', pass: 'pw', permissions }, { user: 'all', pass: 'pw' }] } })
    const asked: string[] = []
    const allows = (topic: string): boolean => /^(both|hooked|wide)\//.test(topic)
    hooks.authorizePublish = (client, packet, callback) => {
      const isAnn = (client as Facade | null)?.username === 'ann'
      if (isAnn) asked.push(packet.topic)
      callback(!isAnn || allows(packet.topic) ? null : new Error('no'))
    }
    hooks.authorizeSubscribe = (client, subscription, callback) => {
      const isAnn = (client as Facade).username === 'ann'
      if (isAnn) asked.push(subscription.topic)
      callback(null, !isAnn || allows(subscription.topic) ? subscription : null)
    }
    hooks.authorizeForward = (client, packet) => (client as Facade).username === 'ann' && packet.topic === 'wide/vetoed' ? null : packet
    const ann = await connect(t, natsPort, { user: 'ann', pass: 'pw' })
    const all = await connect(t, natsPort, { user: 'all', pass: 'pw' })
    all.send('SUB > 1\r\n')
    await all.fence()
    const first = ['both.x', 'hooked.x', 'permitted.x', 'other.x']
    ann.send(first.map((subject) => `PUB ${subject} 0\r\n\r\n`).join(''))
    t.equal(await ann.fence(), publishDenied('hooked.x', 'permitted.x', 'other.x'))
    t.equal(await all.fence(), 'MSG both.x 1 0\r\n\r\n')
    t.strictSame(asked.splice(0), ['both/x', 'permitted/x'], 'the host is not asked about what is denied already')
    ann.send([...first, 'wide.>'].map((subject, i) => `SUB ${subject} ${i}\r\n`).join(''))
    t.equal(await ann.fence(), subscribeDenied('hooked.x', 'permitted.x', 'other.x'))
    t.strictSame(asked.splice(0), ['both/x', 'permitted/x', 'wide/#'])
    const device = await connectMqtt(t, mqttUrl)
    for (const level of ['denied', 'vetoed', 'free']) {
      all.send(`PUB wide.${level} 0\r\n\r\n`)
      await device.publish(`wide/${level}`, 'd', { qos: 0 })
    }
    await all.fence()
    await device.publish('wide/last', '', { qos: 0 })
    t.equal((await ann.expect(/[^]*MSG wide\.last 4 0\r\n\r\n/)).match(/wide\.\w+/g)?.sort().join(), 'wide.free,wide.free,wide.last')
  })

  t.test(`${name}: a subscription that the host made another one is filtered as that one`, async (t) => {
    const permissions = { publish: 'mine.>', subscribe: { allow: 'mine.>', deny: ['tenant.secret', 'mine.secret'] } }
    const { hooks, natsPort } = await start(t, { authorization: { users: [{ user: 'ann', pass: 'pw', permissions }, { user: 'all', pass: 'pw' }] } })
    hooks.authorizeSubscribe = (_client, subscription, callback) => { callback(null, { ...subscription, topic: subscription.topic.replace('mine/', 'tenant/') }) }
    hooks.authorizePublish = (_client, packet, callback) => {
      packet.topic = packet.topic.replace('mine/', 'tenant/')
      packet.payload = Buffer.concat([Buffer.from(packet.payload), Buffer.from('!')])
      callback(null)
    }
    const ann = await connect(t, natsPort, { user: 'ann', pass: 'pw' })
    const all = await connect(t, natsPort, { user: 'all', pass: 'pw' })
    ann.send('SUB mine.> 1\r\nSUB tenant.> 2\r\n')
    t.equal(await ann.fence(), subscribeDenied('tenant.>'))
    all.send('PUB tenant.a 1\r\n1\r\nPUB tenant.secret 1\r\n2\r\nPUB mine.b 1\r\n3\r\nPUB mine.secret 1\r\n4\r\n')
    await all.fence()
    t.equal(await ann.fence(), 'MSG tenant.a 1 2\r\n1!\r\nMSG tenant.b 1 2\r\n3!\r\n')
    all.send('SUB tenant.> 1\r\n')
    await all.fence()
    ann.send('PUB mine.c 1\r\n5\r\nPUB tenant.c 1\r\n6\r\n')
    t.match(await ann.fence(), /^(?=[^]*MSG tenant\.c 1 2\r\n5!\r\n)[^]*Publish to "tenant\.c"/)
    t.equal(await all.fence(), 'MSG tenant.c 1 2\r\n5!\r\n')
  })

  t.test(`${name}: a subject that MQTT cannot name is no way round a policy that denies by default`, async (t) => {
    const { hooks, natsPort } = await start(t)
    const isOpen = (topic: string): boolean => topic.startsWith('open/') || topic === '$NATS/open%2Fx'
    hooks.authorizePublish = (_client, { topic }, callback) => { callback(isOpen(topic) ? null : new Error('no')) }
    hooks.authorizeSubscribe = (_client, subscription, callback) => { callback(null, isOpen(subscription.topic) ? subscription : null) }
    const client = await connect(t, natsPort)
    const long = `open.${'x.'.repeat(1000)}x`
    const denied = ['a/b', 'open/y', 'open.a+b', 'open.#', 'open.+', '/', 'open/', 'open/x.y', '//open.x', 'a', '$NATS.open', '$NATS.open%2Fx.y', 'open.\xff', 'OPEN.x', long]
    for (const subject of denied) {
      client.send(`PUB ${subject} 0\r\n\r\n`)
      t.equal(await client.fence(), publishDenied(subject), `PUB ${subject.slice(0, 20)}`)
      client.send(`SUB ${subject} 1\r\nSUB ${subject}.> 2\r\n`)
      t.equal(await client.fence(), subscribeDenied(subject, `${subject}.>`), `SUB ${subject.slice(0, 20)}`)
    }
    for (const filter of ['>', '*', '*.>', '*.x', 'open', '*.a+b', 'ope*', 'open/*']) {
      client.send(`SUB ${filter} 1\r\n`)
      t.equal(await client.fence(), subscribeDenied(filter), `SUB ${filter}`)
    }
    client.send('SUB open/x 1\r\nSUB open.* 2\r\nPUB open/x 0\r\n\r\nPUB open.x 0\r\n\r\n')
    t.equal(await client.fence(), 'MSG open/x 1 0\r\n\r\nMSG open.x 2 0\r\n\r\n', 'a rule can allow it')
  })

  t.test(`${name}: a mountpoint and a client id are of whom a client has proven to be`, async (t) => {
    const key = createUser()
    const users = [{ user: 'ann', pass: 'pw' }, { user: 'guest' }, { nkey: key.getPublicKey() }]
    const rows: readonly (readonly [name: string, nats: GatewayOptions, options: object | ((nonce: string) => object), user: string | null])[] = [
      ['a password', { authorization: { users } }, { user: 'ann', pass: 'pw', name: 'bob' }, 'ann'],
      ['a key, and the name of another', { authorization: { users } }, (nonce) => ({ user: 'ann', nkey: key.getPublicKey(), sig: sign(key, nonce) }), key.getPublicKey()],
      ['nothing', { authorization: { users, noAuthUser: 'guest' } }, {}, 'guest'],
      ['a token, and a name', { authorization: { token: 'T' } }, { auth_token: 'T', user: 'ann' }, null],
      ['a key that is not proven', {}, { nkey: key.getPublicKey(), sig: sign(key, 'x') }, null],
      ['a bearer token', {}, { jwt: await (await Chain.create()).encodeUser({ bearer_token: true }) }, null]
    ]
    for (const [name, nats, options, user] of rows) {
      const { hooks, broker, natsPort, mqttUrl } = await start(t, { ...nats, mountpoint: 'of/${username}/', clientId: '${username}' })
      hooks.authenticate = (_client, _username, _password, callback) => { callback(null, true) }
      const device = await connectMqtt(t, mqttUrl)
      await device.subscribe('of/#')
      const client = await connect(t, natsPort, null)
      client.send(`CONNECT ${JSON.stringify({ verbose: false, ...typeof options === 'function' ? options(String(client.info['nonce'])) : options })}\r\n`)
      if (user === null) {
        t.equal(await client.fence().catch(() => client.end()), violation, name)
        continue
      }
      client.send('PUB x 0\r\n\r\n')
      t.equal((await device.take())[0]?.topic, `of/${user}/x`, name)
      t.ok(Object.hasOwn((broker as unknown as { clients: object }).clients, `nats:${user}`), name)
    }
  })

  t.test(`${name}: names of Object.prototype are names like any other`, async (t) => {
    for (const word of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const permissions = { publish: [word, `${word}.>`], subscribe: [`${word} ${word}`, `${word}.>`] }
      const authorization = { accounts: [{ name: word, users: [{ user: word, pass: word, permissions }] }] }
      const { natsPort, broker } = await start(t, { authorization, clientId: '${username}', retained: true })
      t.equal(await answerTo(t, natsPort, { user: 'valueOf', pass: 'valueOf' }), violation)
      const client = await connect(t, natsPort, { user: word, pass: word, name: word })
      client.send(`SUB ${word} ${word} ${word}\r\nSUB ${word} other\r\nSUB ${word}.> ${word}.2\r\nPUB valueOf 0\r\n\r\n`)
      t.equal(await client.fence(), subscribeDenied(word) + publishDenied('valueOf'))
      client.send(`PUB ${word} 0\r\n\r\nPUB ${word}.${word} ${word} 0\r\n\r\n`)
      t.equal(await client.fence(), `MSG ${word} ${word} 0\r\n\r\nMSG ${word}.${word} ${word}.2 ${word} 0\r\n\r\n`)
      client.send(`UNSUB ${word}\r\nSUB ${word} ${word} ${word}\r\nUNSUB ${word} 1\r\nPUB ${word} 0\r\n\r\nPUB ${word} 0\r\n\r\n`)
      t.equal(await client.fence(), `MSG ${word} ${word} 0\r\n\r\n`)
      const { clients } = broker as unknown as { clients: Record<string, unknown> }
      t.ok(Object.hasOwn(clients, `nats:${word}`))
      const next = await connect(t, natsPort, { user: word, pass: word })
      t.equal(await client.end(), "-ERR 'Session Taken Over'\r\n")
      t.equal(await next.fence(), '')
      t.equal(broker.connectedClients, 1)
    }
  })
}
