// The rules for components: oxlint has those for scripts.
import vue from 'eslint-plugin-vue'
import accessibility from 'eslint-plugin-vuejs-accessibility'
import { parser } from 'typescript-eslint'

/** Imports go in one direction: wire, feed, stores, composables, components. */
const restricted = (patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })

export default [
  { ignores: ['node_modules', 'src/api/schema.d.ts', 'shots', 'test-results'] },
  ...vue.configs['flat/recommended'],
  ...accessibility.configs['flat/recommended'],
  { files: ['**/*.ts'], languageOptions: { parser } },
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser } } },
  {
    rules: {
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': ['error', { html: { void: 'never', normal: 'always', component: 'always' } }],
      'vue/require-default-prop': 'off',
      'vue/no-v-html': 'error',
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/define-macros-order': 'error',
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/no-unused-refs': 'error',
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
    },
  },
  { files: ['src/api/**', 'src/platform/**'], rules: restricted(['@/feed/*', '@/stores/*', '@/composables/*', '@/features/*', '@/ui/*']) },
  { files: ['src/feed/**'], rules: restricted(['@/stores/*', '@/composables/*', '@/features/*', '@/ui/*']) },
  { files: ['src/stores/**'], rules: restricted(['@/composables/*', '@/features/*', '@/ui/*']) },
  { files: ['src/ui/**'], rules: restricted(['@/features/*', '@/stores/*', '@/feed/*']) },
  { files: ['src/features/**'], rules: restricted(['@/feed/*', '@/api/client*', 'openapi-fetch']) },
]
