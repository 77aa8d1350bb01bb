// What `npm publish` would ship: only what a user needs, with types that resolve.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const npx = (...args) => execFileSync('npx', ['--no-install', ...args], { stdio: 'inherit' })

const folder = mkdtempSync(path.join(os.tmpdir(), 'aedes-nats-'))
process.on('exit', () => { rmSync(folder, { recursive: true }) })

// Of what has been built: its scripts would build anew, once for each of the two below.
const [{ files, filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { encoding: 'utf8' }))
const packed = path.join(folder, filename)
const stray = files.map(({ path }) => path).filter((path) => !/^(?:dist\/.*\.(?:js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/.test(path))
if (stray.length > 0) throw new Error(`the package holds ${stray.join(', ')}`)
if (!files.some(({ path }) => path === 'dist/cli/main.js')) throw new Error('the package lacks the command')

npx('publint', packed, '--strict')
npx('attw', packed, '--profile', 'esm-only', '--format', 'table-flipped')
