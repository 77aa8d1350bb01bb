import { GroupKeys } from './keys.ts'

/** What a node keeps of a group in its memory. */
export class RedisGroup {
  readonly name: string
  readonly keys: GroupKeys
  /** Number of the last claim, and of the last that was answered. */
  request = 0
  answered = 0
  /** Entries that an unanswered `unpark` may have taken. */
  lost: string[] = []

  constructor (prefix: string, name: string) {
    this.name = name
    this.keys = new GroupKeys(prefix, name)
  }
}
