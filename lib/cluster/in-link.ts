import type { BatchHead } from './frames.ts'

// How many bytes may come before they are acknowledged, and how long the acknowledgement of fewer waits, in milliseconds.
const ackBytes = 524_288
const ackDelay = 20

/**
 * Batches from one other node: each taken once, in the order of their numbers, and acknowledged. What is missing is asked
 * for.
 */
export class InLink {
  private readonly acknowledge: (isGap: boolean) => void
  private epoch = 0
  private number = 0
  private bytes = 0
  /** Of what comes in several batches. */
  private parts = ''
  private timer: NodeJS.Timeout | null = null
  /** The number behind which batches were asked for since the last heartbeat. */
  private askedAt = -1

  /** @param acknowledge sends what `received` is then; `isGap` asks for what comes behind it */
  constructor (acknowledge: (isGap: boolean) => void) {
    this.acknowledge = acknowledge
  }

  /** Epoch and number of the latest batch that was taken. */
  get received (): readonly [number, number] {
    return [this.epoch, this.number]
  }

  /** Whether a batch is the next one; it is taken then. */
  takes ({ epoch, number }: BatchHead): boolean {
    if (epoch < this.epoch) return false
    const isAnother = epoch > this.epoch
    if (number > (isAnother ? 1 : this.number + 1)) {
      this.ask()
      return false
    }
    if (!isAnother && number <= this.number) {
      this.acknowledge(false)
      return false
    }
    this.epoch = epoch
    this.number = number
    return true
  }

  /** A batch that was taken, with the frames of those that it goes on from behind its head; null where it is gone on with. */
  whole (text: string, { number, goesOn, end }: BatchHead): string | null {
    if (number === 1) this.parts = ''
    if (goesOn) {
      this.parts += text.slice(end)
      return null
    }
    if (this.parts === '') return text
    const whole = text.slice(0, end) + this.parts + text.slice(end)
    this.parts = ''
    return whole
  }

  private ask (): void {
    if (this.askedAt === this.number) return
    this.askedAt = this.number
    this.acknowledge(true)
  }

  /** A batch that was taken has been dealt with. */
  done (bytes: number, isUrgent: boolean): void {
    this.bytes += bytes
    if (isUrgent || this.bytes >= ackBytes) this.acknowledge(false)
    else this.timer ??= setTimeout(() => { this.acknowledge(false) }, ackDelay)
  }

  /** What is on its way to the other node says what has been received. */
  acknowledged (): void {
    this.bytes = 0
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  /** The other node is there: what is missing may be asked for again. */
  heartbeat (): void {
    this.askedAt = -1
  }

  /** A batch could not be read. The other node learns from heartbeats that nothing of it is known here, and begins anew. */
  startOver (): void {
    this.epoch = this.number = 0
  }

  close (): void {
    this.acknowledged()
  }
}
