// Lets Node run the TypeScript of test/ and lib/: `node --import ./scripts/loader.js FILE.ts`. The loader of tap does, too, at
// a second of processor time in each of more than a hundred test processes.
import { register } from 'node:module'

register('./loader-hooks.js', import.meta.url)
