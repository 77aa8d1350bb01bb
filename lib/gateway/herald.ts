import type { Arrival } from '../client/arrival.ts'
import type { Client } from '../client/client.ts'
import type { Services } from '../client/services.ts'
import type { Info } from '../wire/info.ts'
import { infoFor } from './info.ts'
import type { Listeners } from './listeners.ts'
import { clusterUrls } from './nodes.ts'

/** The gateway, as far as INFO speaks of it. */
export interface Heralded {
  readonly serverId: string
  /** The port of its own listener. */
  readonly port: number
  readonly listeners: Listeners
  readonly clients: ReadonlyMap<number, Client>
  readonly services: Services
}

/** Tells clients what the gateway is, and what changes. */
export class Herald {
  /** Whether clients are asked to go elsewhere. */
  isLameDuck = false
  private readonly gateway: () => Heralded
  /** The addresses that clients were told last. */
  private readonly told = new WeakMap<Client, Info['connect_urls']>()

  constructor (gateway: () => Heralded) {
    this.gateway = gateway
  }

  /** What INFO tells a client. */
  info (arrival: Arrival, address: string): Info {
    const { services: { authenticator, cluster, options, policy }, serverId, port, listeners } = this.gateway()
    return infoFor({
      options,
      serverId,
      port,
      isLameDuck: this.isLameDuck,
      urls: clusterUrls(cluster, options, listeners, arrival.request !== undefined, this.isLameDuck),
      isAuthRequired: authenticator.isAnnounced(arrival.rules) || policy.authenticates,
      needsNonce: authenticator.needsNonce || policy.authenticates
    }, arrival, address)
  }

  /** The first thing that a client is told. */
  greet (client: Client): void {
    client.start(this.remembered(client))
  }

  /** A client has had its first PONG: it is told what has changed meanwhile (server/client.go processPing). */
  greeted (client: Client): void {
    const before = this.told.get(client)
    const info = this.remembered(client)
    if (client.options.protocol >= 1 && String(before) !== String(info.connect_urls)) client.sendInfo(info)
  }

  /** INFO, to the clients that take it at any time. */
  tellAll (): void {
    for (const client of this.gateway().clients.values()) {
      if (client.options.protocol >= 1 && client.hadPong) client.sendInfo(this.remembered(client))
    }
  }

  private remembered (client: Client): Info {
    const info = this.info(client.arrival, client.address)
    this.told.set(client, info.connect_urls)
    return info
  }
}
