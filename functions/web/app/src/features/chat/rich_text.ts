// HTML of other users (`formatted_body`) as vnodes, by an allow-list: of other elements only the text stays.
import { type FunctionalComponent, h, type VNode } from 'vue'
import { inertContent } from '@/platform/trusted'
import { partsOf, safeHref } from './links'

/** Elements of the Matrix specification that change how a text looks. They come without attributes. */
const SHOWN = new Set(
  'b strong i em u s del sub sup code pre p div span br hr ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td caption details summary'.split(' '),
)
/** Elements whose text is left out: reply fallbacks of older clients, and scripts and styles. */
const DROPPED = new Set('mx-reply script style template title head iframe object embed svg math noscript textarea select'.split(' '))
/** The most nested levels and the most elements that are shown. */
const DEPTH_MAX = 40
const NODES_MAX = 3_000

interface Budget {
  left: number
}

type Child = VNode | string

/** Returns the vnodes of HTML of other users. */
function richText(html: string): Child[] {
  return childrenOf(inertContent(html), 0, { left: NODES_MAX }, false)
}

/** Returns the text of HTML of other users, for a quote. */
export const plainOf = (html: string): string => textOf(richText(html)).replace(/\s+/g, ' ').trim()

function textOf(children: Child[]): string {
  return children.map((child) => (typeof child === 'string' ? child : Array.isArray(child.children) ? `${textOf(child.children as Child[])} ` : '')).join('')
}

function childrenOf(parent: Node, depth: number, budget: Budget, isLiteral: boolean): Child[] {
  const children: Child[] = []
  for (const node of parent.childNodes) {
    budget.left -= 1
    if (budget.left < 0) break
    children.push(...shownOf(node, depth, budget, isLiteral))
  }
  return children
}

function shownOf(node: Node, depth: number, budget: Budget, isLiteral: boolean): Child[] {
  if (node.nodeType === Node.TEXT_NODE) return isLiteral ? [node.textContent ?? ''] : linked(node.textContent ?? '')
  if (!(node instanceof Element) && node.nodeType !== Node.ELEMENT_NODE) return []
  const element = node as Element
  const name = element.localName
  if (DROPPED.has(name)) return []
  if (depth >= DEPTH_MAX) return [element.textContent ?? '']
  if (name === 'img') return [element.getAttribute('alt') ?? '']
  const children = () => childrenOf(element, depth + 1, budget, isLiteral || name === 'code' || name === 'pre' || name === 'a')
  if (name === 'a') return [anchor(element.getAttribute('href') ?? '', children())]
  return SHOWN.has(name) ? [h(name, children())] : children()
}

/** Returns a link; a mention of a user or room is its name alone. */
function anchor(href: string, children: Child[]): VNode {
  if (href.startsWith('https://matrix.to/')) return h('span', { class: 'font-medium text-accent-text' }, children)
  const safe = safeHref(href)
  return safe === null ? h('span', children) : link(safe, children)
}

const link = (href: string, children: Child[]): VNode => h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, children)

function linked(text: string): Child[] {
  return partsOf(text).map((part) => (part.href === null ? part.text : link(part.href, [part.text])))
}

/** Shows HTML of other users. */
export const RichText: FunctionalComponent<{ html: string }> = ({ html }) => h('div', { class: 'rich foreign', dir: 'auto' }, richText(html))
RichText.props = ['html']
