import { createReadStream } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import t from 'tap'
import natsGateway, { type Broker, type GatewayOptions } from '../lib/index.ts'
import { startBroker, type Teardown } from './helper/brokers.ts'
import { connectMqtt } from './helper/mqtt.ts'
import { Process } from './helper/processes.ts'

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
})
t.teardown(() => browser.close())

/** Cookies and pages that no other test sees. */
async function openContext (t: Teardown): Promise<BrowserContext> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  return context
}

/** A Fastify server with an empty page, the NATS client for it, and the gateway on the path /nats. @returns its address */
async function startSite (t: Teardown, nats: Pick<GatewayOptions, 'authorization' | 'websocket'>): Promise<string> {
  const { broker } = await startBroker(t)
  const fastify = Fastify({ forceCloseConnections: true })
  t.teardown(() => fastify.close())
  await fastify.register(natsGateway, { broker: broker as Broker, host: '127.0.0.1', port: 0, ...nats, websocket: { path: '/nats', ...nats.websocket } })
  fastify.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html>'))
  fastify.get('/nats.js', (_request, reply) => reply.type('text/javascript').send(createReadStream(fileURLToPath(import.meta.resolve('nats.ws')))))
  return await fastify.listen({ port: 0, host: '127.0.0.1' })
}

/** Connects in the page; what came of it. */
async function connectFrom (page: Page, site: string): Promise<unknown> {
  return await page.evaluate(`import('/nats.js')
    .then(({ connect }) => connect({ servers: '${site.replace('http', 'ws')}/nats', reconnect: false }))
    .then((nats) => nats.close())
    .then(() => 'connected', (error) => error.code)`)
}

t.test('the page of the example shows what devices measure, and goes on when its server comes back', async (t) => {
  const start = async (ports: Record<string, string>): Promise<[Process, string, string]> => {
    const run = new Process(t, process.execPath, [fileURLToPath(new URL('../example/web.js', import.meta.url))], { ...process.env, NATS_PORT: '0', ...ports })
    const [, mqttPort, httpPort] = await run.until(/MQTT on port (\d+), HTTP on port (\d+)/)
    return [run, String(mqttPort), String(httpPort)]
  }
  const [first, mqttPort, httpPort] = await start({ MQTT_PORT: '0', PORT: '0' })
  const connectDevice = () => connectMqtt(t, `mqtt://127.0.0.1:${mqttPort}`)
  let device = await connectDevice()
  await device.publish('devices/<b>lamp/telemetry', '{"temperature":21.5,"humidity":40}', { retain: true })

  const page = await (await openContext(t)).newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => { errors.push(error.message) })
  await page.goto(`http://127.0.0.1:${httpPort}/`)
  const state = (name: string): Promise<void> => page.locator(`#state[data-state=${name}]`).waitFor()
  const row = page.locator('tr').filter({ hasText: '<b>lamp' })
  await row.and(page.locator('.silent')).waitFor()
  t.strictSame(await row.locator('td').allTextContents(), ['<b>lamp', '21.5 °C', '', '40 %', ''], 'what was retained, of a device that says nothing now')
  await device.publish('devices/<b>lamp/telemetry', 'no JSON')
  await device.publish('devices/<b>lamp/telemetry', '{"temperature":22,"humidity":41}')
  await row.filter({ hasText: '22 °C' }).waitFor()
  t.not(await row.locator('td').last().textContent(), '', 'and now it has been heard')
  for (const name of ['boiler', 'cold-store', 'greenhouse']) await page.locator(`tr[data-device=${name}]:not(.silent)`).waitFor()
  t.same(await page.locator('tbody td:first-child').allTextContents(), ['<b>lamp', 'boiler', 'cold-store', 'greenhouse'])

  // As browsers hold ready, now and then.
  const unused = net.connect(Number(httpPort), '127.0.0.1')
  t.teardown(() => unused.destroy())
  await new Promise((resolve) => { unused.once('connect', resolve) })
  await first.stop('SIGTERM')
  await state('reconnecting')
  await start({ MQTT_PORT: mqttPort, PORT: httpPort })
  await state('connected')
  device = await connectDevice()
  await device.publish('devices/<b>lamp/telemetry', '{"temperature":23,"humidity":42}')
  await row.filter({ hasText: '23 °C' }).waitFor()
  t.strictSame(errors, [])
})

t.test('a page of another origin is let in or refused, as the options say', async (t) => {
  const other = await startSite(t, {})
  const page = await (await openContext(t)).newPage()
  const refusals: string[] = []
  page.on('websocket', (webSocket) => { webSocket.on('socketerror', (error) => { refusals.push(error) }) })
  for (const [websocket, own, foreign] of [
    [{}, 'connected', 'connected'],
    [{ sameOrigin: true }, 'connected', 'UNKNOWN_ERROR'],
    [{ allowedOrigins: [other] }, 'UNKNOWN_ERROR', 'connected']
  ] as const) {
    const site = await startSite(t, { websocket })
    await page.goto(site)
    t.equal(await connectFrom(page, site), own, JSON.stringify(websocket))
    await page.goto(other)
    t.equal(await connectFrom(page, site), foreign, JSON.stringify(websocket))
  }
  t.match(refusals, [/Unexpected response code: 403/, /Unexpected response code: 403/])
  t.equal(refusals.length, 2)
})

t.test('cookies that the page cannot read say who it is', async (t) => {
  const site = await startSite(t, {
    websocket: { userCookie: 'user', passCookie: 'pass' },
    authorization: { users: [{ user: 'ann', pass: 'secret' }] }
  })
  for (const [pass, outcome] of [['secret', 'connected'], ['wrong', 'AUTHORIZATION_VIOLATION'], [null, 'AUTHORIZATION_VIOLATION']] as const) {
    const context = await openContext(t)
    const cookies = { user: 'ann', ...pass !== null && { pass } }
    await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ name, value, url: site, httpOnly: true, sameSite: 'Strict' })))
    const page = await context.newPage()
    await page.goto(site)
    t.equal(await page.evaluate('document.cookie'), '')
    t.equal(await connectFrom(page, site), outcome, `password ${pass ?? 'left out'}`)
  }
})
