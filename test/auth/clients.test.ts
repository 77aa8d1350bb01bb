import { encodeUser, fmtCreds } from '@nats-io/jwt'
import { createAccount, createUser, type KeyPair } from '@nats-io/nkeys'
import { type ConnectionOptions, connect, credsAuthenticator, jwtAuthenticator, type Msg, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node'
import bcrypt from 'bcryptjs'
import * as older from 'nats'
import t, { type Test } from 'tap'
import { freePort } from '../helper/processes.ts'
import { connect as connectRaw } from '../helper/raw.ts'
import { dialNats } from '../secure/web-client.ts'
import { Chain, second } from './jwts.ts'
import { servers } from './servers.ts'

// Official clients with every kind of credentials, at the gateway and at nats-server, with the same configuration.

interface Library {
  readonly name: string
  readonly connect: (options: ConnectionOptions) => Promise<NatsConnection>
  readonly withKey: (key: KeyPair) => ConnectionOptions
  readonly withJwt: (jwt: string) => ConnectionOptions
  readonly withCreds: (jwt: string, key: KeyPair) => ConnectionOptions
  /** What it makes of errors, by their text on the wire. */
  readonly errors: Readonly<Record<'violation' | 'expired', string>>
}

const libraries: readonly Library[] = [
  {
    name: 'nats.js',
    connect,
    withKey: (key) => ({ authenticator: nkeyAuthenticator(key.getSeed()) }),
    withJwt: (jwt) => ({ authenticator: jwtAuthenticator(jwt) }),
    withCreds: (jwt, key) => ({ authenticator: credsAuthenticator(fmtCreds(jwt, key)) }),
    errors: { violation: 'AuthorizationError: Authorization Violation', expired: 'UserAuthenticationExpiredError: User Authentication Expired' }
  },
  {
    name: 'the older nats.js',
    connect: older.connect as unknown as typeof connect,
    withKey: (key) => ({ authenticator: older.nkeyAuthenticator(key.getSeed()) as never }),
    withJwt: (jwt) => ({ authenticator: older.jwtAuthenticator(jwt) as never }),
    withCreds: (jwt, key) => ({ authenticator: older.credsAuthenticator(fmtCreds(jwt, key)) as never }),
    errors: { violation: 'NatsError: Authorization Violation', expired: 'NatsError: User Authentication Expired' }
  }
]

async function open (t: Test, { connect }: Library, port: number, options: ConnectionOptions): Promise<NatsConnection> {
  const nats = await connect({ servers: `127.0.0.1:${port}`, reconnect: false, ...options })
  t.teardown(() => nats.close())
  return nats
}

/** Without the quotes of the `-ERR` line, which the older library leaves there. */
function textOf (error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.replaceAll("'", '')}` : String(error)
}

/** `in` for whoever gets in, else the error of the library. */
async function answerTo (t: Test, library: Library, port: number, options: ConnectionOptions): Promise<string> {
  try {
    await (await open(t, library, port, options)).close()
    return 'in'
  } catch (error) {
    return textOf(error)
  }
}

/** Who a client is, of users who may each subscribe to the subject of their own name alone. */
async function userOf (nats: NatsConnection, names: readonly string[]): Promise<string> {
  const refused: string[] = []
  for (const name of names) nats.subscribe(name, { callback: (error) => { if (error !== null) refused.push(name) } })
  await nats.flush()
  return names.filter((name) => !refused.includes(name)).join()
}

/** The subjects of the publishes that a client is told were denied. */
async function deniedPublishes (nats: NatsConnection, count: number): Promise<string[]> {
  const subjects: string[] = []
  for await (const status of nats.status()) {
    const { error, permissionContext } = status as { error?: object, permissionContext?: object }
    const { operation, subject } = (permissionContext ?? error ?? {}) as { operation?: string, subject?: string }
    if (operation === 'publish') subjects.push(String(subject))
    if (subjects.length === count) break
  }
  return subjects
}

function operatorConfig ({ operatorJwt, account, accountJwt }: Chain): string {
  return `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`
}

const hashedToken = bcrypt.hashSync('T', 4)

for (const { name, start } of servers) {
  for (const library of libraries) {
    const { violation } = library.errors
    const title = `${library.name} at ${name}`

    t.test(`${title}: users, passwords and tokens`, async (t) => {
      const user = (user: string, pass: string): ConnectionOptions => ({ user, pass })
      const rows: readonly (readonly [name: string, config: string, right: readonly ConnectionOptions[], wrong: readonly ConnectionOptions[]])[] = [
        ['a single user', 'user: ann, password: pw', [user('ann', 'pw')], [user('ann', 'x'), user('bob', 'pw'), user('ann', ''), user('__proto__', 'pw'), { token: 'pw' }, {}]],
        ['a token', 'token: T', [{ token: 'T' }], [{ token: 't' }, user('T', 'T'), user('T', ''), {}]],
        ['a token as bcrypt', `token: "${hashedToken}"`, [{ token: 'T' }], [{ token: 't' }, { token: hashedToken }, {}]],
        ['users', `users [ {user: ann, password: "${bcrypt.hashSync('pw', 4)}"}, {user: constructor, password: pw}, {user: __proto__, password: pw} ]`,
          [user('ann', 'pw'), user('constructor', 'pw'), user('__proto__', 'pw')], [user('ann', 'x'), user('toString', 'pw'), user('constructor', ''), user('hasOwnProperty', ''), {}]]
      ]
      for (const [name, config, right, wrong] of rows) {
        const port = await start(t, `authorization { ${config} }`)
        for (const [i, options] of right.entries()) t.equal(await answerTo(t, library, port, options), 'in', `${name}, right ${i}`)
        for (const [i, options] of wrong.entries()) t.equal(await answerTo(t, library, port, options), violation, `${name}, wrong ${i}`)
      }
    })

    t.test(`${title}: several methods at once, in their order`, async (t) => {
      const key = createUser()
      const names = ['ann', 'guest', 'key']
      const only = (name: string): string => `permissions: {subscribe: [${name}, "_INBOX.>"]}`
      const users = `authorization { users [ {user: ann, password: pw, ${only('ann')}}, {user: guest, password: pw, ${only('guest')}}, {nkey: ${key.getPublicKey()}, ${only('key')}} ] }`
      const who = async (port: number, options: ConnectionOptions): Promise<string> => await userOf(await open(t, library, port, options), names)
      const rows: readonly (readonly [config: string, nobody: string | null])[] = [[users, null], [`${users}\nno_auth_user: guest`, 'guest'], [`${users}\nno_auth_user: ${key.getPublicKey()}`, 'key']]
      // nats-server 2.9 takes no key there, later ones do.
      for (const [config, nobody] of name === 'nats-server' ? rows.slice(0, 2) : rows) {
        const port = await start(t, config)
        t.equal(await who(port, { user: 'ann', pass: 'pw' }), 'ann')
        t.equal(await who(port, library.withKey(key)), 'key')
        t.equal(await who(port, { ...library.withKey(key), user: 'ann', pass: 'pw' }), 'key', 'a key counts more than a password')
        t.equal(nobody === null ? await answerTo(t, library, port, {}) : await who(port, {}), nobody ?? violation, 'no credentials')
        t.equal(await answerTo(t, library, port, { user: 'ann', pass: 'x' }), violation, 'a wrong password')
        t.equal(await answerTo(t, library, port, { token: 'pw' }), violation, 'a token')
        t.equal(await answerTo(t, library, port, library.withKey(createUser())), violation, 'an unknown key')
      }
    })

    t.test(`${title}: JWTs of users`, async (t) => {
      const signing = createAccount()
      const revoked = createUser()
      const chain = await Chain.create({ signing_keys: [signing.getPublicKey()], revocations: { [revoked.getPublicKey()]: second() + 100 } })
      const port = await start(t, operatorConfig(chain))
      const other = await Chain.create()
      const jwt = await chain.encodeUser()
      const bearer = await chain.encodeUser({ bearer_token: true })
      for (const [name, options] of [
        ['of the account', library.withCreds(jwt, chain.user)],
        ['of a signing key', library.withCreds(await chain.encodeSigned(signing), chain.user)],
        ['a bearer token', library.withJwt(bearer)]
      ] as const) t.equal(await answerTo(t, library, port, options), 'in', name)
      for (const [name, options] of [
        ['of another account', library.withCreds(await other.encodeUser(), other.user)],
        ['of an unknown signing key', library.withCreds(await chain.encodeSigned(createAccount()), chain.user)],
        ['without a signature', library.withJwt(jwt)],
        ['with the key of somebody else', library.withCreds(jwt, other.user)],
        ['expired', library.withCreds(await chain.encodeUser({}, { exp: second() - 10 }), chain.user)],
        ['not yet valid', library.withCreds(await chain.encodeUser({}, { nbf: second() + 1000 }), chain.user)],
        ['revoked', library.withCreds(await encodeUser('R', revoked, chain.account), revoked)],
        ['a key alone', library.withKey(chain.user)],
        ['a password', { user: 'ann', pass: 'pw' }],
        ['nothing', {}]
      ] as const) t.equal(await answerTo(t, library, port, options), violation, name)

      const permitted = await open(t, library, port, library.withCreds(await chain.encodeUser({ sub: { allow: ['ann', '_INBOX.>'] } }), chain.user))
      t.equal(await userOf(permitted, ['ann', 'guest']), 'ann', 'permissions of the JWT')
    })

    t.test(`${title}: what is denied`, async (t) => {
      const port = await start(t, `authorization { users [
        {user: ann, password: pw, permissions: {publish: "ann.>", subscribe: {allow: ["ann.>", "jobs.* workers.*", "_INBOX.>"], deny: ["ann.secret", "ann.x.secret"]}}}
        {user: all, password: pw}
      ] }`)
      const ann = await open(t, library, port, { user: 'ann', pass: 'pw' })
      const all = await open(t, library, port, { user: 'all', pass: 'pw' })
      const seen: string[] = []
      const subscribe = (subject: string, queue?: string): void => {
        ann.subscribe(subject, {
          ...queue === undefined ? {} : { queue },
          callback: (error: Error | null, message: Msg) => {
            seen.push(error === null ? `${subject} got ${message.subject}` : `${subject} ${queue ?? ''}: ${error.message.replaceAll("'", '')}`)
          }
        })
      }
      for (const [subject, queue] of [['ann.>'], ['ann.*'], ['ann.secret'], ['other'], ['jobs.a'], ['jobs.b', 'workers.1'], ['jobs.c', 'idle'], ['>']] as const) subscribe(subject, queue)
      await ann.flush()
      t.strictSame(seen.splice(0).sort(), [
        '> : Permissions Violation for Subscription to ">"',
        'ann.secret : Permissions Violation for Subscription to "ann.secret"',
        'jobs.a : Permissions Violation for Subscription to "jobs.a"',
        'jobs.c idle: Permissions Violation for Subscription to "jobs.c" using queue "idle"',
        'other : Permissions Violation for Subscription to "other"'
      ])
      for (const subject of ['ann.a', 'ann.secret', 'ann.x.secret', 'ann.x.open', 'jobs.a', 'jobs.b', 'other']) all.publish(subject)
      await all.flush()
      await ann.flush()
      t.strictSame(seen.splice(0).sort(), ['ann.* got ann.a', 'ann.> got ann.a', 'ann.> got ann.x.open', 'jobs.b got jobs.b'])

      all.subscribe('>', { callback: (_error, { subject }) => { seen.push(subject) } })
      await all.flush()
      const denied = deniedPublishes(ann, 3)
      for (const subject of ['ann.b', 'other', '__proto__', 'ann']) ann.publish(subject)
      await ann.flush()
      await all.flush()
      t.strictSame(seen.splice(0).sort(), ['ann.* got ann.b', 'ann.> got ann.b', 'ann.b'])
      t.strictSame(await denied, ['other', '__proto__', 'ann'])
    })

    t.test(`${title}: answers`, async (t) => {
      const port = await start(t, `authorization { users [
        {user: service, password: pw, permissions: {subscribe: "service.>", allow_responses: {max: 2, expires: "1m"}}}
        {user: once, password: pw, permissions: {subscribe: "once.>", publish: {deny: "_INBOX.>"}, allow_responses: true}}
        {user: all, password: pw}
      ] }`)
      const all = await open(t, library, port, { user: 'all', pass: 'pw' })
      for (const [user, count] of [['service', 2], ['once', 1]] as const) {
        const service = await open(t, library, port, { user, pass: 'pw' })
        let reply = ''
        service.subscribe(`${user}.>`, {
          callback: (_error, message) => {
            reply = message.reply ?? ''
            for (const text of ['1', '2', '3']) message.respond(text)
          }
        })
        await service.flush()
        const answers: string[] = []
        const inbox = all.subscribe(`answers.${user}`, { callback: (_error, message) => { answers.push(message.string()) } })
        all.publish(`${user}.x`, 'request', { reply: `answers.${user}` })
        await all.flush()
        await service.flush()
        await all.flush()
        t.strictSame(answers, ['1', '2', '3'].slice(0, count), `${user} may answer ${count} times`)
        service.publish(reply, 'late')
        service.publish('answers.other')
        await service.flush()
        await all.flush()
        t.equal(answers.length, count)
        inbox.unsubscribe()
        t.equal((await all.request(`${user}.y`)).string(), '1')
      }
    })
  }

  t.test(`a member of a queue group that may not have a message leaves it to another, at ${name}`, async (t) => {
    const port = await start(t, `authorization { users [
      {user: ann, password: pw, permissions: {subscribe: {allow: "q.>", deny: "q.secret"}}}
      {user: all, password: pw}
    ] }`)
    const ann = await connectRaw(t, port, { user: 'ann', pass: 'pw' })
    const all = await connectRaw(t, port, { user: 'all', pass: 'pw' })
    ann.send('SUB q.* workers 1\r\n')
    await ann.fence()
    all.send(`SUB q.* workers 2\r\n${'PUB q.secret 0\r\n\r\n'.repeat(30)}`)
    t.equal(await all.fence(), 'MSG q.secret 2 0\r\n\r\n'.repeat(30))
    all.send('PUB q.open 0\r\n\r\n'.repeat(60))
    const count = (text: string): number => text.split('MSG q.open').length - 1
    const shares = [count(await all.fence()), count(await ann.fence())] as const
    t.equal(shares[0] + shares[1], 60)
    t.ok(shares[1] > 5, `${shares.join(' and ')} of 60`)
  })

  t.test(`a client that does not say who it is in time, at ${name}`, async (t) => {
    for (const config of ['authorization { user: a, password: b, timeout: 0.1 }', 'authorization { token: T, timeout: 0.1 }']) {
      const client = await connectRaw(t, await start(t, config), null)
      t.equal(client.info['auth_required'], true)
      t.equal(await client.end(), "-ERR 'Authentication Timeout'\r\n")
    }
  })

  t.test(`WebSocket clients have a time of their own to say who they are, at ${name}`, async (t) => {
    for (const authorization of ['timeout: 0.1', 'token: W, timeout: 0.1']) {
      const port = await freePort()
      await start(t, `authorization { token: T, timeout: 600 }\nwebsocket { listen: "127.0.0.1:${port}", no_tls: true, authorization { ${authorization} } }`)
      const silent = await dialNats(t, `ws://127.0.0.1:${port}`)
      t.equal(silent.info['auth_required'], true)
      t.equal(await silent.end(), "-ERR 'Authentication Timeout'\r\n")
      const client = await dialNats(t, `ws://127.0.0.1:${port}`)
      client.send(`CONNECT {"verbose":false,"auth_token":"${authorization.startsWith('token') ? 'W' : 'T'}"}\r\n`)
      t.equal(await client.fence(), '')
    }
  })

  t.test(`operations in front of CONNECT, at ${name}`, async (t) => {
    const port = await start(t, 'authorization { user: a, password: b }')
    for (const operation of ['SUB a 1\r\n', 'PUB a 0\r\n\r\n', 'PING\r\n', 'UNSUB 1\r\n', 'CONNECT {}\r\n', 'CONNECT {"user":"a"}\r\n', 'CONNECT {"user":"a","pass":["b"]}\r\n']) {
      const client = await connectRaw(t, port, null)
      client.send(operation)
      t.match(await client.end(), operation.includes('[') ? /^(-ERR 'Authorization Violation'\r\n)?$/ : /^-ERR 'Authorization Violation'\r\n$/, operation)
    }
  })
}

t.test('a connection ends with the JWT of its user', async (t) => {
  const chain = await Chain.create()
  const config = operatorConfig(chain)
  const ports = await Promise.all(servers.map(({ start }) => start(t, config)))
  const jwt = await chain.encodeUser({}, { exp: second() + 2 })
  await Promise.all(ports.flatMap((port, i) => libraries.map(async (library) => {
    const nats = await open(t, library, port, library.withCreds(jwt, chain.user))
    t.equal(textOf(await nats.closed()), library.errors.expired, `${library.name} at ${servers[i]?.name ?? ''}`)
  })))
})
