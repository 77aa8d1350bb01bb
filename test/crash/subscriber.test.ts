import { runShort } from './short.ts'

runShort('subscriber')
