import type { Message } from '../wire/message.ts'
import type { Space } from './spaces.ts'

/** Whoever asks somebody for an answer who cannot be asked whether it may go to the reply subject. */
export interface Requester {
  readonly space: Space
  /** Hands on an answer, whose subject is the reply subject. */
  answer (message: Message): void
}
