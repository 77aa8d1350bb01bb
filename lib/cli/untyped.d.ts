// Packages without types of their own, as far as they are used here.

declare module 'aedes-persistence-redis' {
  import type { Redis } from 'ioredis'

  interface Persistence {
    destroy (): Promise<void>
  }

  export default function persistence (options: { conn: Redis }): Persistence
}

declare module 'qlobber' {
  export class Qlobber {
    constructor (options: { separator: string, wildcard_one: string, wildcard_some: string, match_empty_levels: boolean, cache_splits: number })
  }
}
