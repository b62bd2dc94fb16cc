// The server's clock: a browser's may be a day wrong. Used for durations and for the order of the outbox.

let offset: number | null = null

/** Takes the time of a response (`Date`, whole seconds). It counts until one differs by two seconds. */
export function setServerTime(time: number): void {
  const next = time - Date.now()
  if (offset === null || Math.abs(next - offset) > 2_000) offset = next
}

/** Returns the present time at the server, in milliseconds. */
export const serverNow = (): number => Date.now() + (offset ?? 0)
