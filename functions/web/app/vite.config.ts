// The build of the front end: hashed files below ../dist/app, which functions/web embeds.
import { fileURLToPath } from 'node:url'
import vueI18n from '@intlify/unplugin-vue-i18n/vite'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import icons from 'unplugin-icons/vite'
import { defineConfig } from 'vitest/config'
import { compressed } from './build/compressed.ts'
import { early } from './build/early.ts'
import { emoji } from './build/emoji.ts'
import { firstLoad } from './build/first_load.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
/** The service that `cargo xtask web dev` serves the interface of. */
const service = process.env.MESSENGER_URL ?? 'http://127.0.0.1:8000'
const proxied = ['/api', '/auth', '/client-config', '/client', '/docs', '/openapi.json']

export default defineConfig({
  // Addresses are relative to the page's <base> (BASE_PATH).
  base: './',
  plugins: [
    vue(),
    vueI18n({ include: path('src/locales/*.json'), strictMessage: true, dropMessageCompiler: true }),
    tailwindcss(),
    icons({ compiler: 'vue3', defaultClass: 'icon' }),
    early(),
    emoji(),
    compressed(),
  ],
  resolve: {
    alias: { '@': path('src'), 'hub-messenger': path('../../../shared/hub_messenger_js/hub-messenger.js') },
  },
  worker: { format: 'es' },
  build: {
    outDir: path('../dist/app'),
    emptyOutDir: true,
    // A data: address would need a wider policy.
    assetsInlineLimit: 0,
    target: ['chrome111', 'firefox115', 'safari16.4'],
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: { groups: firstLoad() },
        // The chunks of the administration have a name of their own: their size is limited (package.json).
        chunkFileNames: ({ moduleIds }) =>
          moduleIds.some((id) => /\/(features\/admin|uplot)\/|\/api\/admin\.ts$/.test(id)) ? 'assets/admin-[name]-[hash].js' : 'assets/[name]-[hash].js',
      },
    },
  },
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false },
  server: {
    host: '127.0.0.1',
    port: 5173,
    fs: { allow: [path('.'), path('../../../shared/hub_messenger_js')] },
    proxy: Object.fromEntries(proxied.map((prefix) => [prefix, { target: service }])),
  },
  preview: { host: '127.0.0.1' },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
