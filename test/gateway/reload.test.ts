import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Algorithms, encodeUser } from '@nats-io/jwt'
import { createUser } from '@nats-io/nkeys'
import { hashSync } from 'bcryptjs'
import t from 'tap'
import type { HostHooks } from '../../lib/broker/host.ts'
import type { AuthorizationOption } from '../../lib/options/authorization.ts'
import { Chain, second } from '../auth/jwts.ts'
import { startHost } from '../helper/brokers.ts'
import { Process, scratch } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startServer } from '../helper/server.ts'
import { startHere } from '../helper/standalone.ts'

// Users and permissions that change under connections that stay: by SIGHUP as nats-server does it, and by `gateway.update`.

type Tap = Parameters<typeof scratch>[0]

interface Reloadable {
  readonly port: number
  /** Puts another configuration into effect. @returns what the server logs */
  reload (config: string): Promise<string>
}

function reloadable (file: string, process: Process, port: number): Reloadable {
  return {
    port,
    reload: async (config) => {
      writeFileSync(file, config)
      process.output = ''
      process.child.kill('SIGHUP')
      await process.until(/Reloaded server configuration|Failed to reload server configuration: [^\n]*\n/)
      return process.output
    }
  }
}

type Start = (t: Tap, config: string) => Promise<Reloadable>

async function startTheirs (t: Tap, config: string): Promise<Reloadable> {
  const file = path.join(scratch(t), 'theirs.conf')
  writeFileSync(file, config)
  const server = new Process(t, 'nats-server', ['-a', '127.0.0.1', '-p', '-1', '-c', file])
  const [, port] = await server.until(/Listening for client connections on 127\.0\.0\.1:(\d+)[^]*Server is ready/)
  return reloadable(file, server, Number(port))
}

const processes: Readonly<Record<string, Start>> = {
  'aedes-nats': async (t, config) => {
    const file = path.join(scratch(t), 'ours.conf')
    writeFileSync(file, config)
    const { process, natsPort } = await startServer(t, ['-c', file])
    return reloadable(file, process, natsPort)
  },
  'nats-server': startTheirs
}

const servers: Readonly<Record<string, Start>> = {
  'aedes-nats': async (t, config) => {
    const { natsPort, reload } = await startHere(t, config)
    return {
      port: natsPort,
      reload: async (next) => {
        reload(next)
        return ''
      }
    }
  },
  'nats-server': startTheirs
}

function users (...list: string[]): string {
  return `authorization { users [ ${list.join(', ')} ] }`
}

const stays = '{user: stays, password: p}'
const violation = "-ERR 'Authorization Violation'\r\n"

/** What a server says at the end; on a slow day it asks for a PONG before. */
async function lastWords (client: RawClient): Promise<string> {
  return (await client.end()).replaceAll('PING\r\n', '')
}

function lines (text: string): string[] {
  return text.split('\r\n').filter((line) => line !== '').sort()
}

for (const [name, start] of Object.entries(processes)) {
  t.test(`${name}: SIGHUP closes users that are gone or have another password, and loses nothing of the others`, async (t) => {
    const server = await start(t, users(stays, '{user: goes, password: p}', '{user: renews, password: p}'))
    const [reader, writer, goes, renews] = await Promise.all(['stays', 'stays', 'goes', 'renews'].map((user) => connect(t, server.port, { user, pass: 'p' })))
    if (!reader || !writer || !goes || !renews) throw new Error('not connected')
    reader.send('SUB a.> 1\r\n')
    await reader.fence()
    const publish = (from: number): void => { for (let i = from; i < from + 50; i++) writer.send(`PUB a.b ${String(i).length}\r\n${i}\r\n`) }
    publish(0)
    const reloaded = server.reload(users(stays, '{user: renews, password: q}'))
    publish(50)
    t.match(await reloaded, /Reloaded server configuration/)
    publish(100)
    t.equal(await lastWords(goes), '', 'who is no user any more is closed without a word')
    t.equal(await lastWords(renews), violation)
    t.equal(await writer.fence(), '')
    const got = (await reader.fence()).split('\r\n').filter((line) => /^\d+$/.test(line)).map(Number)
    t.strictSame(got, Array.from({ length: 150 }, (_, i) => i))

    for (const [user, pass] of [['goes', 'p'], ['renews', 'p']]) {
      const refused = await connect(t, server.port, null)
      refused.send(`CONNECT {"user":"${user}","pass":"${pass}"}\r\n`)
      t.equal(await lastWords(refused), violation)
    }
    await connect(t, server.port, { user: 'renews', pass: 'q' })
  })

  t.test(`${name}: SIGHUP with a wrong file leaves everything as it was, and says why`, async (t) => {
    const server = await start(t, users(stays, '{user: goes, password: p}'))
    const [stayed, goes] = [await connect(t, server.port, { user: 'stays', pass: 'p' }), await connect(t, server.port, { user: 'goes', pass: 'p' })]
    for (const wrong of [users(stays, '{user: stays, password: q}'), `${users(stays)}\nno_auth_user: nobody`, 'authorization {']) {
      t.match(await server.reload(wrong), /Failed to reload server configuration: .+/)
      t.equal(await stayed.fence(), '')
      t.equal(await goes.fence(), '')
      await connect(t, server.port, { user: 'goes', pass: 'p' })
    }
  })
}

for (const [name, start] of Object.entries(servers)) {
  t.test(`${name}: SIGHUP takes away what other permissions do not allow`, async (t) => {
    const server = await start(t, users(stays, '{user: a, password: p}'))
    const [a, other] = [await connect(t, server.port, { user: 'a', pass: 'p' }), await connect(t, server.port, { user: 'stays', pass: 'p' })]
    a.send('SUB a.> 1\r\nSUB b.> 2\r\nSUB c.> q 3\r\nSUB b.* q 4\r\nSUB d 5\r\n')
    t.equal(await a.fence(), '')
    await server.reload(users(stays, '{user: a, password: p, permissions: {publish: "b.>", subscribe: {allow: ["b.>", "d"], deny: "b.secret"}}}'))
    // Newer versions of nats-server name the queue group here.
    t.strictSame(lines((await a.fence()).replace(' using queue "q"', '')), [
      "-ERR 'Permissions Violation for Subscription to \"a.>\" (sid \"1\")'",
      "-ERR 'Permissions Violation for Subscription to \"c.>\" (sid \"3\")'"
    ])
    a.send('PUB b.x 0\r\n\r\nPUB a.x 0\r\n\r\nSUB a.y 6\r\n')
    t.strictSame(lines(await a.fence()).filter((line) => line.startsWith('-ERR')), [
      "-ERR 'Permissions Violation for Publish to \"a.x\"'",
      "-ERR 'Permissions Violation for Subscription to \"a.y\"'"
    ])
    other.send('PUB a.1 0\r\n\r\nPUB b.secret 0\r\n\r\nPUB b.1 0\r\n\r\nPUB c.1 0\r\n\r\nPUB d 0\r\n\r\n')
    await other.fence()
    t.strictSame(lines(await a.fence()), ['MSG b.1 2 0', 'MSG b.1 4 0', 'MSG d 5 0'])

    await server.reload(users(stays, '{user: a, password: p}'))
    other.send('PUB a.2 0\r\n\r\nPUB b.secret 0\r\n\r\n')
    await other.fence()
    t.strictSame(lines(await a.fence()), ['MSG b.secret 2 0', 'MSG b.secret 4 0'], 'what is allowed again is there again, what was removed is not')
    a.send('PUB a.x 0\r\n\r\n')
    t.equal(await a.fence(), '')
  })

  t.test(`${name}: SIGHUP asks for credentials where none were asked for`, async (t) => {
    const server = await start(t, '')
    const nobody = await connect(t, server.port, {})
    const early = await connect(t, server.port, null)
    t.notOk(early.info['auth_required'])
    const known = await connect(t, server.port, { user: 'stays', pass: 'p' })
    await server.reload(users(stays))
    t.equal(await lastWords(nobody), violation)
    t.equal(await known.fence(), '')
    early.send('CONNECT {"user":"stays","pass":"x"}\r\n')
    t.equal(await lastWords(early), violation)
    t.match((await connect(t, server.port, { user: 'stays', pass: 'p' })).info, { auth_required: true })
    await server.reload('')
    await connect(t, server.port, {})
  })

  t.test(`${name}: SIGHUP reads the JWTs of accounts again`, async (t) => {
    const [chain, system] = [await Chain.create(), await Chain.create()]
    const [key, systemKey] = [chain.account.getPublicKey(), system.account.getPublicKey()]
    const systemJwt = await system.encodeAccount({}, {}, chain.operator)
    const config = (accountJwt: string): string => `operator: ${chain.operatorJwt}\nresolver: MEMORY\nsystem_account: ${systemKey}\nresolver_preload { ${key}: ${accountJwt}, ${systemKey}: ${systemJwt} }`
    const server = await start(t, config(chain.accountJwt))
    const bearer = { jwt: await chain.encodeUser({ bearer_token: true }), verbose: false }
    const stays = { jwt: await encodeUser('N', createUser(), chain.account, { bearer_token: true }, { algorithm: Algorithms.v2 }) }
    const [revoked, other] = [await connect(t, server.port, bearer), await connect(t, server.port, stays)]
    await server.reload(config(await chain.encodeAccount({ revocations: { [chain.user.getPublicKey()]: second() + 1 } })))
    t.equal(await lastWords(revoked), "-ERR 'User Authentication Revoked'\r\n")
    t.equal(await other.fence(), '')
    const again = await connect(t, server.port, null)
    again.send(`CONNECT ${JSON.stringify(bearer)}\r\n`)
    t.equal(await lastWords(again), violation)
    await connect(t, server.port, stays)
  })
}

const permissive: AuthorizationOption = { users: [{ user: 'a', pass: 'p' }] }
const strict: AuthorizationOption = { users: [{ user: 'a', pass: 'p', permissions: { subscribe: 'b.>' } }] }

/** A host whose `authorizeSubscribe` has been asked for a SUB of user `a`, and answers when told. */
async function pendingSub (t: Tap, sub: string, nats = {}): Promise<{ client: Awaited<ReturnType<typeof connect>>, update: () => void, grant: () => void, gateway: Awaited<ReturnType<typeof startHost>>['gateway'] }> {
  const { broker, gateway, natsPort } = await startHost(t, { nats: { authorization: permissive, ...nats } })
  const hooks = broker as unknown as HostHooks
  let grant = (): void => {}
  const asked = new Promise<void>((resolve) => {
    hooks.authorizeSubscribe = (_client, subscription, callback) => {
      grant = () => { callback(null, subscription) }
      resolve()
    }
  })
  const client = await connect(t, natsPort, { user: 'a', pass: 'p' })
  client.send(sub)
  await asked
  return { client, gateway, grant: () => { grant() }, update: () => { gateway.update({ authorization: strict }) } }
}

t.test('a SUB that waits for authorizeSubscribe is judged by the permissions that there are when it answers', async (t) => {
  const rows: [string, object, string][] = [
    ['SUB a.x 1\r\n', {}, "-ERR 'Permissions Violation for Subscription to \"a.x\"'\r\n"],
    ['SUB a.x q 1\r\n', {}, "-ERR 'Permissions Violation for Subscription to \"a.x\" using queue \"q\"'\r\n"],
    ['SUB a.x 1\r\n', { retained: true }, "-ERR 'Permissions Violation for Subscription to \"a.x\"'\r\n"],
    ['SUB a.x acked.g 1\r\n', {}, "-ERR 'Permissions Violation for Subscription to \"a.x\" using queue \"acked.g\"'\r\n"],
    ['SUB b.x 1\r\n', {}, ''],
    ['SUB b.x acked.g 1\r\n', {}, '']
  ]
  for (const [sub, nats, answer] of rows) {
    const { client, gateway, update, grant } = await pendingSub(t, sub, nats)
    update()
    grant()
    t.equal(await client.fence(), answer, sub)
    t.equal(gateway.subscriptions, answer === '' ? 1 : 0)
    t.strictSame((await gateway.durables.list()).map(({ name }) => name), answer === '' && sub.includes('acked') ? ['acked.g'] : [])
  }
})

t.test('a durable SUB that waits for the store is judged by the permissions that there are when it has stored', async (t) => {
  const { client, gateway, update, grant } = await pendingSub(t, 'SUB a.x acked.g 1\r\n')
  grant()
  update()
  t.equal(await client.fence(), "-ERR 'Permissions Violation for Subscription to \"a.x\" using queue \"acked.g\"'\r\n")
  t.equal(gateway.subscriptions, 0)
})

t.test('a login whose password is being compared is judged by the users that there are then', async (t) => {
  // The worker compares one at a time: the first keeps it long enough for the others to wait.
  const [slow, hash] = [hashSync('p', 11), hashSync('p', 4)]
  const { gateway, natsPort } = await startHost(t, { nats: { authorization: { users: [{ user: 'slow', pass: slow }, { user: 'a', pass: hash }, { user: 'b', pass: hash }, { user: 'c', pass: hash }] } } })
  const logIn = async (user: string): Promise<RawClient> => {
    const client = await connect(t, natsPort, null)
    client.send(`CONNECT {"user":"${user}","pass":"p","verbose":false}\r\nSUB a.x 1\r\nPING\r\n`)
    while (![...gateway.clients.values()].some(({ options }) => options.user === user)) await new Promise(setImmediate)
    return client
  }
  await logIn('slow')
  const clients = await Promise.all(['a', 'b', 'c'].map(logIn))
  gateway.update({ authorization: { users: [{ user: 'a', pass: hash, permissions: { subscribe: 'b.>' } }, { user: 'b', pass: hashSync('q', 4) }] } })
  const [a, b, c] = clients
  t.equal(await a?.expect(/[^]*?PONG\r\n/), "-ERR 'Permissions Violation for Subscription to \"a.x\"'\r\nPONG\r\n")
  t.equal(await b?.expect(violation), violation)
  t.equal(await c?.expect(violation), violation)
})

t.test('a login that waits for the hooks of the host is asked again, too', async (t) => {
  const { broker, gateway, natsPort } = await startHost(t, { nats: { authorization: permissive } })
  const hooks = broker as unknown as HostHooks
  let admit = (): void => {}
  const asked = new Promise<void>((resolve) => {
    hooks.authenticate = (_client, _username, _password, callback) => {
      admit = () => { callback(null, true) }
      resolve()
    }
  })
  const client = await connect(t, natsPort, null)
  client.send('CONNECT {"user":"a","pass":"p"}\r\nPING\r\n')
  await asked
  gateway.update({ authorization: { users: [{ user: 'a', pass: 'another' }] } })
  admit()
  t.equal(await lastWords(client), violation)
  t.equal(broker.connectedClients, 0)
})

t.test('an update that is wrong changes nothing', async (t) => {
  const { gateway, natsPort } = await startHost(t, { nats: { authorization: permissive } })
  const client = await connect(t, natsPort, { user: 'a', pass: 'p' })
  const wrong = { users: [{ user: 'b', pass: 'p' }, { user: 'b', pass: 'p' }] }
  t.throws(() => { gateway.update({ authorization: wrong, maxPayload: 5 }) }, { code: 'NATS_ERR_OPTION', message: /authorization\.users\[1\]/ })
  t.equal(gateway.options.maxPayload, 1048576)
  t.equal(await client.fence(), '')
  await connect(t, natsPort, { user: 'a', pass: 'p' })
})
