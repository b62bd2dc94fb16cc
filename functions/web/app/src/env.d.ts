// Types of the modules that the build provides.
/// <reference types="vite/client" />

declare module '*?sharedworker&url' {
  const url: string
  export default url
}

/** The modules that build/emoji.ts makes: emoji, name, further words, group. */
declare module 'virtual:emoji/*' {
  const all: readonly (readonly [string, string, string, number])[]
  export default all
}
