// The package has no types of its own.
declare module 'aedes-persistence-redis' {
  import type { Redis } from 'ioredis'

  interface Persistence {
    destroy (): Promise<void>
  }

  export default function persistence (options: { conn: Redis }): Persistence
}
