// Types of hub-messenger.js.

/** The way in which events arrive, or the reason why none do. */
export type StateName =
  /** No attempt has ended yet, or the service ended the stream and the next attempt follows at once. */
  | 'connecting'
  /** Events arrive as they happen. */
  | 'live'
  /** Events arrive by polling, since a proxy holds streams back. */
  | 'polling'
  /** The service cannot be reached; the next attempt follows after a pause. */
  | 'offline'
  /** The token was refused, also a renewed one. Attempts follow after growing pauses, or by `reconnect()`. */
  | 'unauthorized'
  /** `close()` was called. */
  | 'closed';

export interface State {
  readonly name: StateName;
  /** The time at which the state began. */
  readonly since: Date;
  /** The `code` of a problem, `status_502` for an answer of another program, `unreachable`, `silent`, … */
  readonly reason: string;
}

/** An event of the service: its `type` and the fields that the README describes. */
export interface EventData {
  readonly type: string;
  readonly [field: string]: any;
}

export interface HubMessengerOptions {
  /** The service's address, with or without `/api/v1`; it may be relative. Default: the page's origin. */
  url?: string | URL;
  /**
   * Returns the user's Hub token. It is called before the first connection, and when a token has expired or
   * was refused: then `expired` is `true`, and a new token is needed.
   */
  getToken?: (why: { expired: boolean }) => string | Promise<string>;
  /** A token that is never renewed, for scripts. */
  token?: string;
  /**
   * Signs the user in by the session cookie of `POST /auth/session`, for pages of the service's origin. No token
   * is needed; `getToken` and `token` are not used. Without a session the state is `unauthorized`: begin one and
   * call `reconnect()`.
   */
  credentials?: 'same-origin';
  /** The position after which events are delivered. Default: the present one, so that only new events arrive. */
  lastEventId?: string | number | null;
  /** Called with each event, once, in order; `id` is `null` if the event has no position (`typing`). */
  onEvent?: (event: EventData, id: string | null) => void;
  /** Called with each state, including the first one. */
  onState?: (state: State) => void;
  /** Milliseconds to wait for the first byte of a stream before polling begins. Default 10000. */
  openTimeout?: number;
  /** Milliseconds without a byte after which a stream counts as broken (keepalive: 20 s). Default 45000. */
  silenceTimeout?: number;
  /** Longest pause between attempts in milliseconds; ten times as long for a refused token. Default 30000. */
  maxDelay?: number;
  /** Milliseconds of polling until the next attempt to stream; doubles up to 10 minutes. Default 60000. */
  streamAgainAfter?: number;
  /** Seconds that a poll waits for an event, 1 to 25. Default 25. */
  pollWait?: number;
}

/** An event of the service. `type` is that of its data, or `event` for listeners of all events. */
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

/** A subscription to the events of a user, until it is closed. */
export class HubMessenger extends EventTarget {
  constructor(options: HubMessengerOptions);
  readonly state: State;
  /** The position at which it resumes, the id of the last event; `null` before the first connection. */
  readonly lastEventId: string | null;
  /** Ends the pause before the next attempt. */
  reconnect(): void;
  /** Ends the subscription. No event follows. */
  close(): void;
  addEventListener(type: 'state', listener: (event: StateEvent) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: (event: MessengerEvent) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
}
