// The part of the page that an on-screen keyboard covers. Browsers that know `interactive-widget` make the page smaller
// themselves; Safari lays the keyboard over it, and says so by the visual viewport alone.

/** The least height of a keyboard: a bar of the browser that comes and goes is none, in pixels. */
const KEYBOARD = 120

/** Returns the height that is covered, in pixels. What a zoom hides is none. */
export function coveredOf(page: number, { height, scale }: Pick<VisualViewport, 'height' | 'scale'>): number {
  const covered = Math.round(page - height)
  return Math.abs(scale - 1) < 0.01 && covered >= KEYBOARD ? covered : 0
}

/** Keeps the height that is covered in the variable `--covered`, from now on. */
export function followCovered(): void {
  const viewport = window.visualViewport
  if (viewport === null) return
  const follow = () => {
    const covered = coveredOf(window.innerHeight, viewport)
    document.documentElement.style.setProperty('--covered', `${covered}px`)
    // Safari has pushed the page up for the field, which is in sight now.
    if (covered > 0) window.scrollTo(0, 0)
  }
  viewport.addEventListener('resize', follow)
  viewport.addEventListener('scroll', follow)
  follow()
}
