// Compiles lib/ to dist/ and makes the command executable.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
const bin = 'dist/cli/main.js'
if (existsSync(bin)) chmodSync(bin, 0o755)
