// The paths of pages with an id.

/** Returns the path of a room. */
export const roomPath = (id: string): string => `/chat/${encodeURIComponent(id)}`

/** Returns the path of the search for a text, in all rooms or in one. */
export const searchPath = (text: string, room = ''): string => {
  const query = new URLSearchParams({ ...(text === '' ? {} : { q: text }), ...(room === '' ? {} : { raum: room }) }).toString()
  return query === '' ? '/suche' : `/suche?${query}`
}

/** Returns the path of a message in its room. */
export const messagePath = (room: string, event: string): string => `${roomPath(room)}?nachricht=${encodeURIComponent(event)}`

/** Returns the path of an alarm, with its journal. */
export const alarmPath = (id: number): string => `/meldungen?stoerung=${id}`
