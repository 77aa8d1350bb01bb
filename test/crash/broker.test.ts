import { runShort } from './short.ts'

runShort('broker')
