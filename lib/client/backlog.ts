import type { Gate } from './gate.ts'

// What one connection may have on its way through the broker; Aedes calls back when all receivers have taken a message.
export const maxMessages = 1024
export const maxBytes = 4_194_304

/** Publishes of a client that the broker has not finished: too many of them hold the client back. */
export class Backlog {
  private readonly gate: Gate
  private messages = 0
  private bytes = 0
  private holding = false
  /** To be called when a publish is finished. */
  readonly done: () => void

  constructor (gate: Gate) {
    this.gate = gate
    this.done = () => { this.finish() }
  }

  // hot: once per message for the broker
  add (bytes: number): void {
    this.messages++
    this.bytes += bytes
    if (this.holding || (this.messages < maxMessages && this.bytes < maxBytes)) return
    this.holding = true
    this.gate.hold()
  }

  private finish (): void {
    if (--this.messages === 0) this.bytes = 0
    if (!this.holding || this.messages > maxMessages / 2 || this.bytes >= maxBytes) return
    this.holding = false
    this.gate.release()
  }
}
