// Layers above a page: dialogs, menus and panels. Each open one has an entry in the history of the browser, so that
// Back closes the uppermost one and leaves the page only when none is open.

/** A layer that is open. */
export interface Layer {
  close(): void
}

/** The history as the router has it: it can go back without telling its listeners. */
interface Router {
  go(delta: number, triggerListeners?: boolean): void
  replace(to: string): void
}

/** The longest wait for the browser to go back, in milliseconds. */
const WAIT = 1_000

/** The open layers, the uppermost one last. */
const open: Layer[] = []
let router: Router | null = null
/** Returns the address of the page on screen. */
let current: () => string = () => ''
let settling: Promise<void> | null = null

/** Returns the number of layers that an entry of the history stands for. */
const depth = (): number => Number((history.state as { layers?: number } | null)?.layers ?? 0)

/** Begins to follow the history. Entries of layers from before a reload are those of the page. */
export function followHistory(of: Router, address: () => string): void {
  router = of
  current = address
  if (depth() > 0) history.replaceState({ ...history.state, layers: 0 }, '')
  addEventListener('popstate', () => {
    if (settling !== null) return
    while (open.length > depth()) open.pop()?.close()
    // Forward leads to layers that are closed by now.
    void settle()
  })
}

export function openLayer(layer: Layer): void {
  open.push(layer)
  void settle()
}

/** Removes a layer that has closed, by whatever means. */
export function closeLayer(layer: Layer): void {
  const at = open.indexOf(layer)
  if (at < 0) return
  open.splice(at, 1)
  void settle()
}

export const isUppermost = (layer: Layer): boolean => open.at(-1) === layer

/** Closes all layers before another page opens, so that Back from there leads to this page. */
export async function closeLayers(): Promise<void> {
  if (open.length === 0 && depth() === 0 && settling === null) return
  for (const layer of open.splice(0).toReversed()) layer.close()
  await settle()
}

/** Gives the history as many entries as layers are open. */
function settle(): Promise<void> {
  settling ??= adjust().finally(() => (settling = null))
  return settling
}

async function adjust(): Promise<void> {
  // A menu that opens a dialog closes first: the entry passes from one to the other.
  await new Promise((resolve) => setTimeout(resolve, 0))
  while (router !== null && depth() !== open.length) {
    const missing = open.length - depth()
    if (missing > 0) history.pushState({ ...history.state, layers: depth() + 1 }, '')
    else await back(router, missing)
  }
}

/** Goes back to the entry below closed layers, to the address that the page has by now. */
async function back(of: Router, delta: number): Promise<void> {
  const before = depth()
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, WAIT)
    function done(): void {
      clearTimeout(timer)
      removeEventListener('popstate', done)
      resolve()
    }
    addEventListener('popstate', done)
    of.go(delta, false)
  })
  // The entry is gone, as in a frame whose window has replaced it.
  if (depth() === before) history.replaceState({ ...history.state, layers: open.length }, '')
  else of.replace(current())
}
