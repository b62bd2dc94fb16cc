// Compares the main pages as screen readers find them: names, roles and their order. Times and counts vary.
import { expect, type Page, test } from '@playwright/test'
import { ADMIN_PAGES, adminContent } from './admin_pages'
import { content, PAGES } from './pages'
import { open } from './service'

const CHAT = {
  chats: `
    - main:
      - region "Chats":
        - heading "Chats" [level=1]
        - paragraph: /Verbindung/
        - button "Verzeichnis"
        - button "Neuer Chat"
        - searchbox "Chats suchen"
        - button /Zu einem Chat springen/
        - region "Direkt":
          - heading "Direkt" [level=2]
          - list:
            - listitem:
              - link /Anna Schmidt/
        - region "Räume":
          - heading "Räume" [level=2]
          - list:
            - listitem:
              - link /Projekt Alpha/
        - region "Maschinen & Aufträge":
          - heading "Maschinen & Aufträge" [level=2]
          - list:
            - listitem:
              - link /machine 42/
    - region "Hinweise (F8)"
  `,
  direct: `
    - main:
      - heading "Anna Schmidt"
      - button "Mitglieder"
      - button "Mehr"
      - log:
        - article /Sie, \\d+:\\d+ Uhr/:
          - paragraph: Läuft die Presse wieder?
          - button "Aktionen"
        - article /Anna Schmidt, \\d+:\\d+ Uhr/:
          - paragraph: /Ja, seit zehn Uhr/
          - button "Aktionen"
      - button "Dateien anhängen"
      - textbox "Nachricht an Anna Schmidt"
      - button "Senden" [disabled]
  `,
  inbox: `
    - main:
      - heading "Meldungen" [level=1]
      - group "Filter":
        - button "Alle" [pressed]
        - button "Ungesehen"
        - button "Dringend"
        - button "Störungen"
      - combobox "Anwendung"
      - button "Alle gesehen"
      - region "Meldungen":
        - region "Offene Störungen":
          - heading /Offene Störungen/ [level=2]
          - list:
            - listitem:
              - article:
                - text: /Unquittiert Hoch fertigungs-app/
                - button "machine 7"
                - time: /\\d+× seit/
                - heading "Öldruck zu niedrig" [level=3]
                - paragraph: 2,1 bar, Sollwert 3,0 bar
                - button "Quittieren"
                - button "Erledigt"
                - button "Kommentar"
                - button "Verlauf"
                - button "Mehr"
        - region "Heute":
          - heading "Heute" [level=2]
          - list:
            - listitem:
              - article:
                - text: /Dringend fertigungs-app/
                - heading "CNC-01 gestoppt" [level=3]
                - paragraph: "Fehlercode E-401: Kühlmittel niedrig"
  `,
  settings: `
    - main:
      - heading "Einstellungen" [level=1]
      - region "Konto":
        - paragraph: Max Müller
        - button "Andere App verbinden"
        - button "Abmelden"
      - region "Darstellung":
        - radiogroup "Farben":
          - radio "System"
          - radio "Hell"
          - radio "Dunkel"
        - radiogroup "Dichte"
        - radiogroup "Sprache":
          - radio "Deutsch" [checked]
          - radio "English"
      - region "Töne":
        - switch "Dringende Meldungen" [checked]
        - switch "Nachrichten"
      - region "Benachrichtigungen":
        - switch "Auf dem Bildschirm"
      - region "Über den Messenger":
        - paragraph:
          - button "Tastenkürzel anzeigen"
  `,
  'new-chat': `
    - dialog "Neuer Chat":
      - banner:
        - heading "Neuer Chat" [level=2]
        - button "Schließen"
      - tablist "Neuer Chat":
        - tab "Person" [selected]
        - tab "Raum"
      - tabpanel "Person":
        - searchbox "Person suchen"
        - list "Gefundene Personen":
          - listitem:
            - button /Anna Schmidt/
  `,
}

const ADMIN = {
  'admin-dashboard': `
    - banner:
      - navigation "Verwaltung":
        - link "Überblick"
        - link "Meldungsprotokoll"
        - link "Benutzer"
        - link "Räume"
        - link "Audit"
        - link "Anbindung"
        - link "Info & Lizenzen"
    - main:
      - heading "Überblick" [level=1]
      - region "Überblick":
        - list "Zustand":
          - listitem
        - term: Benutzer
        - definition:
          - link /\\d+/
        - region "Meldungen je Minute":
          - heading "Meldungen je Minute" [level=2]
          - table "Meldungen je Minute"
  `,
  'admin-log': `
    - main:
      - heading "Meldungsprotokoll" [level=1]
      - button "Alle des Filters"
      - button "CSV"
      - button "Probemeldung"
      - search:
        - searchbox "In Titel und Text suchen"
        - combobox "Zustand"
        - combobox "Anwendung"
        - button "Weitere Filter"
      - grid "Meldungsprotokoll":
        - rowgroup:
          - row /Zustand/:
            - columnheader "Alle geladenen auswählen":
              - checkbox "Alle geladenen auswählen"
            - columnheader "Zustand"
            - columnheader "Meldung"
            - columnheader "Anwendung"
            - columnheader "Ziel"
            - columnheader "Angenommen"
        - rowgroup:
          - row /zugestellt/:
            - gridcell /auswählen/:
              - checkbox /auswählen/
            - gridcell "zugestellt"
  `,
  'admin-user': `
    - main:
      - heading "Benutzer" [level=1]
      - complementary "Bernd Weber":
        - heading "Bernd Weber" [level=2]
        - button "Schließen"
        - region "Bernd Weber":
          - term: Hub-Kennung
          - definition: weber
        - button "Umbenennen"
        - button "Überall abmelden"
  `,
  'admin-rooms': `
    - main:
      - heading "Räume" [level=1]
      - search:
        - searchbox "Name, Nummer oder Raum-Kennung suchen"
        - combobox "Art"
      - grid "Räume":
        - rowgroup:
          - row /Letzte Aktivität/:
            - columnheader "Raum"
            - columnheader "Art"
            - columnheader "Mitglieder"
            - columnheader "Nachrichten"
            - columnheader "Letzte Aktivität"
        - rowgroup:
          - row /Mitglieder/
  `,
  'admin-audit': `
    - main:
      - heading "Audit" [level=1]
      - paragraph: Jede Handlung der Administration. Einträge werden nie geändert oder gelöscht.
      - search:
        - combobox "Handlung"
        - searchbox "Wer (Hub-Kennung)"
        - searchbox "Gegenstand (Kennung)"
        - button "Suchen"
      - grid "Audit":
        - rowgroup:
          - row /Handlung/:
            - columnheader "Zeit"
            - columnheader "Wer"
            - columnheader "Handlung"
            - columnheader "Gegenstand"
            - columnheader "Änderung"
        - rowgroup:
          - row /chef/
  `,
  'admin-close': `
    - dialog /schließen/:
      - banner:
        - heading /schließen/ [level=2]
        - paragraph: /verlier.*sofort/
      - contentinfo:
        - button "Abbrechen"
        - button "Raum schließen"
  `,
}

async function expectSnapshots<C>(page: Page, pages: Record<string, (page: Page, made: C) => Promise<void>>, made: C, snapshots: Record<string, string>): Promise<void> {
  for (const [name, snapshot] of Object.entries(snapshots)) {
    await pages[name]?.(page, made)
    await expect.soft(page.locator('body'), name).toMatchAriaSnapshot(snapshot)
  }
}

test('a screen reader finds the parts of each page of the chat', async ({ browser }) => {
  test.setTimeout(240_000)
  const made = await content()
  await expectSnapshots(await open(browser, 'mueller'), PAGES, made, CHAT)
})

test('a screen reader finds the parts of each page of the administration', async ({ browser }) => {
  test.setTimeout(240_000)
  const made = await adminContent()
  await expectSnapshots(await open(browser, 'chef'), ADMIN_PAGES, made, ADMIN)
})
