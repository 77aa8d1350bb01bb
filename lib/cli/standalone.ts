import net, { type AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Aedes } from 'aedes'
import Fastify, { type FastifyInstance } from 'fastify'
import { NatsError } from '../errors.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { fixedChanges } from '../gateway/fixed.ts'
import { monitorRoutes } from '../monitor/routes.ts'
import { type GatewayOptions, optionTable, type OptionRow } from '../options.ts'
import { lingering } from '../transport/linger.ts'
import { readFromWindow } from './byte-window.ts'
import { createHostBroker } from './host-broker.ts'
import type { ServerLog } from './logger.ts'
import { MqttAccess } from './mqtt-access.ts'
import { type Listeners as OpenListeners, writePidFile, writePortsFile } from './ports-file.ts'
import type { RedisLink } from './redis.ts'
import type { Address, Settings } from './settings.ts'

/** A running server. */
export interface Standalone {
  readonly gateway: Gateway
  /** Puts the settings into effect that can change while it runs. */
  reload (settings: Settings): void
  /** Closes everything, in the order in which the parts need each other. */
  stop (): Promise<void>
}

type Undo = () => unknown

/** Starts Redis, the broker and every listener; nothing is left open when one of them fails. */
export async function startStandalone (settings: Settings, log: ServerLog): Promise<Standalone> {
  const undo: Undo[] = []
  const stop = async (): Promise<void> => {
    for (const each of undo.splice(0).reverse()) await each()
  }
  try {
    // ioredis is not loaded for nothing: see broker/ioredis.ts.
    const redis = settings.redis === null ? null : await (await import('./redis.ts')).connectRedis(settings.redis, log)
    if (redis !== null) undo.push(() => redis.close())
    const broker = await createHostBroker({ id: settings.id ?? '', redis, log })
    undo.push(() => closeBroker(broker, redis?.problem() ?? null))
    const access = new MqttAccess(broker, log)
    const gateway = await createGateway(broker, gatewayOptions(settings, redis, log))
    undo.push(() => gateway.close())
    access.begin(gateway, settings.mqttAccess)
    const mqtt = settings.mqtt === null ? null : await listenMqtt(broker, settings.mqtt, log, undo)
    const monitoring = settings.http === null ? null : await listenHttp(gateway, settings.http, () => redis?.problem() ?? null, log, undo)
    if (settings.portsFileDir !== null) undo.push(writePortsFile(settings.portsFileDir, { ...natsAddresses(gateway), monitoring, mqtt }))
    if (settings.pidFile !== null) undo.push(writePidFile(settings.pidFile))
    return { gateway, stop, reload: (next) => { reload(gateway, access, settings, next, log) } }
  } catch (error) {
    await stop()
    throw error
  }
}

function natsAddresses ({ host, port, options, listeners: { websocket } }: Gateway): Pick<OpenListeners, 'nats' | 'websocket'> {
  return {
    nats: { address: host, family: '', port },
    websocket: websocket === null ? null : { address: websocket.host, family: '', port: websocket.port, isSecure: options.websocket?.tls != null }
  }
}

function closeBroker (broker: Aedes, problem: string | null): Promise<void> {
  return new Promise((resolve) => {
    broker.close(resolve)
    // A Redis that is away never says goodbye, known to be away or not.
    setTimeout(resolve, problem === null ? 1500 : 500).unref()
  })
}

function gatewayOptions (settings: Settings, redis: RedisLink | null, log: ServerLog): GatewayOptions {
  const named = settings.id === null ? {} : { serverName: settings.id }
  const stored = redis === null ? {} : { redis: { connection: redis.connection } }
  return { ...named, confirm: true, ...settings.gateway, ...stored, logger: log }
}

async function listenMqtt (broker: Aedes, { host, port }: Address, log: ServerLog, undo: Undo[]): Promise<AddressInfo> {
  // A client that closes at once is heard to the end: see lingering.
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => { readFromWindow(broker.handle(lingering(socket))) })
  await new Promise<void>((resolve, reject) => {
    // Stays: a process without file descriptors left fails to accept, now and then.
    server.on('error', (error) => { reject(new NatsError('NATS_ERR_LISTEN', `${host}:${port}`, error.message)) })
    server.listen(port, host, resolve)
  })
  undo.push(() => { server.close() })
  const address = server.address() as AddressInfo
  log.info({}, `Listening for MQTT clients on mqtt://${host}:${address.port}`)
  return address
}

async function listenHttp (gateway: Gateway, { host, port }: Address, problem: () => string | null, log: ServerLog, undo: Undo[]): Promise<AddressInfo> {
  const fastify: FastifyInstance = Fastify({ forceCloseConnections: true })
  await fastify.register(monitorRoutes, { gateway, problem })
  try {
    await fastify.listen({ host, port })
  } catch (error) {
    throw new NatsError('NATS_ERR_LISTEN', `${host}:${port}`, (error as Error).message)
  }
  undo.push(() => fastify.close())
  const address = fastify.server.address() as AddressInfo
  log.info({}, `Starting http monitor on ${host}:${address.port}`)
  return address
}

/** As SIGHUP of nats-server: limits, users, certificates and log levels; what cannot change is named. */
function reload (gateway: Gateway, access: MqttAccess, before: Settings, next: Settings, log: ServerLog): void {
  const table: Record<string, OptionRow> = optionTable
  const wanted: Record<string, unknown> = {}
  const fixed: string[] = []
  for (const name of Object.keys(table)) {
    const value = (next.gateway as Record<string, unknown>)[name] ?? table[name]?.default
    if (table[name]?.live) wanted[name] = value
    else if (!isDeepStrictEqual(value, (before.gateway as Record<string, unknown>)[name] ?? table[name]?.default)) fixed.push(table[name]?.key ?? name)
  }
  const listening = fixedChanges(gateway.options, wanted)
  fixed.push(...listening)
  // The files of the certificates are read anew all the same.
  for (const name of ['tls', 'websocket'] as const) if (listening.some((path) => path.split('.')[0] === name)) wanted[name] = gateway.options[name]
  // Nobody is asked again for nothing.
  if (isDeepStrictEqual(wanted['authorization'], gateway.options.authorization)) delete wanted['authorization']
  gateway.update(wanted as GatewayOptions)
  access.reload(next.mqttAccess)
  log.levels.debug = next.debug
  log.levels.trace = next.trace
  if (fixed.length > 0) log.warn({}, `Changed in the configuration, but only a restart puts them into effect: ${fixed.join(', ')}`)
  log.info({}, 'Reloaded server configuration')
}
