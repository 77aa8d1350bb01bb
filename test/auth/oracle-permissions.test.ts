import t from 'tap'
import type { Permissions } from '../../lib/auth/permissions.ts'
import type { PermissionsOption } from '../../lib/options/authorization.ts'
import { startNatsServer } from '../helper/processes.ts'
import type { RawClient } from '../helper/raw.ts'
import { authenticator } from './attempts.ts'
import { open, ours, theirs } from './judge.ts'

// The same permissions to nats-server and to us: the same operations are allowed, the same messages delivered.

interface Case {
  readonly name: string
  readonly config: string
  readonly permissions: PermissionsOption
}

const cases: readonly Case[] = [
  { name: 'nothing said', config: '{}', permissions: {} },
  { name: 'allow as a list', config: '{ publish: ["req.foo", "req.bar"], subscribe: "_INBOX.>" }', permissions: { publish: ['req.foo', 'req.bar'], subscribe: '_INBOX.>' } },
  {
    name: 'allow and deny',
    config: '{ publish: {allow: "*.*", deny: ["SYS.*", "bar.baz", "foo.*"]}, subscribe: {allow: ["foo.*", "SYS.TEST.>", "a.*.c"], deny: ["foo.baz", "SYS.*"]} }',
    permissions: { publish: { allow: '*.*', deny: ['SYS.*', 'bar.baz', 'foo.*'] }, subscribe: { allow: ['foo.*', 'SYS.TEST.>', 'a.*.c'], deny: ['foo.baz', 'SYS.*'] } }
  },
  {
    name: 'deny alone',
    config: '{ publish: {deny: ["foo.*", "a.>"]}, subscribe: {deny: ["foo.bar", "a.*.c", "$SYS.>"]} }',
    permissions: { publish: { deny: ['foo.*', 'a.>'] }, subscribe: { deny: ['foo.bar', 'a.*.c', '$SYS.>'] } }
  },
  {
    name: 'queue groups',
    config: '{ subscribe: {allow: ["foo.bar g", "foo.*  g.*", "a.>", "a.b g", "x g.>"], deny: ["a.b.c  bad", "a.d g.>"]} }',
    permissions: { subscribe: { allow: ['foo.bar g', 'foo.*  g.*', 'a.>', 'a.b g', 'x g.>'], deny: ['a.b.c  bad', 'a.d g.>'] } }
  },
  { name: 'everything denied', config: '{ publish: {deny: ">"}, subscribe: {deny: ">"} }', permissions: { publish: { deny: '>' }, subscribe: { deny: '>' } } },
  { name: 'answers alone', config: '{ allow_responses: true }', permissions: { responses: true } },
  { name: 'answers and more', config: '{ publish: "foo.*", allow_responses: true }', permissions: { publish: 'foo.*', responses: true } },
  { name: 'bytes above ASCII', config: '{ publish: "é.*", subscribe: "é.*" }', permissions: { publish: 'é.*', subscribe: 'é.*' } }
]

const subjects = [
  'foo', 'foo.bar', 'foo.baz', 'foo.*', 'req.foo', 'req', '_INBOX.a.b', '_INBOX', 'SYS.a', 'SYS.TEST.a', 'bar.baz', 'a.b', 'a.d', 'a.b.c', 'a.x.c', 'x', '$SYS.a', 'é.a',
  '__proto__', 'constructor.prototype'
].map((subject) => Buffer.from(subject).toString('latin1'))
// Without those whose `>` nats-server takes for a token that `*` matches.
const filters = [...subjects, 'foo.bar.x', 'a.>', 'a.*', 'a.*.c', 'a.b.*', '*.b', '>', '*', '*.*', 'SYS.TEST.>', '_INBOX.*', '_INBOX.>', 'x.>']
const queues = [null, 'g', 'g.1', 'g.1.2', 'bad', '*', 'g.*', '__proto__']

/** Whether an operation is answered with a permission error. */
async function isRefused (client: RawClient, operation: string): Promise<boolean> {
  client.send(operation)
  const answer = await client.fence()
  if (answer !== '' && !answer.startsWith("-ERR 'Permissions Violation")) throw new Error(answer)
  return answer !== ''
}

for (const { name, config, permissions } of cases) {
  t.test(name, async (t) => {
    const port = await startNatsServer(t, `authorization { users [ {user: a, password: b, permissions: ${config}}, {user: all, password: b} ] }`)
    const client = await open(t, port)
    await theirs(client, { user: 'a', pass: 'b' })
    client.send('CONNECT {"verbose":false,"pedantic":false}\r\n')
    const all = await open(t, port)
    await theirs(all, { user: 'all', pass: 'b' })
    all.send('CONNECT {"verbose":false,"pedantic":false}\r\n')
    const mine = (await ours(authenticator({ users: [{ user: 'a', pass: 'b', permissions }] }), { user: 'a', pass: 'b' }, { nonce: '' })).permissions as Permissions

    for (const subject of subjects) t.equal(mine.mayPublish(subject), !await isRefused(client, `PUB ${subject} 0\r\n\r\n`), `PUB ${subject}`)

    const publishing = subjects.map((subject) => `PUB ${subject} 0\r\n\r\n`).join('')
    for (const filter of filters) {
      for (const queue of queues) {
        const what = `SUB ${filter} ${queue ?? ''}`
        const allowed = mine.maySubscribe(filter, queue)
        t.equal(allowed, !await isRefused(client, `${what} 1\r\n`), what)
        // nats-server 2.9 reads entries with a queue group when it lets subscribe, but not when it delivers; later ones do.
        if (allowed && /[*>]/.test(filter) && (name !== 'queue groups' || queue === null)) {
          all.send(publishing)
          await all.fence()
          const delivered = (await client.fence()).split('\r\n').flatMap((line) => line.startsWith('MSG ') ? [line.split(' ')[1]] : [])
          const filtered = mine.filters(filter, queue)
          // What a wildcard matches is the business of the router.
          for (const subject of subjects.filter((each) => matches(filter, each))) {
            t.equal(!filtered || mine.mayReceive(subject, queue), delivered.includes(subject), `${what} gets ${subject}`)
          }
        }
        client.send('UNSUB 1\r\n')
      }
    }
  })
}

function matches (filter: string, subject: string): boolean {
  const pattern = filter.split('.').map((token) => token === '*' ? '[^.]+' : token === '>' ? '.+' : token.replaceAll(/[$*]/g, '\\$&')).join('\\.')
  return new RegExp(`^${pattern}$`).test(subject)
}

t.test('answers are counted', async (t) => {
  const port = await startNatsServer(t, 'authorization { users [ {user: a, password: b, permissions: {subscribe: service, publish: {deny: "never"}, allow_responses: {max: 2, expires: "1h"}}}, {user: all, password: b} ] }')
  const client = await open(t, port)
  await theirs(client, { user: 'a', pass: 'b' })
  client.send('CONNECT {"verbose":false,"pedantic":false}\r\nSUB service 1\r\n')
  await client.fence()
  const all = await open(t, port)
  await theirs(all, { user: 'all', pass: 'b' })
  const permissions: PermissionsOption = { subscribe: 'service', publish: { deny: 'never' }, responses: { max: 2, expires: 3_600_000 } }
  const mine = (await ours(authenticator({ users: [{ user: 'a', pass: 'b', permissions }] }), { user: 'a', pass: 'b' }, { nonce: '' })).permissions as Permissions
  const operations = ['<r1', '>r1', '>r1', '>r1', '<r1', '<r1', '>r1', '>r1', '>r1', '>r2', '<r2', '<r3', '>r3', '>r2', '>r3', '>r2', '>r2', '>r3', '<never', '>never', '>service', '<']
  for (const [i, operation] of operations.entries()) {
    const subject = operation.slice(1)
    if (operation.startsWith('<')) {
      all.send(`PUB service ${subject} 0\r\n\r\nPING\r\n`)
      await all.expect(/[^]*?PONG\r\n/)
      await client.expect(/MSG [^]*?\r\n\r\n/)
      if (subject !== '') mine.noteReply(subject)
    } else {
      t.equal(mine.mayPublish(subject), !await isRefused(client, `PUB ${subject} 0\r\n\r\n`), `${i}: ${operation}`)
    }
  }
})
