import { runShort } from './short.ts'

runShort('node')
