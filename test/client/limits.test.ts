import t, { type Test } from 'tap'
import { startHost } from '../helper/brokers.ts'
import { startNatsServer } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import type { GatewayOptions } from '../../lib/options.ts'

// The same limit on nats-server and on the gateway: the same behaviour.

function onBoth (name: string, config: string, nats: GatewayOptions, run: (t: Test, port: number) => Promise<void>): void {
  t.test(`nats-server: ${name}`, async (t) => { await run(t, await startNatsServer(t, config)) })
  t.test(`aedes-nats: ${name}`, async (t) => { await run(t, (await startHost(t, { nats })).natsPort) })
}

onBoth('max_connections tells the next one and closes it', 'max_connections: 2', { maxConnections: 2 }, async (t, port) => {
  const first = await connect(t, port)
  await connect(t, port, null)
  const third = await connect(t, port, null)
  t.match(third.info, { proto: 1, max_payload: 1048576 })
  t.equal(await third.end(), "-ERR 'maximum connections exceeded'\r\n")
  t.equal(await first.fence(), '')
  first.socket.end()
  await first.end()
  // The server notices that one is gone a moment later.
  for (;;) {
    const again = await connect(t, port, null)
    again.send('CONNECT {"verbose":false}\r\nPING\r\n')
    const text = await again.expect(/PONG\r\n|-ERR.*\r\n/)
    if (text === 'PONG\r\n') break
  }
})

onBoth('without header support INFO says so, and HPUB ends the connection', 'no_header_support: true', { headers: false }, async (t, port) => {
  const client = await connect(t, port, { headers: true, no_responders: false })
  t.equal(client.info['headers'] ?? false, false)
  client.send('SUB a 1\r\nPUB a 1\r\nx\r\n')
  t.equal(await client.fence(), 'MSG a 1 1\r\nx\r\n')
  client.send('HPUB a 2 3\r\nabc\r\nPING\r\n')
  t.equal(await client.end(), '')
  const other = await connect(t, port, null)
  other.send('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nPING\r\n')
  t.equal(await other.end(), "-ERR 'no responders requires headers support'\r\n")
})

onBoth('max_sub_tokens refuses longer subjects', 'max_sub_tokens: 3', { maxSubTokens: 3 }, async (t, port) => {
  const client = await connect(t, port)
  client.send('SUB a.b.c 1\r\nSUB a.b.c.d q 2\r\nPUB a.b.c 0\r\n\r\nPUB a.b.c.d 0\r\n\r\n')
  t.equal(await client.fence(), "-ERR 'Permissions Violation for Subscription to \"a.b.c.d\", too many tokens'\r\nMSG a.b.c 1 0\r\n\r\n")
})

onBoth('max_subscriptions refuses further ones, also with a sid that is in use', 'max_subscriptions: 2', { maxSubscriptions: 2 }, async (t, port) => {
  const client = await connect(t, port)
  client.send('SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB a 1\r\nUNSUB 2\r\nSUB c 3\r\nPUB c 0\r\n\r\n')
  t.equal(await client.fence(), "-ERR 'maximum subscriptions exceeded'\r\n".repeat(2) + 'MSG c 3 0\r\n\r\n')
})

onBoth('max_payload ends the connection on the control line', 'max_payload: 1000', { maxPayload: 1000 }, async (t, port) => {
  const client = await connect(t, port)
  t.equal(client.info['max_payload'], 1000)
  client.send(`SUB a 1\r\nPUB a 1000\r\n${'x'.repeat(1000)}\r\n`)
  t.equal((await client.fence()).length, 'MSG a 1 1000\r\n\r\n'.length + 1000)
  client.send('PUB a 1001\r\n')
  t.equal(await client.end(), "-ERR 'Maximum Payload Violation'\r\n")
})

onBoth('max_control_line ends the connection', 'max_control_line: 19', { maxControlLine: 19 }, async (t, port) => {
  const client = await connect(t, port, null)
  client.send('CONNECT {"verbose" : false}\r\nCONNECT {"verbose"  : false}\r\nPING\r\n')
  t.equal(await client.end(), "-ERR 'maximum control line exceeded'\r\n")
  const other = await connect(t, port, null)
  other.send(`SUB ${'a'.repeat(17)} 1\r\nSUB ${'a'.repeat(18)} 2`)
  t.equal(await other.end(), "+OK\r\n-ERR 'maximum control line exceeded'\r\n")
})

onBoth('a client that answers no PING is stale', 'ping_interval: "50ms"\nping_max: 2', { pingInterval: 50, pingMax: 2 }, async (t, port) => {
  const client = await connect(t, port)
  t.equal(await client.end(), "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n")
})

onBoth('a client that answers stays', 'ping_interval: "30ms"\nping_max: 1', { pingInterval: 30, pingMax: 1 }, async (t, port) => {
  const client = await connect(t, port)
  client.answersPings = false
  for (let i = 0; i < 10; i++) {
    await client.expect('PING\r\n')
    client.send('PONG\r\n')
  }
  t.equal(await client.fence(), '')
})

onBoth('a busy client is asked once, for the round trip', 'ping_interval: "100ms"\nping_max: 1', { pingInterval: 100, pingMax: 1 }, async (t, port) => {
  const client = await connect(t, port)
  client.answersPings = false
  let pings = 0
  const busy = setInterval(() => { client.send('PUB a 0\r\n\r\n') }, 10)
  t.teardown(() => { clearInterval(busy) })
  await client.expect('PING\r\n')
  pings++
  client.send('PONG\r\n')
  // Five further intervals with traffic.
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  clearInterval(busy)
  pings += (await client.fence()).split('PING').length - 1
  t.equal(pings, 1)
})

onBoth('a client that never says CONNECT is asked too', 'ping_interval: "30ms"\nping_max: 1', { pingInterval: 30, pingMax: 1 }, async (t, port) => {
  const client = await connect(t, port, null)
  t.equal(await client.end(), "PING\r\n-ERR 'Stale Connection'\r\n")
})

onBoth('a reader that does not read is cut off, the publisher not', 'max_pending: 1MB\nwrite_deadline: "500ms"', { maxPending: 1_048_576, writeDeadline: 500 }, async (t, port) => {
  const reader = await connect(t, port)
  reader.send('SUB a 1\r\n')
  await reader.fence()
  reader.socket.pause()
  const publisher = await connect(t, port)
  const message = `PUB a 1000000\r\n${'x'.repeat(1_000_000)}\r\n`
  let sent = 0
  for (; !reader.ended && sent < 200; sent++) {
    publisher.send(message)
    await publisher.fence()
    // Only a socket that is read sees its end; by now the kernel's buffers are full.
    if (sent === 50) reader.socket.resume()
  }
  await reader.end()
  t.ok(sent < 200, `cut off after ${sent} messages`)
  t.equal(await publisher.fence(), '')
})

onBoth('a client that ends its side gets the answers to all it sent', '', {}, async (t, port) => {
  const client = await connect(t, port)
  client.socket.end(`SUB a 1\r\n${'PUB a 1\r\nx\r\n'.repeat(1000)}PING\r\n`)
  t.equal(await client.end(), 'MSG a 1 1\r\nx\r\n'.repeat(1000) + 'PONG\r\n')
})

onBoth('input behind a fatal error does not keep the error from the client', 'max_payload: 100', { maxPayload: 100 }, async (t, port) => {
  const client = await connect(t, port)
  client.send(`PUB a 101\r\n${'x'.repeat(1000)}`)
  t.match(await client.end(), "-ERR 'Maximum Payload Violation'\r\n")
})

onBoth('a write that takes longer than write_deadline cuts the reader off', 'write_deadline: "200ms"', { writeDeadline: 200 }, async (t, port) => {
  const reader = await connect(t, port)
  reader.send('SUB a 1\r\n')
  await reader.fence()
  reader.socket.pause()
  const publisher = await connect(t, port)
  const message = `PUB a 1000000\r\n${'x'.repeat(1_000_000)}\r\n`
  // More than the kernel's buffers take, less than may be pending.
  for (let i = 0; i < 30; i++) publisher.send(message)
  t.equal(await publisher.fence(), '')
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  reader.socket.resume()
  const text = await reader.end()
  t.ok(text.length < 30_000_000, `the reader got ${text.length} bytes`)
})

onBoth('a reader that pauses gets everything, in order', '', {}, async (t, port) => {
  const reader = await connect(t, port)
  reader.answersPings = false
  reader.send('SUB a 1\r\n')
  await reader.fence()
  reader.socket.pause()
  const publisher = await connect(t, port)
  const bodies = Array.from({ length: 4000 }, (_, i) => `${i} ${String.fromCharCode(i % 256).repeat(1000 + i)}`)
  for (const body of bodies) publisher.send(`PUB a ${body.length}\r\n${body}\r\n`)
  t.equal(await publisher.fence(), '')
  reader.socket.resume()
  reader.send('PING\r\n')
  const wanted = bodies.map((body) => `MSG a 1 ${body.length}\r\n${body}\r\n`).join('') + 'PONG\r\n'
  const text = await reader.expect(/[^]*PONG\r\n/)
  t.ok(text.replace(/(\r\n|^)PING\r\n/g, '$1') === wanted)
})

onBoth('the first PING comes after two seconds, whatever the interval', '', {}, async (t, port) => {
  const began = Date.now()
  const client = await connect(t, port)
  client.answersPings = false
  await client.expect('PING\r\n')
  t.ok(Date.now() - began > 1900)
})
