// The homeserver of the service, which a journey can pause: it then accepts connections and does not answer.
import { test } from '@playwright/test'

const id = Number(process.env.HOMESERVER_PROCESS ?? '')
let isPaused = false

/** Stops the homeserver from answering, until the end of the journey at the latest. */
export function pauseHomeserver(): void {
  if (!Number.isInteger(id) || id <= 0) throw new Error('HOMESERVER_PROCESS names no process: run `cargo xtask web test`')
  process.kill(id, 'SIGSTOP')
  isPaused = true
}

export function resumeHomeserver(): void {
  if (isPaused) process.kill(id, 'SIGCONT')
  isPaused = false
}

test.afterEach(resumeHomeserver)
