import { Permissions, type Rights } from '../auth/permissions.ts'
import type { Requester } from '../routing/requester.ts'
import { Route } from '../routing/route.ts'
import type { Space } from '../routing/spaces.ts'
import { isReservedSubject } from '../wire/limits.ts'
import type { Message } from '../wire/message.ts'
import type { Client } from './client.ts'
import type { Services } from './services.ts'
import { Subscription } from './subscription.ts'

/**
 * A client that asked for answers. They come under a subject of its choice, so they go where it may publish itself, and
 * else to its own subscriptions alone: few may publish to their inbox. It outlives the connection, and holds little then.
 */
export class ClientRequester implements Requester {
  readonly space: Space
  private readonly services: Services
  private client: Client | null
  /** What the client had when it left. */
  private rights: Rights | null = null

  constructor (client: Client) {
    this.space = client.space
    this.services = client.services
    this.client = client
  }

  answer (message: Message): void {
    const { router } = this.space
    const route = router.route(message.subject)
    if (this.mayPublish(route)) {
      route.deliver(message, null)
    } else {
      const own = router.match(route.subject).filter((receiver) => receiver instanceof Subscription && receiver.owner === this.client)
      new Route(route.subject, undefined, own).deliver(message, null)
    }
  }

  /** Whether it may without the host being asked: for an answer, nobody waits for a hook. */
  private mayPublish (route: Route): boolean {
    const { space: { bridge }, services: { policy } } = this
    if (policy.checksPublish || isReservedSubject(route.subject) || policy.isReserved(bridge, route)) return false
    const { permissions } = this
    return permissions === null || permissions.mayPublish(route.subject)
  }

  private get permissions (): Permissions | null {
    if (this.client !== null) return this.client.permissions
    return this.rights === null ? null : new Permissions(this.rights)
  }

  /** The connection is gone. */
  leave (): void {
    this.rights = this.permissions?.rights ?? null
    this.client = null
  }
}

/** A client as somebody who asks for answers. */
export function requesterOf (client: Client): Requester {
  client.requester ??= new ClientRequester(client)
  return client.requester
}
