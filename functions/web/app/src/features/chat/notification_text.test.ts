// The messages of the bot: notifications, and alarms in each of their states.
import { expect, it } from 'vitest'
import { notificationText } from './notification_text'

const PLAIN = { body: '', isUrgent: false, state: '', counter: '' }

it('a notification has its app, title and body', () => {
  expect(notificationText('[mes] Auftrag 7 · fertig')).toEqual({ ...PLAIN, app: 'mes', title: 'Auftrag 7 · fertig' })
  expect(notificationText('[mes] Auftrag · [7] fertig')?.title).toBe('Auftrag · [7] fertig')
  expect(notificationText('❗ [mes] Halt\n\nLichtgitter\nunterbrochen')).toEqual({ ...PLAIN, app: 'mes', title: 'Halt', body: 'Lichtgitter\nunterbrochen', isUrgent: true })
  expect([notificationText('Guten Morgen'), notificationText('Hallo [mes] da'), notificationText('siehe · [1] unten')]).toEqual([null, null, null])
})

it('an alarm has its state and counter, in each state of its life', () => {
  const of = (text: string) => {
    const { app, title, state, counter, isUrgent } = notificationText(text) ?? {}
    return [app, title, state, counter, isUrgent]
  }
  expect(of('❗ unquittiert · [mes] Öldruck · seit 08:14')).toEqual(['mes', 'Öldruck', 'unquittiert', 'seit 08:14', true])
  expect(of('quittiert von Max Müller 08:16 · [mes] Öldruck · 1200× seit 28.11. 08:14')).toEqual(['mes', 'Öldruck', 'quittiert von Max Müller 08:16', '1200× seit 28.11. 08:14', false])
  expect(of('quittiert von Anna [Schicht 2] 08:16 · [mes] Öldruck · seit 08:14').slice(0, 3)).toEqual(['mes', 'Öldruck', 'quittiert von Anna [Schicht 2] 08:16'])
  expect(of('behoben 08:40 (26 min) · [mes] Öldruck · 12× seit 08:14 · quittiert von Max Müller 08:16')).toEqual(['mes', 'Öldruck', 'behoben 08:40 (26 min)', '12× seit 08:14 · quittiert von Max Müller 08:16', false])
  expect(of('behoben 08:14 (unter 1 min), ungesehen geschlossen · [mes] Druck · seit 3 · seit 08:14')).toEqual(['mes', 'Druck · seit 3', 'behoben 08:14 (unter 1 min), ungesehen geschlossen', 'seit 08:14', false])
  expect(of('❗ Priorität jetzt dringend · [mes] Öldruck · 2× seit 08:14')).toEqual(['mes', 'Öldruck', 'Priorität jetzt dringend', '2× seit 08:14', true])
  expect(of('zurückgezogen 08:15 · [mes] Öldruck · seit 08:14 · seit über 24 h aktiv')[3]).toBe('seit 08:14 · seit über 24 h aktiv')
})
