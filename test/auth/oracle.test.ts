import { encodeOperator, newScopedSigner } from '@nats-io/jwt'
import { createAccount, createOperator, createUser } from '@nats-io/nkeys'
import bcrypt from 'bcryptjs'
import { writeFileSync } from 'node:fs'
import tls from 'node:tls'
import t from 'tap'
import type { ListenerRules } from '../../lib/auth/attempt.ts'
import type { Authenticator } from '../../lib/auth/authenticator.ts'
import type { AuthorizationOption } from '../../lib/options/authorization.ts'
import type { Teardown } from '../helper/brokers.ts'
import { type Certificate, createCertificate, type Names } from '../helper/certificates.ts'
import { scratch, startNatsServer } from '../helper/processes.ts'
import { RawClient } from '../helper/raw.ts'
import { authenticator, sign, tcp } from './attempts.ts'
import { type Options, open, ours, theirs } from './judge.ts'
import { Chain, forge, second } from './jwts.ts'

// The same credentials to nats-server and to the authenticator: the same answer.

interface Case {
  readonly name: string
  /** A function of the nonce where it is signed. */
  readonly options: Options | ((nonce: string) => Options)
}

async function compare (t: Teardown & { equal: (found: unknown, wanted: unknown, name: string) => boolean }, port: number, to: Authenticator, cases: readonly Case[]): Promise<void> {
  const { info } = await open(t, port)
  t.equal(to.isAnnounced(tcp), info['auth_required'] === true, 'auth_required of INFO')
  t.equal(to.needsNonce, typeof info['nonce'] === 'string', 'nonce of INFO')
  for (const { name, options } of cases) {
    const client = await open(t, port)
    const nonce = String(client.info['nonce'] ?? '')
    const sent = typeof options === 'function' ? options(nonce) : options
    // Theirs first: a client has two seconds for its CONNECT.
    const answer = await theirs(client, sent)
    t.equal((await ours(to, sent, { nonce })).answer, answer, name)
    client.socket.destroy()
  }
}

const several = ['', 'derek', 'foo', '__proto__'].flatMap((user) => ['', 'foobar', 'pwd', '$2a'].flatMap((pass) => ['', '_YZZ22_'].map((token): Case =>
  ({ name: `user '${user}', password '${pass}', token '${token}'`, options: { ...user !== '' && { user }, ...pass !== '' && { pass }, ...token !== '' && { auth_token: token } } }))))

t.test('tokens, users and passwords', async (t) => {
  const hash = bcrypt.hashSync('foobar', 4)
  const tokenHash = bcrypt.hashSync('_YZZ22_', 4)
  const configs: readonly (readonly [string, AuthorizationOption | null])[] = [
    ['', null],
    ['authorization { token: "_YZZ22_" }', { token: '_YZZ22_' }],
    [`authorization { token: "${tokenHash}" }`, { token: tokenHash }],
    ['authorization { user: derek, password: foobar }', { user: 'derek', pass: 'foobar' }],
    [`authorization { user: derek, password: "${hash}" }`, { user: 'derek', pass: hash }],
    [`authorization { users [ {user: derek, password: "${hash}"}, {user: foo, password: pwd}, {user: "__proto__"} ] }`,
      { users: [{ user: 'derek', pass: hash }, { user: 'foo', pass: 'pwd' }, { user: '__proto__' }] }],
    ['accounts { A { users [{user: "foo", password: "pwd"}] } }\nno_auth_user: "foo"', { accounts: [{ name: 'A', users: [{ user: 'foo', pass: 'pwd' }] }], noAuthUser: 'foo' }]
  ]
  for (const [config, option] of configs) await compare(t, await startNatsServer(t, config), authenticator(option), several)
})

t.test('nkeys, beside users', async (t) => {
  const key = createUser()
  const nkey = key.getPublicKey()
  const websocket = createUser()
  const cases: readonly Case[] = [
    { name: 'signed', options: (nonce) => ({ nkey, sig: sign(key, nonce) }) },
    { name: 'signed, in standard base64', options: (nonce) => ({ nkey, sig: Buffer.from(key.sign(Buffer.from(nonce))).toString('base64') }) },
    { name: 'signed, and a wrong password', options: (nonce) => ({ nkey, sig: sign(key, nonce), user: 'a', pass: 'x' }) },
    { name: 'without signature', options: { nkey } },
    { name: 'another nonce', options: { nkey, sig: sign(key, 'x') } },
    { name: 'another key', options: (nonce) => ({ nkey, sig: sign(createUser(), nonce) }) },
    { name: 'no base64', options: { nkey, sig: '%' } },
    { name: 'an unknown key', options: (nonce) => ({ nkey: websocket.getPublicKey().toLowerCase(), sig: sign(websocket, nonce) }) },
    { name: 'a key for WebSocket', options: (nonce) => ({ nkey: websocket.getPublicKey(), sig: sign(websocket, nonce) }) },
    { name: 'an unknown key and a right password', options: (nonce) => ({ nkey: createUser().getPublicKey(), sig: sign(key, nonce), user: 'a', pass: 'b' }) },
    { name: 'a right password', options: { user: 'a', pass: 'b' } },
    { name: 'a user for MQTT', options: { user: 'm', pass: 'b' } },
    { name: 'nothing', options: {} }
  ]
  const users = `users [ {nkey: ${nkey}}, {nkey: ${websocket.getPublicKey()}, allowed_connection_types: [WEBSOCKET]}, {user: a, password: b}, {user: m, password: b, allowed_connection_types: [MQTT]} ]`
  const option: AuthorizationOption = { users: [{ nkey }, { nkey: websocket.getPublicKey(), connectionTypes: ['WEBSOCKET'] }, { user: 'a', pass: 'b' }, { user: 'm', pass: 'b', connectionTypes: ['MQTT'] }] }
  await compare(t, await startNatsServer(t, `authorization { ${users} }`), authenticator(option), cases)
  await compare(t, await startNatsServer(t, `authorization { ${users} }\nno_auth_user: a`), authenticator({ ...option, noAuthUser: 'a' }), cases)
  await compare(t, await startNatsServer(t, 'authorization { user: a, password: b }'), authenticator({ user: 'a', pass: 'b' }), cases)
})

function operatorConfig (chain: Chain): string {
  return `operator: ${chain.operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${chain.account.getPublicKey()}: ${chain.accountJwt} }`
}

/** With the signature of the user, and without. */
function withJwt (chain: Chain, name: string, jwt: string): Case[] {
  return [
    { name, options: (nonce) => ({ jwt, sig: sign(chain.user, nonce) }) },
    { name: `${name}, not signed`, options: { jwt } },
    { name: `${name}, signed by another`, options: (nonce) => ({ jwt, sig: sign(createUser(), nonce) }) }
  ]
}

t.test('JWTs of users', async (t) => {
  const now = second()
  const operatorKey = createOperator()
  const key = createAccount()
  const scoped = createAccount()
  const chain = await Chain.create()
  const sub = chain.user.getPublicKey()
  const revoked = createUser()
  const accountClaims = { signing_keys: [key.getPublicKey(), newScopedSigner(scoped, 'r', { pub: { allow: ['{{name()}}'] }, allowed_connection_types: ['STANDARD'] })], revocations: { [revoked.getPublicKey()]: now + 100 } }
  chain.accountJwt = await chain.encodeAccount(accountClaims)
  const user = { type: 'user', version: 2, subs: -1, data: -1, payload: -1 }
  const issued = (claims: object, signer = chain.account, nats: object = {}): string => forge({ sub, ...claims, nats: { ...user, ...nats } }, signer)
  const cases: readonly Case[] = [
    { name: 'nothing', options: {} },
    { name: 'user and password', options: { user: 'a', pass: 'b' } },
    { name: 'an nkey', options: (nonce) => ({ nkey: sub, sig: sign(chain.user, nonce) }) },
    ...withJwt(chain, 'a user', await chain.encodeUser()),
    ...withJwt(chain, 'expired', issued({ exp: now - 10 })),
    ...withJwt(chain, 'not yet valid', issued({ nbf: now + 1000 })),
    ...withJwt(chain, 'valid for some time', issued({ exp: now + 1000, nbf: now - 10 })),
    ...withJwt(chain, 'of another account', issued({}, createAccount())),
    ...withJwt(chain, 'signed by the operator', issued({}, chain.operator)),
    ...withJwt(chain, 'signed by itself', issued({}, chain.user)),
    ...withJwt(chain, 'another issuer than signer', issued({ iss: key.getPublicKey() })),
    ...withJwt(chain, 'a signing key', await chain.encodeSigned(key)),
    ...withJwt(chain, 'a signing key that does not name its account', issued({}, key)),
    ...withJwt(chain, 'an unknown signing key', await chain.encodeSigned(createAccount())),
    ...withJwt(chain, 'a signing key with a template', await chain.encodeSigned(scoped, {}, true)),
    ...withJwt(chain, 'a signing key with a template, and permissions of its own', await chain.encodeSigned(scoped, { pub: { allow: ['>'] } }, true)),
    ...withJwt(chain, 'bearer', issued({}, chain.account, { bearer_token: true })),
    ...withJwt(chain, 'an account JWT', chain.accountJwt),
    ...withJwt(chain, 'an operator JWT', chain.operatorJwt),
    { name: 'revoked', options: (nonce) => ({ jwt: issued({ sub: revoked.getPublicKey() }), sig: sign(revoked, nonce) }) },
    ...withJwt(chain, 'from here', issued({}, chain.account, { src: ['127.0.0.0/8'] })),
    ...withJwt(chain, 'from elsewhere', issued({}, chain.account, { src: ['10.0.0.0/8'] })),
    ...withJwt(chain, 'from a text', issued({}, chain.account, { src: '10.0.0.0/8,127.0.0.1/32' })),
    ...withJwt(chain, 'from nowhere', issued({}, chain.account, { src: ['x'] })),
    ...withJwt(chain, 'by WebSocket', issued({}, chain.account, { allowed_connection_types: ['WEBSOCKET'] })),
    ...withJwt(chain, 'by anything', issued({}, chain.account, { allowed_connection_types: ['pigeon', 'standard'] })),
    ...withJwt(chain, 'at any time', issued({}, chain.account, { times: [{ start: '00:00:00', end: '23:59:59' }, { start: '12:00:00', end: '11:00:00' }], times_location: 'Asia/Tokyo' })),
    ...withJwt(chain, 'at no time', issued({}, chain.account, { times: [{ start: '00:00:00', end: '00:00:00' }] })),
    ...withJwt(chain, 'at a wrong time', issued({}, chain.account, { times: [{ start: 'noon', end: '23:59:59' }] })),
    ...withJwt(chain, 'in an unknown place', issued({}, chain.account, { times_location: 'Mars/Olympus' })),
    ...withJwt(chain, 'a queue to publish to', issued({}, chain.account, { pub: { allow: ['a q'] } })),
    ...withJwt(chain, 'a wrong type', issued({}, chain.account, { subs: '5' })),
    ...withJwt(chain, 'names in capitals', forge({ SUB: sub, NATS: { TYPE: 'user', VERSION: 2, SUBS: -1, PAYLOAD: -1 } }, chain.account)),
    ...withJwt(chain, 'a newer version', issued({}, chain.account, { version: 3 })),
    ...withJwt(chain, 'another algorithm', forge({ sub, nats: user }, chain.account, { typ: 'JWT', alg: 'none' })),
    ...withJwt(chain, 'padding', `${await chain.encodeUser()}=`)
  ]
  await compare(t, await startNatsServer(t, operatorConfig(chain)), authenticator(chain.option), cases)
  const keys = await Chain.create()
  const trusted = `trusted_keys: [${keys.operator.getPublicKey()}]\nresolver: MEMORY\nresolver_preload: { ${keys.account.getPublicKey()}: ${keys.accountJwt} }`
  await compare(t, await startNatsServer(t, trusted), authenticator({ trustedKeys: [keys.operator.getPublicKey()], resolverPreload: keys.option.resolverPreload ?? null }), withJwt(keys, 'trusted keys', await keys.encodeUser()))

  const accounts: readonly (readonly [string, () => Promise<string>])[] = [
    ['expired', () => chain.encodeAccount(accountClaims, { exp: now - 10 })],
    ['not yet valid', () => chain.encodeAccount(accountClaims, { nbf: now + 1000 })],
    ['signed by itself', () => chain.encodeAccount(accountClaims, {}, chain.account)],
    ['signed by a signing key of the operator', () => chain.encodeAccount(accountClaims, {}, operatorKey)],
    ['signed by anybody', () => chain.encodeAccount(accountClaims, {}, createOperator())],
    ['without bearer tokens', () => chain.encodeAccount({ limits: { subs: -1, conn: -1, payload: -1, disallow_bearer: true } })],
    ['all revoked', () => chain.encodeAccount({ revocations: { '*': now + 100 } })],
    ['revoked before', () => chain.encodeAccount({ revocations: { '*': now - 100, [sub]: now - 100 } })]
  ]
  const short = [...withJwt(chain, 'a user', await chain.encodeUser()), ...withJwt(chain, 'bearer', issued({}, chain.account, { bearer_token: true })), ...withJwt(chain, 'a signing key', await chain.encodeSigned(key))]
  const operator = { signing_keys: [operatorKey.getPublicKey()], strict_signing_key_usage: false }
  for (const isStrict of [false, true]) {
    chain.operatorJwt = await encodeOperator('O', chain.operator, { ...operator, strict_signing_key_usage: isStrict } as object)
    for (const [name, encode] of accounts) {
      if (isStrict && !name.includes('signing key')) continue
      chain.accountJwt = await encode()
      await compare(t, await startNatsServer(t, operatorConfig(chain)), authenticator(chain.option), short.map((each) => ({ ...each, name: `account ${name}${isStrict ? ', strictly' : ''}: ${each.name}` })))
    }
  }
})

async function tlsAnswer (t: Teardown, port: number, certificate: Certificate | null, ca: string, options: Options): Promise<string> {
  const plain = await open(t, port)
  plain.socket.removeAllListeners('data')
  const socket = tls.connect({ socket: plain.socket, ca, checkServerIdentity: () => undefined, ...certificate !== null && { cert: certificate.cert, key: certificate.key } })
  t.teardown(() => { socket.destroy() })
  return await theirs(new RawClient(socket), options)
}

t.test('client certificates', async (t) => {
  const authority = createCertificate({ subject: ['CN=CA'] }, null)
  const server = createCertificate({ subject: ['CN=server'], ip: [127, 0, 0, 1] }, authority)
  const folder = scratch(t)
  for (const [name, text] of [['ca.pem', authority.cert], ['cert.pem', server.cert], ['key.pem', server.key]] as const) writeFileSync(`${folder}/${name}`, text)
  const secure = `tls { cert_file: "${folder}/cert.pem", key_file: "${folder}/key.pem", ca_file: "${folder}/ca.pem", verify_and_map: true }`
  const mapped: ListenerRules = { ...tcp, verifyAndMap: true }
  const certificates: readonly Names[] = [
    { subject: ['C=DE', 'O=Firm', 'CN=me'], dns: ['a.example'], email: ['me@x.example'], uri: ['spiffe://x/y'] },
    { subject: ['CN=me'] },
    { subject: ['OU=a', 'CN=me', 'OU=b'] },
    { subject: ['OU=a+OU=b', 'CN=me'] },
    { subject: ['DC=com', 'DC=example', 'O=Firm', 'CN=me'] },
    { subject: ['CN=a,b "c" #', 'O= x '] },
    { subject: ['1.2.3.4=odd', 'CN=me'] },
    { subject: ['CN=one', 'CN=two'] },
    { subject: ['CN=é'], dns: ['b.example'] }
  ]
  const users = [
    'me@x.example', 'a.example', 'spiffe://x/y', 'CN=me,O=Firm,C=DE', 'C=DE,O=Firm,CN=me', 'CN=me', 'cn=me', 'OU=b,CN=me,OU=a', 'CN=me,OU=a+OU=b', 'CN=me,OU=b+OU=a',
    'CN=me,O=Firm,DC=example,DC=com', 'DC=com,DC=example,O=Firm,CN=me', 'CN=me,O=Firm,DC=com,DC=example', 'CN=me,O=Firm', 'O=\\ x\\ ,CN=a\\,b \\"c\\" #', 'CN=a\\,b \\"c\\" #,O=\\ x\\ ',
    'CN=two', 'CN=one', 'CN=two,CN=one', 'CN=é', 'CN=\\C3\\A9', 'other'
  ]
  let entered = 0
  const issued = certificates.map((names) => createCertificate(names, authority))
  for (const user of users) {
    const port = await startNatsServer(t, `${secure}\nauthorization { users [ {user: ${JSON.stringify(user)}}, {user: with, password: word} ] }`)
    const to = authenticator({ users: [{ user }, { user: 'with', pass: 'word' }] }, [mapped])
    for (const certificate of issued) {
      const options = { user: 'with', pass: '' }
      const { answer } = await ours(to, options, { nonce: '', listener: mapped, certificate })
      if (answer === '+OK\r\n') entered++
      t.equal(answer, await tlsAnswer(t, port, certificate, authority.cert, options), `user ${user}, certificate ${certificate.names.subject.join(' ')}`)
    }
  }
  t.ok(entered > 20, `${entered} got in`)
})
