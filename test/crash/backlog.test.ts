import { runShort } from './short.ts'

runShort('backlog')
