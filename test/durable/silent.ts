import type { Logger } from '../../lib/options.ts'

export const silent: Logger = { trace () {}, debug () {}, info () {}, warn () {}, error () {} }
