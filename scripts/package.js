// What `npm publish` would ship: only what a user needs, with types that resolve.
import { execFileSync } from 'node:child_process'

const npx = (...args) => execFileSync('npx', ['--no-install', ...args], { stdio: 'inherit' })

const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' }))
const stray = files.map(({ path }) => path).filter((path) => !/^(?:dist\/.*\.(?:js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/.test(path))
if (stray.length > 0) throw new Error(`the package holds ${stray.join(', ')}`)
if (!files.some(({ path }) => path === 'dist/cli/main.js')) throw new Error('the package lacks the command')

npx('publint', '--strict')
npx('attw', '--pack', '.', '--profile', 'esm-only', '--format', 'table-flipped')
