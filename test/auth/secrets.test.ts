import { createUser } from '@nats-io/nkeys'
import bcrypt from 'bcryptjs'
import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { connectMqtt } from '../helper/mqtt.ts'
import { scratch } from '../helper/processes.ts'
import { connect, type RawClient } from '../helper/raw.ts'
import { startServer } from '../helper/server.ts'
import { dialNats } from '../secure/web-client.ts'
import { sign } from './attempts.ts'
import { Chain } from './jwts.ts'

// A server that logs and traces all it can, clients with credentials of every kind, right and wrong: nobody reads them
// in the log, from the monitoring endpoints, or in what a client is told.

type Fields = object | ((nonce: string) => object)

/** The server, and whoever connects to it. */
class Stage {
  readonly told: string[] = []
  private readonly t: Test
  private readonly natsPort: number
  private readonly websocketUrl: string
  private readonly httpUrl: string
  private readonly output: () => string

  private constructor (t: Test, natsPort: number, started: string, output: () => string) {
    this.t = t
    this.natsPort = natsPort
    this.websocketUrl = `ws://127.0.0.1:${/Listening for websocket clients on \S+:(\d+)/i.exec(started)?.[1] ?? ''}`
    this.httpUrl = `http://127.0.0.1:${/Starting http monitor on \S+:(\d+)/.exec(started)?.[1] ?? ''}`
    this.output = output
  }

  static async open (t: Test, config: string, cookies: string): Promise<Stage & { mqttUrl: string }> {
    const folder = scratch(t)
    writeFileSync(`${folder}/nats.conf`, `${config}\nhttp: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", no_tls: true, ${cookies} }\n`)
    const server = await startServer(t, ['-c', `${folder}/nats.conf`, '-DV'])
    return Object.assign(new Stage(t, server.natsPort, server.process.output, () => server.process.output), { mqttUrl: server.mqttUrl })
  }

  private async listen (client: RawClient): Promise<string> {
    client.send('SUB a 1\r\nPUB a 1\r\nx\r\n')
    const answer = await client.fence().catch(() => client.end())
    this.told.push(answer)
    return answer
  }

  /** Sends CONNECT. @returns whether that lets it in */
  async enter (fields: Fields): Promise<boolean> {
    const client = await connect(this.t, this.natsPort, null)
    this.told.push(JSON.stringify(client.info))
    client.send(`CONNECT ${JSON.stringify({ verbose: false, ...typeof fields === 'function' ? fields(String(client.info['nonce'])) : fields })}\r\n`)
    const isIn = (await this.listen(client)).startsWith('MSG')
    if (isIn) this.told.push(await this.resend(client))
    return isIn
  }

  private async resend (client: RawClient): Promise<string> {
    client.send('CONNECT {"verbose":true,"user":"ann","pass":"s3cret-again"}\r\n')
    return await client.fence().catch(() => client.end())
  }

  async enterByCookie (cookie: string): Promise<boolean> {
    const client = await dialNats(this.t, this.websocketUrl, { headers: { cookie } })
    client.send('CONNECT {"verbose":false}\r\n')
    return (await this.listen(client)).startsWith('MSG')
  }

  /** What is no CONNECT as it should be. */
  async stammer (text: string): Promise<void> {
    const client = await connect(this.t, this.natsPort, null)
    client.send(text)
    await this.listen(client)
  }

  /** All that anybody can read. */
  async everything (): Promise<string> {
    const pages = ['/varz', '/connz', '/connz?auth=1&subs=1', '/connz?auth=true&subs=detail&state=all', '/subsz?subs=1', '/healthz', '/']
    const bodies = await Promise.all(pages.map(async (path) => await (await fetch(this.httpUrl + path)).text()))
    return [...bodies, ...this.told, this.output()].join('\n')
  }
}

function check (t: Test, text: string, secrets: Readonly<Record<string, string>>): void {
  for (const [name, secret] of Object.entries({ ...secrets, 'the password of a second CONNECT': 's3cret-again' })) {
    t.ok(secret.length > 7, `${name} is long enough to be told from other text`)
    const at = text.indexOf(secret)
    t.equal(at, -1, at === -1 ? name : `${name} in: ${text.slice(Math.max(0, at - 200), at)}`)
  }
  for (const wanted of ['[DBG]', '[TRC]', '<<- [CONNECT', '[REDACTED]', '-ERR', '"num_connections"']) t.ok(text.includes(wanted), wanted)
}

t.test('users with passwords and nkeys', async (t) => {
  const hash = bcrypt.hashSync('s3cret-hashed', 4)
  const key = createUser()
  const [seed, unknown] = [key, createUser()].map((each) => Buffer.from(each.getSeed()).toString()) as [string, string]
  const nkey = key.getPublicKey()
  const stage = await Stage.open(t, `authorization { users [ {user: ann, password: "s3cret-plain"}, {user: bob, password: "${hash}"}, {nkey: ${nkey}} ], timeout: 5 }`,
    'user_cookie: who, pass_cookie: word, jwt_cookie: jwt, token_cookie: token')
  const signatures: string[] = []
  const signed = (nonce: string): object => {
    const sig = sign(key, nonce)
    signatures.push(sig)
    return { nkey, sig }
  }
  t.ok(await stage.enter({ user: 'ann', pass: 's3cret-plain' }))
  t.ok(await stage.enter({ user: 'bob', pass: 's3cret-hashed' }))
  t.ok(await stage.enter(signed))
  t.ok(await stage.enterByCookie('who=ann; word=s3cret-plain; other=s3cret-other'))
  for (const [i, fields] of [
    { user: 'ann', pass: 's3cret-wrong' }, { user: 'bob', pass: hash }, { user: 'eve', pass: 's3cret-wrong' }, { auth_token: 's3cret-token' }, { pass: 's3cret-wrong' },
    { nkey: seed, sig: 's3cret-sig' }, { nkey: unknown }, { nkey, sig: 's3cret-sig' }, { jwt: 'eyJ.s3cret-jwt.x', sig: 's3cret-sig' },
    { PASS: 's3cret-wrong', Auth_Token: 's3cret-token' }, { user: 'ann', pass: { a: 's3cret-wrong' } }, { user: 'ann', pass: ['s3cret-wrong'] },
    { user: 'ann', nested: { pass: 's3cret-wrong' } }, { user: 'ann', password: 's3cret-wrong', token: 's3cret-token' }, { user: seed, pass: 's3cret-wrong' }
  ].entries()) t.notOk(await stage.enter(fields), `wrong ${i}`)
  t.notOk(await stage.enterByCookie('who=ann; word=s3cret-wrong; jwt=s3cret-jwt; token=s3cret-token'))
  for (const text of ['CONNECT {"user":"ann","pass":"s3cret-wrong"\r\n', 'connect {"user":"ann","pass":"s3cret-wrong","pass":"s3cret-other"}\r\n', 'CONNECT "s3cret-wrong"\r\n', 'CONNECT s3cret-wrong\r\n',
    `CONNECT {"pass":"s3cret-wrong${'x'.repeat(5000)}"}\r\n`, 'PASS s3cret-wrong\r\n', 'CONNECT {"auth_token":"s3cret-token"}s3cret-other\r\n']) await stage.stammer(text)
  await connectMqtt(t, stage.mqttUrl, { username: 'ann', password: 's3cret-plain' }).catch(() => {})
  check(t, await stage.everything(), {
    'a plain password': 's3cret-plain',
    'a hashed password': 's3cret-hashed',
    'the hash': hash,
    'a wrong password': 's3cret-wrong',
    'another one': 's3cret-other',
    'a token': 's3cret-token',
    'a JWT': 's3cret-jwt',
    'a wrong signature': 's3cret-sig',
    'a signature': signatures[0] ?? '',
    'the seed of a user': seed,
    'the seed of nobody': unknown
  })
})

for (const [name, token] of [['plain', 's3cret-token'], ['bcrypt', bcrypt.hashSync('s3cret-token', 4)]] as const) {
  t.test(`tokens, ${name}`, async (t) => {
    const stage = await Stage.open(t, `authorization { token: "${token}" }`, 'token_cookie: token')
    t.ok(await stage.enter({ auth_token: 's3cret-token' }))
    t.ok(await stage.enterByCookie('token=s3cret-token'))
    t.notOk(await stage.enter({ auth_token: 's3cret-wrong' }))
    t.notOk(await stage.enter({ pass: 's3cret-token' }))
    t.notOk(await stage.enterByCookie('token=s3cret-wrong'))
    check(t, await stage.everything(), { 'the token': 's3cret-token', 'as configured': token, 'a wrong one': 's3cret-wrong' })
  })
}

t.test('JWTs', async (t) => {
  const chain = await Chain.create()
  const other = await Chain.create()
  const jwt = await chain.encodeUser()
  const bearer = await chain.encodeUser({ bearer_token: true })
  const foreign = await other.encodeUser()
  const key = chain.account.getPublicKey()
  const stage = await Stage.open(t, `operator: ${chain.operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${key}: ${chain.accountJwt} }`, 'jwt_cookie: jwt')
  let signature = ''
  t.ok(await stage.enter((nonce) => {
    signature = sign(chain.user, nonce)
    return { jwt, sig: signature }
  }))
  t.ok(await stage.enter({ jwt: bearer }))
  t.ok(await stage.enterByCookie(`jwt=${bearer}`))
  t.notOk(await stage.enter({ jwt }))
  t.notOk(await stage.enter((nonce) => ({ jwt: foreign, sig: sign(other.user, nonce) })))
  t.notOk(await stage.enter({ jwt: `${jwt}x`, sig: 's3cret-sig' }))
  t.notOk(await stage.enterByCookie(`jwt=${foreign}`))
  // Of a JWT the parts after the header, which all share.
  const parts = (token: string): string => token.split('.')[1] ?? ''
  check(t, await stage.everything(), {
    'the JWT of a user': parts(jwt),
    'its signature': jwt.split('.')[2] ?? '',
    'a bearer token': parts(bearer),
    'a JWT of somebody else': parts(foreign),
    'the JWT of an account': parts(chain.accountJwt),
    'the JWT of the operator': parts(chain.operatorJwt),
    'a signature': signature,
    'a wrong signature': 's3cret-sig'
  })
})
