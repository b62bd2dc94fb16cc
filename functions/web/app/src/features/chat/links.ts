// Links in texts of other users.
import { tokenize } from 'linkifyjs'

export interface TextPart {
  text: string
  /** The address of a link; `null` for text. */
  href: string | null
}

const ALLOWED = new Set(['http:', 'https:', 'mailto:'])

/** Returns the parts of a text: links and the texts between them. */
export function partsOf(text: string): TextPart[] {
  return tokenize(text).map((token) => ({ text: token.v, href: token.isLink ? safeHref(token.toHref('https')) : null }))
}

/** Returns the address if a page may open it. */
export function safeHref(href: string): string | null {
  return URL.canParse(href) && ALLOWED.has(new URL(href).protocol) ? href : null
}
