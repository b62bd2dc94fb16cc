// Web storage that works in memory where the browser forbids it or is full.

class SafeStorage {
  readonly #memory = new Map<string, string>()

  constructor(private readonly area: () => Storage) {}

  get(key: string): string | null {
    try {
      return this.#memory.get(key) ?? this.area().getItem(key)
    } catch {
      return this.#memory.get(key) ?? null
    }
  }

  set(key: string, value: string): void {
    try {
      this.area().setItem(key, value)
      this.#memory.delete(key)
    } catch {
      this.#memory.set(key, value)
    }
  }

  remove(key: string): void {
    this.#memory.delete(key)
    try {
      this.area().removeItem(key)
    } catch {
      // Nothing was stored there.
    }
  }
}

/** Storage of all tabs, kept when the browser ends. */
export const local = new SafeStorage(() => localStorage)
/** Storage of this tab, kept when it is reloaded. */
export const tab = new SafeStorage(() => sessionStorage)
