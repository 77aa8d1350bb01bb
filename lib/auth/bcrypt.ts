import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

// Comparing takes a quarter of a second at nats-server's usual cost of 11, and bcryptjs holds its thread for 100 ms at
// a time even where it calls back. So it has a thread of its own: whoever sends wrong passwords all day takes a core,
// never the event loop of the host.

interface Question {
  readonly password: string
  readonly hash: string
  /** Asked when its turn comes: whether somebody still wants to know. */
  readonly isWanted: () => boolean
  readonly answer: (same: boolean) => void
}

// This file is also what the thread runs; the host may itself be a worker.
const role = 'aedes-nats bcrypt'

if (!isMainThread && workerData === role) {
  parentPort?.on('message', ({ password, hash }: Pick<Question, 'password' | 'hash'>) => {
    import('bcryptjs').then(({ default: { compareSync } }) => compareSync(password, hash)).then(
      (same) => { parentPort?.postMessage(same) },
      // No hash that bcrypt can read: nothing is the same as it.
      () => { parentPort?.postMessage(false) }
    )
  })
}

const waiting: Question[] = []
let asked: Question | null = null
let worker: Worker | null = null
let idle: NodeJS.Timeout | null = null

/** Milliseconds that the thread, some megabytes, stays for the next question. */
const idleTime = 10_000

function stop (): void {
  worker?.terminate()
  worker = null
}

function start (): Worker {
  const started = new Worker(new URL(import.meta.url), { workerData: role })
  started.on('message', answered)
  started.on('error', () => {
    worker = null
    answered(false)
  })
  return started
}

function answered (same: boolean): void {
  asked?.answer(same)
  asked = null
  next()
}

function next (): void {
  while (asked === null) {
    const question = waiting.shift()
    if (question === undefined) {
      worker?.unref()
      idle = setTimeout(stop, idleTime).unref()
      return
    }
    if (question.isWanted()) {
      asked = question
      worker ??= start()
      worker.ref()
      // Go's bcrypt takes any letter for 2a, bcryptjs knows no 2x.
      worker.postMessage({ password: question.password, hash: question.hash.replace(/^\$2x/, '$2a') })
    } else {
      question.answer(false)
    }
  }
}

/**
 * Whether a password is the one of a bcrypt hash. One at a time, in the order of asking.
 *
 * @param isWanted false when nobody waits for the answer any more; then it is false without being found out
 */
export function compareBcrypt (password: string, hash: string, isWanted: () => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    if (idle !== null) clearTimeout(idle)
    waiting.push({ password, hash, isWanted, answer: resolve })
    next()
  })
}
