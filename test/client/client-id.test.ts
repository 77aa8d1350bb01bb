import t from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import { createGateway } from '../../lib/index.ts'
import { startBroker, startHost, versions } from '../helper/brokers.ts'
import { until } from '../helper/links.ts'
import { startRedis } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { startRedisHost } from '../helper/redis-nodes.ts'

/* eslint-disable no-template-curly-in-string -- placeholders of the option clientId */

interface Matching {
  readonly _matcher: { match (topic: string): { name: string }[] }
}

function ids (broker: object): string[] {
  return Object.keys((broker as { clients: object }).clients).sort()
}

for (const { name, create } of versions) {
  t.test(`${name}: ids are random unless the option clientId makes them of what the client says`, async (t) => {
    const { broker, natsPort } = await startHost(t, { create, nats: { clientId: '${username}-${name}' } })
    let asked = ''
    broker.preConnect = (_client, packet, callback) => {
      asked = (packet as { clientId: string }).clientId
      callback(null, true)
    }
    await connect(t, natsPort, { user: 'ann', name: 'billing' })
    t.equal(asked, 'nats:ann-billing')
    t.strictSame(ids(broker), ['nats:ann-billing'])
    await connect(t, natsPort, { user: '/a+#%', name: '__proto__' })
    t.strictSame(ids(broker), ['nats:%2Fa%2B%23%25-__proto__', 'nats:ann-billing'])
    await connect(t, natsPort, { name: 'no user' })
    t.equal(ids(broker).filter((id) => /^nats:[0-9a-f]{24}$/.test(id)).length, 1)
    await connect(t, natsPort, { user: 'ann-b', name: 'c' })
    await connect(t, natsPort, { user: 'ann', name: 'b-c' })
    t.strictSame(ids(broker).filter((id) => id.endsWith('c') && id.includes('ann')), ['nats:ann%2Db-c', 'nats:ann-b-c'], 'no id of one user is an id of another')
  })

  t.test(`${name}: a second connection with an id takes over from the first, which is told`, async (t) => {
    const { broker, natsPort, natsUrl } = await startHost(t, { create, nats: { clientId: '${name}' } })
    const first = await connect(t, natsPort, { name: 'one' })
    first.send('SUB a 1\r\n')
    await first.fence()
    const second = await connect(t, natsPort, { name: 'one' })
    t.equal(await first.end(), "-ERR 'Session Taken Over'\r\n")
    t.strictSame(ids(broker), ['nats:one'])
    t.equal(broker.connectedClients, 1)
    second.send('SUB a 7\r\nPUB a 0\r\n\r\n')
    t.equal(await second.fence(), 'MSG a 7 0\r\n\r\n')
    const library = await connectNats({ servers: natsUrl, name: 'one', reconnect: false })
    t.equal(await second.end(), "-ERR 'Session Taken Over'\r\n")
    const other = await connect(t, natsPort, { name: 'one' })
    await library.closed()
    t.equal(await other.fence(), '')
  })

  t.test(`${name}: so does one on another node; who the host closes is told nothing`, async (t) => {
    const { port } = await startRedis(t)
    const start = (): ReturnType<typeof startRedisHost> => startRedisHost(t, port, { create, nats: { clientId: '${name}' } })
    const [here, there] = [await start(), await start()]
    const listeners = (): number => (here.mq as unknown as Matching)._matcher.match('$SYS/x/new/clients').filter(({ name }) => name === 'closeSameClients').length
    t.equal(listeners(), 0, 'ours stands in for it')
    const errors: unknown[] = []
    here.broker.on('clientError', (_client, error) => { errors.push((error as unknown as { code: string }).code) })
    const first = await connect(t, here.natsPort, { name: 'one' })
    first.send('SUB a 1\r\n')
    await first.fence()
    const second = await connect(t, there.natsPort, { name: 'one' })
    t.equal(await first.end(), "-ERR 'Session Taken Over'\r\n")
    t.strictSame(errors, ['NATS_ERR_TAKEN_OVER'])
    t.strictSame([ids(here.broker), ids(there.broker)], [[], ['nats:one']])
    t.equal(here.broker.connectedClients, 0)
    second.send('SUB a 7\r\nPUB a 0\r\n\r\n')
    t.equal(await second.fence(), 'MSG a 7 0\r\n\r\n')
    const third = await connect(t, here.natsPort, { name: 'one' })
    t.equal(await second.end(), "-ERR 'Session Taken Over'\r\n")
    const [client] = Object.values((here.broker as unknown as { clients: Record<string, { close: () => void }> }).clients)
    client?.close()
    t.equal(await third.end(), '')
    await here.gateway.close()
    await until(() => listeners() === 1)
  })

  t.test(`${name}: who is refused takes nothing over`, async (t) => {
    const { broker, natsPort } = await startHost(t, { create, nats: { clientId: '${name}' } })
    const first = await connect(t, natsPort, { name: 'one' })
    broker.authenticate = (_client, _user, _password, callback) => { callback(null, false) }
    const second = await connect(t, natsPort, null)
    second.send('CONNECT {"name":"one"}\r\n')
    t.equal(await second.end(), "-ERR 'Authorization Violation'\r\n")
    t.equal(await first.fence(), '')
  })
}

t.test('a wrong template is refused', async (t) => {
  const { broker } = await startBroker(t)
  for (const clientId of ['${password}', 'a/b', '${name', '+', '${username}${name}', '${username}%${name}']) {
    await t.rejects(createGateway(broker as never, { clientId }), { code: 'NATS_ERR_OPTION', message: /clientId/ })
  }
})
