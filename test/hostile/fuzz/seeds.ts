import { existsSync, readFileSync } from 'node:fs'
import { frames } from '../../wire/frames.ts'

// What is mutated: the frames of the parser's tests, and the recorded exchanges where they stand beside the checkout.
const recorded = new URL('../../../../shared/conformance/exchanges.json', import.meta.url)

interface Step {
  readonly op: string
  readonly data?: string
}

function sentIn (file: URL): string[] {
  if (!existsSync(file)) return []
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: { steps: Step[] }[] }
  return cases.map(({ steps }) => steps.map(({ op, data }) => op === 'send' && data !== undefined ? data : '').join(''))
}

/** What clients send, as latin1 text. */
export const seeds: readonly string[] = [...frames.map(({ bytes }) => bytes), ...sentIn(recorded)].filter((bytes) => bytes !== '' && bytes.length < 10_000)
