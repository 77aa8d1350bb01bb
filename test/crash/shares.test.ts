import { runShort } from './short.ts'

runShort('shares')
