// The scripts of the first load: one file for the early sign-in, and one for the rest. Files cost more than bytes there:
// a browser loads six at a time over HTTP/1.1, and each further one waits for a round trip.
import { fileURLToPath } from 'node:url'
import type { Rolldown } from 'vite'

const EARLY = fileURLToPath(new URL('../src/early.ts', import.meta.url))

/** Returns the groups of modules that become one file each. */
export function firstLoad(): Rolldown.CodeSplittingGroup[] {
  return [
    { name: (id, build) => (reachableFrom(EARLY, build).has(id) ? 'early' : null), priority: 1 },
    { name: 'app', tags: ['$initial'] },
  ]
}

/** Returns a module with all modules that it imports. */
function reachableFrom(module: string, build: Rolldown.ChunkingContext): Set<string> {
  const found = new Set([module])
  for (const id of found) for (const imported of build.getModuleInfo(id)?.importedIds ?? []) found.add(imported)
  return found
}
