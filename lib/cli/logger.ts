import { closeSync, openSync, writeSync } from 'node:fs'
import { inspect } from 'node:util'
import type { Logger } from '../options.ts'

/** A log in the form of nats-server's, with its level for what ends the process. */
export interface ServerLog extends Logger {
  fatal (details: object, text: string): void
  /** Whether debug and trace lines are written; may change at any time. */
  levels: { debug: boolean, trace: boolean }
  /** Opens the file anew: whoever rotates logs has moved it away. */
  reopen (): void
  /** Closes the file; what is logged from then on goes to stderr. */
  close (): void
}

export interface LogOptions {
  /** The file to append to; null is stderr. */
  readonly file: string | null
  readonly debug: boolean
  readonly trace: boolean
  /** Stands for stderr in tests. */
  readonly stderr?: (line: string) => void
  readonly pid?: number
}

// What a client sends (its name, a subject) must not make lines of its own, or colours.
const CONTROL = /[\p{Cc}\u2028\u2029]/gu

function escapeControl (character: string): string {
  const escaped = JSON.stringify(character).slice(1, -1)
  return escaped === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : escaped
}

/** How far the monotonic clock may drift from the wall clock, which someone may set. */
const maxDrift = 10
let origin = performance.timeOrigin

function pad (value: number, width = 2): string {
  return String(value).padStart(width, '0')
}

/** Local time as Go's package log writes it with microseconds: `2026/11/23 06:04:11.123456`. */
export function timestamp (): string {
  const wall = Date.now()
  if (Math.abs(origin + performance.now() - wall) > maxDrift) origin = wall - performance.now()
  const micros = Math.floor((origin + performance.now()) * 1000)
  const at = new Date(Math.floor(micros / 1000))
  return `${at.getFullYear()}/${pad(at.getMonth() + 1)}/${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(micros % 1e6, 6)}`
}

/** nats-server's `address - client - text`; an error's message and other details follow the text. */
function message (details: object, text: string): string {
  const { address, client, err, ...others } = details as Record<string, unknown>
  const prefix = [address, client].filter((part) => part !== undefined).map((part) => `${part} - `).join('')
  const reason = err instanceof Error && !text.includes(err.message) ? `: ${err.message}` : ''
  const rest = Object.entries(others).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : inspect(value, { breakLength: Infinity })}`).join('')
  return `${prefix}${text}${reason}${rest}`.replace(CONTROL, escapeControl)
}

function toStderr (line: string): void {
  process.stderr.write(line)
}

/**
 * Opens a log.
 *
 * @throws where the file cannot be opened.
 */
export function createLog (options: LogOptions): ServerLog {
  const { file, stderr = toStderr, pid = process.pid } = options
  let descriptor = file === null ? null : openSync(file, 'a', 0o640)
  const levels = { debug: options.debug, trace: options.trace }

  function write (label: string, details: object, text: string): void {
    const line = `[${pid}] ${timestamp()} [${label}] ${message(details, text)}\n`
    if (descriptor === null) return stderr(line)
    try {
      writeSync(descriptor, line)
    } catch {
      // A full disk is no reason to stop the server.
      stderr(line)
    }
  }

  return {
    levels,
    isLevelEnabled: (level) => level === 'trace' ? levels.trace : level !== 'debug' || levels.debug,
    fatal: (details, text) => write('FTL', details, text),
    error: (details, text) => write('ERR', details, text),
    warn: (details, text) => write('WRN', details, text),
    info: (details, text) => write('INF', details, text),
    debug: (details, text) => { if (levels.debug) write('DBG', details, text) },
    trace: (details, text) => { if (levels.trace) write('TRC', details, text) },
    reopen: () => {
      if (file === null || descriptor === null) return
      closeSync(descriptor)
      descriptor = openSync(file, 'a', 0o640)
      write('INF', {}, 'File log re-opened')
    },
    close: () => {
      if (descriptor === null) return
      closeSync(descriptor)
      descriptor = null
    }
  }
}
