/** A queue that also takes items back at its front; every operation takes constant time on average. */
export class MessageQueue<T> {
  /** Given back, the first one last. */
  private readonly front: T[] = []
  private items: T[] = []
  private head = 0

  get size (): number {
    return this.front.length + this.items.length - this.head
  }

  push (item: T): void {
    this.items.push(item)
  }

  /** In this order. */
  unshift (items: readonly T[]): void {
    for (let i = items.length - 1; i >= 0; i--) this.front.push(items[i] as T)
  }

  shift (): T | undefined {
    if (this.front.length > 0) return this.front.pop()
    const item = this.items[this.head]
    if (item !== undefined && ++this.head >= 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  peek (): T | undefined {
    return this.front.length > 0 ? this.front[this.front.length - 1] : this.items[this.head]
  }
}
