import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import mqttPacket from 'mqtt-packet'
import { connectMqtt } from './helper/mqtt.ts'
import { freePort, scratch } from './helper/processes.ts'
import { connect } from './helper/raw.ts'
import { runCommand, startServer } from './helper/server.ts'

const telemetry = '{"device_id": "sensor_001", "temp": 25.5}'
const command = '{"action": "turn_on", "brightness": 80}'

for (const protocolVersion of [4, 5] as const) {
  t.test(`the main job, MQTT ${protocolVersion}`, async (t) => {
    const server = await startServer(t)
    const nats = await connectNats({ servers: server.natsUrl })
    t.teardown(() => nats.close())
    const mqtt = await connectMqtt(t, server.mqttUrl, { protocolVersion })

    t.test('NATS to MQTT', async (t) => {
      await mqtt.subscribe('sensor/data/temperature', { qos: 1 })
      nats.publish('sensor.data.temperature', telemetry)
      const [received] = await mqtt.take()
      t.equal(received?.topic, 'sensor/data/temperature')
      t.strictSame(received?.payload, Buffer.from(telemetry))
    })

    t.test('MQTT to NATS', async (t) => {
      const subscription = nats.subscribe('command.device.light_001', { max: 1 })
      await nats.flush()
      await mqtt.publish('command/device/light_001', command, { qos: 1 })
      for await (const message of subscription) {
        t.equal(message.subject, 'command.device.light_001')
        t.strictSame(Buffer.from(message.data), Buffer.from(command))
      }
    })

    for (const qos of [1, 2] as const) {
      // Aedes 2 would take the QoS 2 message of the second run for a duplicate of the first.
      t.test(`MQTT to NATS from a script that closes at once, run three times, QoS ${qos}`, async (t) => {
        const subscription = nats.subscribe('command.device.light_001', { max: 3 })
        await nats.flush()
        const packets = Buffer.concat([
          mqttPacket.generate({ cmd: 'connect', protocolVersion, protocolId: 'MQTT', clientId: 'script', clean: true, keepalive: 0 }),
          mqttPacket.generate({ cmd: 'publish', topic: 'command/device/light_001', payload: command, qos, messageId: 1, dup: false, retain: false }, { protocolVersion }),
          mqttPacket.generate({ cmd: 'disconnect' }, { protocolVersion })
        ])
        const messages = subscription[Symbol.asyncIterator]()
        for (let i = 0; i < 3; i++) {
          const socket = net.connect(server.mqttPort, '127.0.0.1')
          // Never read: what the server has sent turns the close into a reset.
          socket.end(packets, () => { socket.destroy() })
          const { value } = await messages.next()
          t.strictSame(Buffer.from(value.data), Buffer.from(command))
        }
      })
    }
  })
}

t.test('names of Object.prototype are names like others', async (t) => {
  const server = await startServer(t)
  const names = Object.getOwnPropertyNames(Object.prototype)
  for (const protocolVersion of [4, 5] as const) {
    for (const name of names) {
      const mqtt = await connectMqtt(t, server.mqttUrl, { clientId: name, username: name, password: name, protocolVersion, clean: false, properties: protocolVersion === 5 ? { sessionExpiryInterval: 60 } : {} })
      await mqtt.subscribe(name)
      // Aedes gathers several filters in a plain object; with `__proto__` among them it ends the connection.
      if (name !== '__proto__') await mqtt.subscribe([name, `${name}/x`, 'other'])
      await mqtt.publish(name, 'x')
      await mqtt.take()
      await mqtt.client.unsubscribeAsync([name, 'none'])
      await mqtt.client.endAsync()
    }
  }
  const mqtt = await connectMqtt(t, server.mqttUrl)
  await t.rejects(mqtt.subscribe(['__proto__', 'other']))
  const client = await connect(t, server.natsPort, { user: 'constructor', name: '__proto__' })
  for (const name of names) {
    client.send(`SUB ${name} ${name} ${name}\r\nPUB ${name} 0\r\n\r\n`)
    t.equal(await client.fence(), `MSG ${name} ${name} 0\r\n\r\n`)
    client.send(`UNSUB ${name}\r\n`)
  }
  t.equal(await client.fence(), '')
})

t.test('nothing listens after a wrong command line, configuration or environment', async (t) => {
  const folder = scratch(t)
  const file = (text: string): string => {
    const name = path.join(folder, `${Math.random()}.conf`)
    writeFileSync(name, text)
    return name
  }
  const rows: [string[], Record<string, string>, RegExp][] = [
    [['--prot', '1'], {}, /^aedes-nats: unknown flag --prot: see --help\n$/],
    [['-p', 'x'], {}, /^aedes-nats: flag -p is "x": allowed is a whole number from 0 to 65535/],
    [[], { AEDES_NATS_MQTT_PORT: '70000' }, /^aedes-nats: environment variable AEDES_NATS_MQTT_PORT is "70000": allowed is/],
    [['-c', file('port: 4222\n\nprot: 1\n')], {}, /^aedes-nats: .*\.conf:3: .*prot/],
    [['-c', file('max_payload: lots')], {}, /^aedes-nats: .*\.conf:1: .*max_payload/],
    [['-c', path.join(folder, 'none.conf')], {}, /^aedes-nats: .*none\.conf/],
    [['-l', path.join(folder, 'none', 'log')], {}, /^aedes-nats: ENOENT/],
    [['--redis', 'http://x'], {}, /^aedes-nats: flag --redis is "http:\/\/x": allowed is redis:\/\/host:port\[\/db\]/]
  ]
  for (const [args, env, wanted] of rows) {
    const refused = runCommand(t, args, env)
    t.equal(await refused.exit(), 1, args.join(' '))
    t.match(refused.output, wanted)
    t.notMatch(refused.output, /Listening/)
  }
})

t.test('help, version and a test of the configuration', async (t) => {
  const folder = scratch(t)
  const file = path.join(folder, 'a.conf')
  writeFileSync(file, 'port: -1\n')
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  for (const [args, wanted] of [
    [['-h'], /Usage: aedes-nats \[options\][^]*--mqtt-port/], [['--version'], new RegExp(`^aedes-nats: v${version}\n$`)], [['-t', '-c', file], /configuration file .*a\.conf is valid/]
  ] as const) {
    const asked = runCommand(t, args)
    t.equal(await asked.exit(), 0)
    t.match(asked.output, wanted)
  }
})

t.test('a port that is taken ends the server, whichever it is', async (t) => {
  const taken = net.createServer()
  await new Promise<void>((resolve) => { taken.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as net.AddressInfo
  for (const flag of ['-p', '--mqtt-port', '-m']) {
    const refused = runCommand(t, ['-a', '127.0.0.1', '-p', '-1', '--mqtt-port', '-1', flag, String(port)])
    t.equal(await refused.exit(), 1, flag)
    t.match(refused.output, new RegExp(`\\[FTL\\] cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`))
  }
})

t.test('ports file, pid file and log file come and go', async (t) => {
  const folder = scratch(t)
  const pidFile = path.join(folder, 'pid')
  const logFile = path.join(folder, 'log')
  const server = runCommand(t, ['-a', '127.0.0.1', '-p', '-1', '--mqtt-port', '-1', '-m', '-1', '--ports_file_dir', folder, '-P', pidFile, '-l', logFile, '-DV'])
  const portsFile = path.join(folder, `nats-server_${server.pid}.ports`)
  while (!existsSync(pidFile)) await new Promise((resolve) => { setTimeout(resolve, 10) })
  t.equal(readFileSync(pidFile, 'utf8'), String(server.pid))
  const ports = JSON.parse(readFileSync(portsFile, 'utf8')) as Record<string, string[]>
  t.match(ports, { nats: [/^nats:\/\/127\.0\.0\.1:\d+$/], monitoring: [/^http:\/\/127\.0\.0\.1:\d+$/], mqtt: [/^mqtt:\/\/127\.0\.0\.1:\d+$/] })
  const nats = await connectNats({ servers: ports['nats']?.[0] as string, name: 'who' })
  await nats.flush()
  await nats.close()
  server.child.kill('SIGUSR1')
  while (!readFileSync(logFile, 'utf8').includes('File log re-opened')) await new Promise((resolve) => { setTimeout(resolve, 10) })
  t.equal(await server.stop('SIGTERM'), 0)
  t.notOk(existsSync(pidFile))
  t.notOk(existsSync(portsFile))
  t.equal(server.output, '')
  const log = readFileSync(logFile, 'utf8')
  t.match(log, /\[DBG\] 127\.0\.0\.1:\d+ - cid:1 - Client connection created/)
  t.match(log, /\[TRC\] 127\.0\.0\.1:\d+ - cid:1 - <<- \[CONNECT \{.*"name":"who"/)
  t.match(log, /\[TRC\] 127\.0\.0\.1:\d+ - cid:1 - <<- \[PING\]/)
  t.match(log, /\[INF\] Server Exiting\.\.\n$/)
})

t.test('SIGINT stops, with clients connected', async (t) => {
  const server = await startServer(t)
  const client = await connect(t, server.natsPort)
  const mqtt = await connectMqtt(t, server.mqttUrl)
  const offline = new Promise<void>((resolve) => { mqtt.client.on('close', () => { resolve() }) })
  t.equal(await server.process.stop('SIGINT'), 0)
  t.equal(await client.end(), '')
  await offline
})

t.test('SIGUSR2 is lame duck mode, which SIGTERM does not cut short', async (t) => {
  const file = path.join(scratch(t), 'a.conf')
  writeFileSync(file, 'lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n')
  const server = await startServer(t, ['-c', file])
  const client = await connect(t, server.natsPort, { protocol: 1 })
  server.process.child.kill('SIGUSR2')
  t.match(JSON.parse((await client.expect(/INFO .*\r\n/)).slice(5)), { ldm: true })
  server.process.child.kill('SIGTERM')
  client.send('SUB a 1\r\nPUB a 0\r\n\r\n')
  t.equal(await client.fence(), 'MSG a 1 0\r\n\r\n')
  await t.rejects(connect(t, server.natsPort, null))
  t.equal(await client.end(), '')
  t.equal(await server.process.exit(), 0)
})

t.test('SIGHUP reads the file again', async (t) => {
  const file = path.join(scratch(t), 'a.conf')
  writeFileSync(file, 'max_payload: 100\n')
  const server = await startServer(t, ['-c', file])
  const client = await connect(t, server.natsPort)
  t.equal(client.info['max_payload'], 100)
  writeFileSync(file, 'max_payload: 200\ndebug: true\nserver_name: other\n')
  server.process.child.kill('SIGHUP')
  await server.process.until(/\[INF\] Reloaded server configuration/)
  t.match(server.process.output, /\[WRN\] Changed in the configuration, but only a restart puts them into effect: server_name/)
  client.send(`SUB a 1\r\nPUB a 200\r\n${'x'.repeat(200)}\r\n`)
  t.match(await client.fence(), /^MSG a 1 200/)
  t.equal((await connect(t, server.natsPort)).info['max_payload'], 200)
  await server.process.until(/\[DBG\] .* - Client connection created/)
  writeFileSync(file, 'max_payload: none\n')
  server.process.child.kill('SIGHUP')
  await server.process.until(/\[ERR\] Failed to reload server configuration: .*a\.conf:1: /)
  t.equal((await connect(t, server.natsPort)).info['max_payload'], 200, 'what held before still holds')
})

t.test('environment variables, and a name', async (t) => {
  const port = await freePort()
  const server = await startServer(t, ['--id', 'node-1'], { AEDES_NATS_HTTP_PORT: String(port), AEDES_NATS_MQTT_PORT: '0', AEDES_NATS_CLIENT_ADVERTISE: 'me:1' })
  t.ok(server.mqttPort > 0, 'the flag wins')
  const { info } = await connect(t, server.natsPort)
  t.match(info, { server_name: 'node-1', host: 'me', port: 1 })
  t.match(await (await fetch(`http://127.0.0.1:${port}/varz`)).json(), { server_name: 'node-1' })
})

t.test('credentials of the command line are asked for', async (t) => {
  for (const [args, right] of [[['--user', 'a', '--pass', 'S3CRET'], { user: 'a', pass: 'S3CRET' }], [['--auth', 'S3CRET'], { auth_token: 'S3CRET' }]] as const) {
    const server = await startServer(t, args)
    const client = await connect(t, server.natsPort, right)
    t.equal(client.info['auth_required'], true)
    const wrong = await connect(t, server.natsPort, null)
    wrong.send('CONNECT {"user":"a","pass":"b","auth_token":"c"}\r\n')
    t.equal(await wrong.end(), "-ERR 'Authorization Violation'\r\n")
    await server.process.until(/\[WRN\] 127\.0\.0\.1:\d+ - cid:2 - authorization violation: wrong password or token/)
    await t.rejects(connectMqtt(t, server.mqttUrl), { code: 5 })
    await connectMqtt(t, server.mqttUrl, { username: 'a', password: 'S3CRET' })
    t.notMatch(server.process.output, /S3CRET/)
  }
})

async function get (t: Test, port: number, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  t.equal(response.status, 200, path)
  return await response.json() as Record<string, unknown>
}

t.test('monitoring', async (t) => {
  const server = await startServer(t, ['-m', '-1'])
  const port = Number(/Starting http monitor on 127\.0\.0\.1:(\d+)/.exec(server.process.output)?.[1])
  const client = await connect(t, server.natsPort, { name: 'é', lang: 'raw', version: '1' })
  client.send('SUB a.\xc3\xa9 1\r\nPUB a.\xc3\xa9 5\r\nhello\r\n')
  await client.fence()
  const other = await connect(t, server.natsPort)
  other.send('PUB a 1\r\nx\r\n')
  other.socket.end()
  await other.end()
  t.match(await get(t, port, '/varz'), { version: /^2\.10\./, max_payload: 1048576, ping_interval: 120e9, in_msgs: 2, in_bytes: 6, out_msgs: 1, out_bytes: 5, connections: 1, total_connections: 2, subscriptions: 1, uptime: /^\d+s$/, port: server.natsPort })
  const connz = await get(t, port, '/connz?subs=1')
  t.match(connz, { num_connections: 1, total: 1, offset: 0, limit: 1024 })
  t.match((connz['connections'] as object[])[0], { cid: 1, ip: '127.0.0.1', port: client.socket.localPort, in_msgs: 1, out_msgs: 1, subscriptions: 1, lang: 'raw', version: '1', subscriptions_list: ['a.é'] })
  t.strictSame((await get(t, port, '/connz?offset=1&limit=x'))['connections'], [])
  t.match(((await get(t, port, '/connz?auth=1'))['connections'] as object[])[0], { authorized_user: 'N/A', account: '$G' })
  t.match(await get(t, port, '/routez'), { num_routes: 0, routes: [] })
  t.match(await get(t, port, '/subsz'), { num_subscriptions: 1 })
  t.strictSame(await get(t, port, '/healthz'), { status: 'ok' })
  t.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /<a href="\.\/varz">varz/)
})
