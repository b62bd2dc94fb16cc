// Stores a brotli and a gzip copy beside each text of the build: brotli for TLS, gzip where plain HTTP is served.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Plugin } from 'vite'

const TEXTS = /\.(js|css|html|svg|json)$/
const compressions = { br: promisify(brotliCompress), gz: promisify(gzip) }

/** Returns the plugin. It writes no copy that is not smaller. */
export function compressed(): Plugin {
  let folder = ''
  return {
    name: 'compressed',
    apply: 'build',
    configResolved: (config) => void (folder = config.build.outDir),
    async closeBundle() {
      const names = await readdir(folder, { recursive: true })
      // The page itself is changed before it is sent (`<base>`).
      await Promise.all(names.filter((name) => TEXTS.test(name) && name !== 'index.html').map((name) => copies(join(folder, name))))
    },
  }
}

async function copies(path: string): Promise<void> {
  const text = await readFile(path)
  const made = {
    br: await compressions.br(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    gz: await compressions.gz(text, { level: 9 }),
  }
  for (const [end, bytes] of Object.entries(made)) {
    if (bytes.length < text.length * 0.95) await writeFile(`${path}.${end}`, bytes)
  }
}
