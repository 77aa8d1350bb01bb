import type { Route } from './route.ts'

// Bytes that the routes of a gateway take: some 40,000 with a receiver or two each. A million subjects, long ones, or one
// with a hundred thousand receivers must not take more.
export const maxBytes = 16_777_216
// What a route takes besides names and receivers, about.
const routeBytes = 256
const receiverBytes = 8

/** What the caches of all spaces take together: a client may have a space of its own. */
export class RouteMemory {
  private used = 0
  private readonly caches = new Set<RouteCache>()

  /** All caches begin anew where there is no room. */
  claim (bytes: number, cache: RouteCache): void {
    if (this.used + bytes > maxBytes) {
      for (const each of this.caches) each.clear()
    }
    this.caches.add(cache)
    this.used += bytes
  }

  /** @param cache left out while it keeps others */
  release (bytes: number, cache?: RouteCache): void {
    this.used -= bytes
    if (cache !== undefined) this.caches.delete(cache)
  }

  /** Bytes, about. */
  get size (): number {
    return this.used
  }
}

/** Routes that are right until a subscription comes or goes: none is kept then that knows who has left. */
export class RouteCache {
  private readonly memory: RouteMemory
  private readonly bySubject = new Map<string, Route>()
  private readonly byTopic = new Map<string, Route>()
  private used = 0

  constructor (memory: RouteMemory) {
    this.memory = memory
  }

  // hot: once per message from NATS
  get (subject: string): Route | undefined {
    return this.bySubject.get(subject)
  }

  // hot: once per message from the broker
  getByTopic (topic: string): Route | undefined {
    return this.byTopic.get(topic)
  }

  keep (route: Route): void {
    route.bytes = routeBytes + 2 * route.subject.length + receiverBytes * route.receiverCount
    this.claim(route.bytes)
    this.bySubject.set(route.subject, route)
  }

  /** Keeps a route that `keep` keeps under a topic, too. */
  keepTopic (topic: string, route: Route): void {
    const bytes = routeBytes + 2 * topic.length
    this.claim(bytes)
    // That may have made room.
    if (this.bySubject.get(route.subject) !== route) this.keep(route)
    if (route.heardAs !== null) this.byTopic.delete(route.heardAs)
    route.heardAs = topic
    route.bytes += bytes
    this.byTopic.set(topic, route)
  }

  private claim (bytes: number): void {
    this.memory.claim(bytes, this)
    this.used += bytes
  }

  /** Forgets the route of a subject. */
  drop (subject: string): void {
    const route = this.bySubject.get(subject)
    if (route === undefined) return
    this.bySubject.delete(subject)
    if (route.heardAs !== null) this.byTopic.delete(route.heardAs)
    this.used -= route.bytes
    this.memory.release(route.bytes)
  }

  /** Forgets all. */
  clear (): void {
    this.memory.release(this.used, this)
    if (this.used === 0) return
    this.used = 0
    this.bySubject.clear()
    this.byTopic.clear()
  }
}
