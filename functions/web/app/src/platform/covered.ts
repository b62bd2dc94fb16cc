// The part of the page that an on-screen keyboard covers. Browsers that know `interactive-widget` make the page smaller
// themselves; Safari lays the keyboard over it, and only its visual viewport shows this.

/** The least height of a keyboard, in pixels: a bar of the browser that comes and goes does not count. */
const KEYBOARD = 120

/** Returns the covered height, in pixels, without the part that a zoom hides. */
export function coveredOf(page: number, { height, scale }: Pick<VisualViewport, 'height' | 'scale'>): number {
  const covered = Math.round(page - height)
  return Math.abs(scale - 1) < 0.01 && covered >= KEYBOARD ? covered : 0
}

/** Keeps the covered height in the variable `--covered`. */
export function followCovered(): void {
  const viewport = window.visualViewport
  if (viewport === null) return
  const follow = () => {
    const covered = coveredOf(window.innerHeight, viewport)
    document.documentElement.style.setProperty('--covered', `${covered}px`)
    // Safari has moved the page up for the field, which is visible now.
    if (covered > 0) window.scrollTo(0, 0)
  }
  viewport.addEventListener('resize', follow)
  viewport.addEventListener('scroll', follow)
  follow()
}
