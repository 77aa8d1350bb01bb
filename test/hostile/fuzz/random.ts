/** Random numbers that a seed repeats (mulberry32). */
export class Random {
  private state: number

  constructor (seed: number) {
    this.state = seed >>> 0
  }

  /** From 0, below 1. */
  next (): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0, below `end`. */
  below (end: number): number {
    return Math.floor(this.next() * end)
  }

  chance (share: number): boolean {
    return this.next() < share
  }

  pick<T> (list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** As many as `count` says, of what `make` makes. */
  list<T> (count: number, make: () => T): T[] {
    return Array.from({ length: count }, make)
  }
}
