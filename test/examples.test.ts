import t from 'tap'
import { connectMqtt } from './helper/mqtt.ts'
import { Process } from './helper/processes.ts'
import { connect } from './helper/raw.ts'
import { startServer } from './helper/server.ts'
import { dialNats, hello } from './secure/web-client.ts'

function example (name: string): string {
  return new URL(`../example/${name}`, import.meta.url).pathname
}

t.test('the first two examples, with the server of `npm start`', async (t) => {
  const server = await startServer(t)
  const env = { ...process.env, NATS_URL: server.natsUrl, MQTT_URL: server.mqttUrl }
  for (const [name, wanted] of [
    ['nats-to-mqtt.js', 'MQTT received on sensor/data/temperature: {"device_id": "sensor_001", "temp": 25.5}\n'],
    ['mqtt-to-nats.js', 'NATS received on command.device.light_001: {"action": "turn_on", "brightness": 80}\n']
  ] as const) {
    const run = new Process(t, process.execPath, [example(name)], env)
    t.equal(await run.exit(), 0, name)
    t.equal(run.output, wanted)
  }
})

t.test('the service that misses nothing', async (t) => {
  const server = await startServer(t)
  const env = { ...process.env, NATS_URL: server.natsUrl, MQTT_URL: server.mqttUrl }
  const start = (...args: string[]): Process => new Process(t, process.execPath, [example('durable.js'), ...args], env)
  const first = start()
  await first.until(/waiting for sensors\.>/)
  await first.stop('SIGINT')
  const device = start('publish', '3')
  t.equal(await device.exit(), 0)
  t.equal(device.output, 'stored: reading 1\nstored: reading 2\nstored: reading 3\n')
  const second = start()
  await second.until(/reading": 3/)
  t.equal(second.output, 'waiting for sensors.>\nsensors.thermometer: {"reading": 1}\nsensors.thermometer: {"reading": 2}\nsensors.thermometer: {"reading": 3}\n')
  await second.stop('SIGINT')
})

t.test('the service that commands devices', async (t) => {
  const run = new Process(t, process.execPath, [example('request-device.js')])
  t.equal(await run.exit(), 0)
  t.equal(run.output, 'MQTT 3.1.1 lamp: turn on done\nMQTT 5 heater: heat to 21 done\n')
})

for (const name of ['aedes.js', 'fastify.js']) {
  t.test(name, async (t) => {
    const run = new Process(t, process.execPath, [example(name)], { ...process.env, NATS_PORT: '0', MQTT_PORT: '0', PORT: '0' })
    const [, natsPort, mqttPort, httpPort] = await run.until(/NATS on port (\d+), MQTT on port (\d+)(?:, HTTP on port (\d+))?/)
    const client = await connect(t, Number(natsPort))
    client.send('SUB a 1\r\nPUB secret.a 0\r\n\r\n')
    t.equal(await client.fence(), name === 'aedes.js' ? "-ERR 'Permissions Violation for Publish to \"secret.a\"'\r\n" : '')
    const mqtt = await connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
    await mqtt.publish('a', 'x', { qos: 0 })
    await client.expect('MSG a 1 1\r\nx\r\n')
    if (httpPort !== undefined) t.strictSame(await (await fetch(`http://127.0.0.1:${httpPort}/`)).json(), { natsConnections: 1 })
    await mqtt.client.endAsync()
    await run.stop('SIGTERM')
    t.equal(await client.end(), '')
  })
}

t.test('web.js', async (t) => {
  const run = new Process(t, process.execPath, [example('web.js')], { ...process.env, NATS_PORT: '0', MQTT_PORT: '0', PORT: '0' })
  const [, natsPort, httpPort] = await run.until(/NATS on port (\d+), MQTT on port \d+, HTTP on port (\d+)/)
  const site = `http://127.0.0.1:${httpPort}`
  t.match(await (await fetch(site)).text(), /from '\/nats\.js'/)
  t.match(await (await fetch(`${site}/nats.js`)).text(), /^export \{.* connect as connect/m)
  const visitor = await dialNats(t, `${site.replace('http', 'ws')}/nats`)
  visitor.send(`${hello}SUB devices.boiler.telemetry 1\r\nSUB > 2\r\nPUB devices.boiler.telemetry 0\r\n\r\n`)
  const answer = await visitor.expect(/[^]*HMSG devices\.boiler\.telemetry 1 [^]*\{"temperature":[^]*?\r\n/)
  for (const denied of ['Subscription to ">"', 'Publish to "devices.boiler.telemetry"']) t.match(answer, `-ERR 'Permissions Violation for ${denied}'\r\n`)
  const service = await connect(t, Number(natsPort), { user: 'service', pass: 'secret' })
  t.equal(await service.fence(), '')
  await run.stop('SIGTERM')
})
