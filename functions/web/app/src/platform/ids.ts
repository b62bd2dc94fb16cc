// Random ids. `crypto.randomUUID` does not exist on plain http.

/** Returns 128 random bits as text. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
