// An alarm in words, in each state of its life and in both languages.
import { createApp, h } from 'vue'
import { createI18n } from 'vue-i18n'
import { renderToString } from 'vue/server-renderer'
import { expect, it } from 'vitest'
import type { Alarm } from '@/api/types'
import de from '@/locales/de.json'
import en from '@/locales/en.json'
import { acked, alarmOf, cleared } from '@/stores/alarm_sample'
import { useAlarmWords } from './alarm_words'

process.env.TZ = 'Europe/Berlin'

async function wordsOf(alarm: Alarm, locale: 'de' | 'en' = 'de'): Promise<string[]> {
  let texts: string[] = []
  const app = createApp({
    setup() {
      const { state, counter, acked: by, cleared: end } = useAlarmWords()
      texts = [state(alarm), counter(alarm), by(alarm), end(alarm)]
      return () => h('p')
    },
  })
  app.use(createI18n({ legacy: false, locale, messages: { de, en } as never }))
  await renderToString(app)
  return texts
}

it('a new alarm says since when, and a repeated one how often', async () => {
  expect(await wordsOf(alarmOf(1))).toEqual(['Unquittiert', 'seit 31.01., 08:14', '', ''])
  expect((await wordsOf(alarmOf(1, { occurrences: 1200 })))[1]).toBe('1.200× seit 31.01., 08:14')
})

it('an acknowledgement names who gave it, when, and on which way', async () => {
  expect((await wordsOf(alarmOf(1, acked())))[2]).toBe('Quittiert von Max Müller, 31.01., 08:16')
  expect((await wordsOf(alarmOf(1, acked('matrix'))))[2]).toBe('Quittiert von Max Müller über Matrix, 31.01., 08:16')
  expect((await wordsOf(alarmOf(1, { state: 'active_ack', ack_required: false })))[0]).toBe('Aktiv')
})

it('an end says how, by whom, and after which time', async () => {
  expect(await wordsOf(alarmOf(1, { ...cleared(), state: 'rtn_unack' }))).toEqual(['Behoben, unquittiert', 'seit 31.01., 08:14', '', 'Behoben 31.01., 08:40 (nach 26 Min.)'])
  expect((await wordsOf(alarmOf(1, { ...acked(), ...cleared('user') })))[3]).toBe('Behoben von Max Müller, 31.01., 08:40 (nach 26 Min.)')
  // To resolve an alarm is to acknowledge it, by the same act.
  const resolved = { ...cleared('user'), acked_by: { hub_user_id: null, display_name: 'Max Müller', via: 'api' as const, at: '2026-01-31T07:40:03.000000Z', comment: null, expires_at: null } }
  expect((await wordsOf(alarmOf(1, resolved)))[2]).toBe('')
  expect((await wordsOf(alarmOf(1, cleared('cancel'))))[0]).toBe('Zurückgezogen')
  expect((await wordsOf(alarmOf(1, { ...cleared(), closed_unseen: true })))[0]).toBe('Ungesehen geschlossen')
  const long = cleared('timeout')
  expect((await wordsOf(alarmOf(1, { ...long, started_at: '2026-01-31T06:35:03.000000Z' })))[3]).toContain('(nach 1 Std. 5 Min.)')
})

it('speaks English, too', async () => {
  expect(await wordsOf(alarmOf(1, { ...acked('matrix'), occurrences: 12 }), 'en')).toEqual(['Acknowledged', '12× since 31/01, 08:14', 'Acknowledged by Max Müller in Matrix, 31/01, 08:16', ''])
})
