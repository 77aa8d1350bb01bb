import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Broker } from './broker/host.ts'
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
  fastify.addHook('onReady', () => gateway.listen())
  fastify.addHook('preClose', (done) => {
    gateway.stopListening()
    done()
  })
  fastify.addHook('onClose', () => gateway.close())
}

/** The Fastify plugin: a NATS listener on `options.broker` or `fastify.aedes`, open while Fastify is. */
export default fp(natsGateway, { fastify: '5.x', name: 'aedes-nats' })
