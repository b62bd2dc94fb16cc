// The journeys: the pages in Debian's Chromium, on a real service with a real homeserver (`cargo xtask web test`).
import { defineConfig, devices } from '@playwright/test'

export default defineConfig({
  testDir: 'journeys',
  outputDir: 'test-results',
  // Two cores run a homeserver, too: journeys run one after the other.
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: 'list',
  use: {
    baseURL: process.env.MESSENGER_URL ?? 'http://127.0.0.1:8000',
    ...devices['Desktop Chrome'],
    locale: 'de-DE',
    timezoneId: 'Europe/Berlin',
    trace: 'off',
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] },
  },
  projects: [
    { name: 'journeys', testMatch: process.env.LONG ? ['*.journey.ts', '*.long.ts'] : '*.journey.ts' },
    { name: 'shots', testMatch: '*.shots.ts' },
  ],
})
