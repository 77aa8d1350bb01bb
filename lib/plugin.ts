import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Broker } from './broker/host.ts'
import { NatsError } from './errors.ts'
import { Gateway } from './gateway.ts'
import type { GatewayOptions } from './options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The NATS gateway on the broker. */
    nats: Gateway
  }
}

/** The options of the plugin: those of the gateway, and the broker. */
export interface NatsGatewayOptions extends GatewayOptions {
  /** The Aedes broker; `fastify.aedes` when left out. */
  broker?: Broker
}

async function natsGateway (fastify: FastifyInstance, options: NatsGatewayOptions): Promise<void> {
  const { broker = (fastify as { aedes?: Broker }).aedes, ...rest } = options
  const gateway = new Gateway(broker as Broker, { logger: fastify.log, ...rest })
  fastify.decorate('nats', gateway)
  if (gateway.listeners.isOnPath) attach(fastify, gateway)
  fastify.addHook('onReady', () => gateway.listen())
  fastify.addHook('preClose', (done) => {
    gateway.stopListening()
    // An upgraded connection keeps the HTTP server open.
    gateway.closeWebsockets()
    done()
  })
  fastify.addHook('onClose', () => gateway.close())
}

/** Serves the path of the option `websocket` on the server of Fastify. */
function attach (fastify: FastifyInstance, gateway: Gateway): void {
  fastify.addHook('onReady', async () => {
    // It answers every upgrade, ours too.
    if (fastify.hasDecorator('websocketServer')) {
      throw new NatsError('NATS_ERR_OPTION', 'websocket.path', 'given beside @fastify/websocket, which takes every path', "'port'")
    }
    gateway.attach(fastify.server)
  })
}

/** The Fastify plugin: a NATS listener on `options.broker` or `fastify.aedes`, open while Fastify is. */
export default fp(natsGateway, { fastify: '5.x', name: 'aedes-nats' })
