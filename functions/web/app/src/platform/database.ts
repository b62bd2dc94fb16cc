// IndexedDB of one user and tenant: drafts, the outbox, and the position of the feed. In memory if it
// is forbidden or full.
import { type DBSchema, deleteDB, type IDBPDatabase, openDB, type StoreNames } from 'idb'
import type { Draft, OutboxEntry } from './records'

interface Schema extends DBSchema {
  drafts: { key: string; value: { room: string } & Draft }
  outbox: { key: string; value: OutboxEntry }
  values: { key: string; value: { key: string; value: unknown } }
}

export type Table = StoreNames<Schema>

const KEYS = { drafts: 'room', outbox: 'txnId', values: 'key' } as const

/** It grows with the tables. */
const VERSION = 2

/** The database of a user. */
export class UserDatabase {
  readonly #memory = new Map<Table, Map<IDBValidKey, unknown>>()
  readonly #opened: Promise<IDBPDatabase<Schema> | null>

  constructor(
    readonly name: string,
    /** Called once if the data cannot outlive this tab. */
    private readonly onForbidden: () => void,
  ) {
    this.#opened = this.#open()
  }

  async #open(): Promise<IDBPDatabase<Schema> | null> {
    try {
      return await openDB<Schema>(this.name, VERSION, {
        upgrade(database) {
          const [present, wanted] = [new Set<string>(database.objectStoreNames), Object.keys(KEYS) as Table[]]
          for (const table of present) if (!(wanted as string[]).includes(table)) database.deleteObjectStore(table as Table)
          for (const table of wanted) if (!present.has(table)) database.createObjectStore(table, { keyPath: KEYS[table] })
        },
        // Another tab signs the user out: it deletes the database, and waits until no tab has it open.
        blocking: (_, __, event) => (event.target as IDBDatabase).close(),
      })
    } catch {
      this.onForbidden()
      return null
    }
  }

  async all<T extends Table>(table: T): Promise<Schema[T]['value'][]> {
    const stored = await this.#try((database) => database.getAll(table))
    const memory = [...this.#of(table).values()] as Schema[T]['value'][]
    return [...(stored ?? []), ...memory]
  }

  async get<T extends Table>(table: T, key: Schema[T]['key']): Promise<Schema[T]['value'] | undefined> {
    const memory = this.#of(table).get(key) as Schema[T]['value'] | undefined
    return memory ?? (await this.#try((database) => database.get(table, key)))
  }

  async put<T extends Table>(table: T, value: Schema[T]['value']): Promise<void> {
    const key = (value as unknown as Record<string, IDBValidKey>)[KEYS[table]]
    if (key === undefined) return
    const stored = await this.#try((database) => database.put(table, value))
    if (stored === undefined) this.#of(table).set(key, value)
    else this.#of(table).delete(key)
  }

  async remove<T extends Table>(table: T, key: Schema[T]['key']): Promise<void> {
    this.#of(table).delete(key)
    await this.#try((database) => database.delete(table, key))
  }

  /** Closes the database and deletes all of it, when its user signs out. */
  async delete(): Promise<void> {
    this.#memory.clear()
    ;(await this.#opened)?.close()
    await deleteDB(this.name).catch(() => {})
  }

  #of(table: Table): Map<IDBValidKey, unknown> {
    const known = this.#memory.get(table) ?? new Map<IDBValidKey, unknown>()
    this.#memory.set(table, known)
    return known
  }

  async #try<T>(act: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T | undefined> {
    const database = await this.#opened
    if (database === null) return undefined
    try {
      return await act(database)
    } catch {
      this.onForbidden()
      return undefined
    }
  }
}
