import type { Test } from 'tap'
import { createInbox, headers, type NatsConnection } from '@nats-io/transport-node'
import { createGateway, type Broker, type Gateway, type GatewayOptions } from '../../lib/index.ts'
import { startBroker, startHost, type Host } from '../helper/brokers.ts'

export interface ConnectTo {
  servers: string
  [option: string]: unknown
}

/** How clients come to a gateway. */
export interface Way {
  readonly scheme: string
  connect (options: ConnectTo): Promise<NatsConnection>
  /** The options of a gateway that has clients come to a port, 0 for any free one. */
  options (port: number): GatewayOptions
  portOf (gateway: Gateway): number
}

/** The way of the libraries for Node, without TLS. The older library has the same shape. */
export function overTcp (connect: Way['connect']): Way {
  return { scheme: 'nats', connect, options: (port) => ({ port }), portOf: ({ port }) => port }
}

/** With TLS that these options of the client trust. */
export function overTls (connect: Way['connect'], tls: NonNullable<GatewayOptions['tls']>, trust: object): Way {
  return { ...overTcp((options) => connect({ tls: trust, ...options })), options: (port) => ({ port, tls }) }
}

/** The way of the libraries for browsers. */
export function overWebsocket (connect: Way['connect']): Way {
  return {
    scheme: 'ws',
    connect,
    options: (port) => ({ port: 0, websocket: { port, noTls: true } }),
    portOf: ({ listeners: { websocket } }) => websocket?.port ?? 0
  }
}

/** What a NATS client library can do, done through the gateway. */
export function clientSuite (t: Test, { scheme, connect, options: optionsFor, portOf }: Way): void {
  const urlOf = (gateway: Gateway): string => `${scheme}://127.0.0.1:${portOf(gateway)}`

  const open = (t: Test): Promise<Host> => startHost(t, { nats: optionsFor(0) })

  const start = async (t: Test, options = {}): Promise<NatsConnection> => {
    const { gateway } = await open(t)
    const nats = await connect({ servers: urlOf(gateway), ...options })
    t.teardown(() => nats.close())
    return nats
  }

  t.test('publish and subscribe, with wildcards', async (t) => {
    const nats = await start(t)
    const got: string[] = []
    const collect = (name: string) => (error: Error | null, message: { subject: string, string: () => string }): void => {
      if (error === null) got.push(`${name} ${message.subject} ${message.string()}`)
    }
    nats.subscribe('a.b', { callback: collect('literal') })
    nats.subscribe('a.*', { callback: collect('one') })
    nats.subscribe('a.>', { callback: collect('rest') })
    nats.publish('a.b', '1')
    nats.publish('a.b.c', '2')
    nats.publish('a', '3')
    await nats.flush()
    t.strictSame(got.sort(), ['literal a.b 1', 'one a.b 1', 'rest a.b 1', 'rest a.b.c 2'])
    t.ok(nats.stats().inMsgs >= 4)
  })

  t.test('any payload', async (t) => {
    const nats = await start(t)
    const bytes = new Uint8Array(300_000).map((_, i) => i % 251)
    const subscription = nats.subscribe('bytes', { max: 2 })
    nats.publish('bytes', bytes)
    nats.publish('bytes')
    const sizes: number[] = []
    for await (const message of subscription) {
      sizes.push(message.data.length)
      if (message.data.length > 0) t.ok(Buffer.from(bytes).equals(message.data))
    }
    t.strictSame(sizes, [300_000, 0])
  })

  t.test('queue groups share, plain subscriptions do not', async (t) => {
    const { gateway } = await open(t)
    const counts = [0, 0, 0]
    let plain = 0
    const members = await Promise.all(counts.map(async (_, i) => {
      const nats = await connect({ servers: urlOf(gateway) })
      t.teardown(() => nats.close())
      nats.subscribe(i === 0 ? 'work.>' : 'work.*', { queue: 'workers', callback: () => { counts[i] = (counts[i] ?? 0) + 1 } })
      await nats.flush()
      return nats
    }))
    const [publisher] = members as [NatsConnection]
    publisher.subscribe('work.*', { callback: () => { plain++ } })
    for (let i = 0; i < 300; i++) publisher.publish('work.x')
    await Promise.all(members.map((nats) => nats.flush()))
    await Promise.all(members.map((nats) => nats.flush()))
    t.equal(plain, 300)
    t.equal(counts.reduce((sum, count) => sum + count), 300)
    for (const count of counts) t.ok(count > 50, `a member got ${count} of 300`)
  })

  t.test('requests: mux, without mux, many, concurrent', async (t) => {
    const nats = await start(t)
    nats.subscribe('service.echo', { callback: (_error, message) => { message.respond(`re: ${message.string()}`) } })
    t.equal((await nats.request('service.echo', 'mux')).string(), 're: mux')
    t.equal((await nats.request('service.echo', 'own', { noMux: true, timeout: 2000 })).string(), 're: own')
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => nats.request('service.echo', String(i), { timeout: 5000 })))
    t.strictSame(answers.map((answer) => answer.string()), answers.map((_, i) => `re: ${i}`))
    for (let i = 0; i < 3; i++) nats.subscribe('service.many', { callback: (_error, message) => { message.respond(String(i)) } })
    const many: string[] = []
    for await (const message of await nats.requestMany('service.many', '', { strategy: 'count', maxMessages: 3, maxWait: 5000 } as never)) many.push(message.string())
    t.strictSame(many.sort(), ['0', '1', '2'])
  })

  t.test('a request that nobody serves fails at once', async (t) => {
    const nats = await start(t)
    for (const noMux of [false, true]) {
      const error = await nats.request('nobody', '', { noMux, timeout: 10_000 }).then(() => null, (error: unknown) => error as Error & { code?: string })
      t.match(`${error?.name} ${error?.code} ${error?.message}`, /no ?responders|503/i)
    }
  })

  t.test('JetStream is said to be absent', async (t) => {
    const nats = await start(t)
    const error = await nats.request('$JS.API.INFO', '', { timeout: 10_000 }).then(() => null, (error: unknown) => error as Error & { code?: string })
    t.match(`${error?.code} ${String(error?.cause)}`, /NoResponders|503/)
  })

  t.test('headers', async (t) => {
    const nats = await start(t)
    const sent = headers()
    sent.append('Key', 'a: b')
    sent.append('Key', 'é')
    sent.append('other-key', '')
    const subscription = nats.subscribe('h', { max: 1 })
    nats.publish('h', 'x', { headers: sent as never, reply: createInbox() })
    for await (const message of subscription) {
      t.strictSame(message.headers?.values('Key'), ['a: b', 'é'])
      t.ok(message.headers?.has('other-key'))
      t.match(message.reply, /^_INBOX\./)
    }
  })

  t.test('unsubscribe by count, at once, and by draining', async (t) => {
    const nats = await start(t)
    let first = 0
    let second = 0
    nats.subscribe('u', { max: 3, callback: () => { first++ } })
    const other = nats.subscribe('u', { callback: () => { second++ } })
    for (let i = 0; i < 5; i++) nats.publish('u')
    await nats.flush()
    other.unsubscribe()
    nats.publish('u')
    await nats.flush()
    t.strictSame([first, second], [3, 5])
    let drained = 0
    const third = nats.subscribe('u', { callback: () => { drained++ } })
    for (let i = 0; i < 100; i++) nats.publish('u')
    await third.drain()
    t.equal(drained, 100)
    await nats.drain()
    t.ok(nats.isClosed())
  })

  t.test('flush, round trip, own messages kept away', async (t) => {
    const nats = await start(t, { noEcho: true })
    nats.subscribe('own', { callback: () => { t.fail('own message') } })
    nats.publish('own')
    await nats.flush()
    t.ok(await nats.rtt() >= 0)
    t.match(nats.info, { proto: 1, headers: true, max_payload: 1_048_576, version: /^2\.10\./, client_ip: '127.0.0.1' })
  })

  t.test('verbose and pedantic connections', async (t) => {
    const nats = await start(t, { verbose: true, pedantic: true })
    const subscription = nats.subscribe('v', { max: 2 })
    nats.publish('v', '1')
    nats.publish('v', '2')
    const got: string[] = []
    for await (const message of subscription) got.push(message.string())
    t.strictSame(got, ['1', '2'])
    await nats.flush()
  })

  t.test('comes back after the gateway restarts, with its subscriptions', async (t) => {
    const { broker } = await startBroker(t)
    const first = await createGateway(broker as Broker, { host: '127.0.0.1', ...optionsFor(0) })
    const port = portOf(first)
    const nats = await connect({ servers: urlOf(first), reconnectTimeWait: 20, maxReconnectAttempts: -1 })
    t.teardown(() => nats.close())
    const subscription = nats.subscribe('r', { max: 2 })
    nats.publish('r', 'before')
    await nats.flush()
    const reconnected = (async () => { for await (const status of nats.status()) if (status.type === 'reconnect') return })()
    await first.close()
    const second = await createGateway(broker as Broker, { host: '127.0.0.1', ...optionsFor(port) })
    t.teardown(() => second.close())
    await reconnected
    nats.publish('r', 'after')
    const got: string[] = []
    for await (const message of subscription) got.push(message.string())
    t.strictSame(got, ['before', 'after'])
  })

  t.test('a permission error reaches the subscription that it is about', async (t) => {
    const { broker } = await startBroker(t)
    broker.authorizeSubscribe = (_client, subscription, callback) => { callback(null, subscription.topic.startsWith('no') ? null : subscription) }
    const gateway = await createGateway(broker as Broker, { host: '127.0.0.1', ...optionsFor(0) })
    t.teardown(() => gateway.close())
    const nats = await connect({ servers: urlOf(gateway) })
    t.teardown(() => nats.close())
    const subscription = nats.subscribe('no.way')
    const closed = await subscription.closed.then((reason) => reason, (error: unknown) => error)
    t.match(String(closed ?? ''), /no\.way|undefined|^$/)
    t.notOk(nats.isClosed())
    await nats.flush()
  })
}
