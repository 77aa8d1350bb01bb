import type { Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'

/** What is wrong with a configuration, without the directory of the file. */
export function problems (t: Test, text: string): string[] {
  const dir = t.testdir({ 'nats.conf': text })
  try {
    readConfig(`${dir}/nats.conf`, {})
  } catch (error) {
    t.match(error, { code: 'NATS_ERR_CONFIG' })
    return (error as Error).message.replaceAll(`${dir}/`, '').split('\n')
  }
  return []
}
