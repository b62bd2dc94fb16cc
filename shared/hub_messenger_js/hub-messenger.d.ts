// Types of hub-messenger.js.

/** Whether and how events arrive. */
export type StateName =
  /** No attempt has succeeded or failed yet, or the service ended the stream and is asked again at once. */
  | 'connecting'
  /** Events arrive as they happen. */
  | 'live'
  /** Events arrive by polling, since something between here and the service holds streams back. */
  | 'polling'
  /** The service cannot be reached; the next attempt is on its way. */
  | 'offline'
  /** The token was refused, also after it was renewed. It is asked for again, ever more rarely, or by `reconnect()`. */
  | 'unauthorized'
  /** `close()` was called. */
  | 'closed';

export interface State {
  readonly name: StateName;
  /** When the state began. */
  readonly since: Date;
  /** Why: the `code` of the service's problem, `status_502` where something else answered, `unreachable`, `silent`, … */
  readonly reason: string;
}

/** An event of the service: its `type` and the fields that the README describes. */
export interface EventData {
  readonly type: string;
  readonly [field: string]: any;
}

export interface HubMessengerOptions {
  /** The service's address, with or without `/api/v1`, absolute or relative to the page; by default the page's origin. */
  url?: string | URL;
  /**
   * Returns the user's Hub token. It is asked before the first connection, and again when a token has expired or was
   * refused; `expired` says so, and then the one before is of no use.
   */
  getToken?: (why: { expired: boolean }) => string | Promise<string>;
  /** A token that is never renewed, for scripts. */
  token?: string;
  /** Where to begin: the events after this one. By default with what happens from now on. */
  lastEventId?: string | number | null;
  /** Called with each event, once, in order; `id` is `null` where the event has no position (`typing`). */
  onEvent?: (event: EventData, id: string | null) => void;
  /** Called with each state, also with the first one. */
  onState?: (state: State) => void;
  /** Milliseconds until the first byte of a stream; then polling begins. Default 10000. */
  openTimeout?: number;
  /** Milliseconds of silence after which a stream counts as broken. The service says something every 20 s. Default 45000. */
  silenceTimeout?: number;
  /** Longest pause between two attempts, in milliseconds; ten times that where the token is refused. Default 30000. */
  maxDelay?: number;
  /** Milliseconds until streaming is tried again while polling; doubles with each attempt up to 10 minutes. Default 60000. */
  streamAgainAfter?: number;
  /** Seconds that a poll waits for an event, 1 to 25. Default 25. */
  pollWait?: number;
}

/** An event of the service; `type` is that of its data, or `event` for listeners of all. */
export class MessengerEvent extends Event {
  constructor(type: string, data: EventData, id: string | null);
  readonly data: EventData;
  readonly id: string | null;
}

/** A change of the state. */
export class StateEvent extends Event {
  constructor(state: State);
  readonly state: State;
}

/** Follows the events of a user until it is closed. */
export class HubMessenger extends EventTarget {
  constructor(options: HubMessengerOptions);
  readonly state: State;
  /** Where to resume: the id of the last event; `null` before the first connection. */
  readonly lastEventId: string | null;
  /** Connects at once if it waits for its next attempt. */
  reconnect(): void;
  /** Ends it; no event comes any more. */
  close(): void;
  addEventListener(type: 'state', listener: (event: StateEvent) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: (event: MessengerEvent) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
}
