// A Vite plugin: the page runs src/early.ts at once, and not only with the application that imports it.
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const PAGE = fileURLToPath(new URL('../index.html', import.meta.url))
const MODULE = fileURLToPath(new URL('../src/early.ts', import.meta.url))

/** Returns the plugin. */
export function early(): Plugin {
  return {
    name: 'early',
    apply: 'build',
    config: () => ({ build: { rolldownOptions: { input: [PAGE, MODULE] } } }),
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle = {} }) {
        const chunk = Object.values(bundle).find((one) => one.type === 'chunk' && one.facadeModuleId === MODULE)
        if (chunk === undefined) throw new Error(`no chunk begins with ${MODULE}`)
        return [{ tag: 'script', attrs: { type: 'module', async: true, crossorigin: true, src: `./${chunk.fileName}` }, injectTo: 'head' }]
      },
    },
  }
}
