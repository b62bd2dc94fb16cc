// Subscribes to the events of Messenger-Service from a page or from Node: streams, resumes, renews the token,
// and polls if streaming does not work. No dependency. Types: hub-messenger.d.ts.
// Manual: shared/hub_messenger_js/README.md.
// @ts-check

/** @typedef {import('./hub-messenger.js').EventData} EventData */
/** @typedef {import('./hub-messenger.js').HubMessengerOptions} HubMessengerOptions */
/** @typedef {import('./hub-messenger.js').State} State */
/** @typedef {import('./hub-messenger.js').StateName} StateName */
/**
 * The end of a connection or of a poll: `stalled` if a proxy holds streams back, `planned` if the next attempt
 * follows after `pause` milliseconds without backoff, `refused` if the service rejected the token.
 * @typedef {{ reason: string, stalled?: boolean, planned?: boolean, refused?: boolean, pause?: number }} End
 */

/** Milliseconds before the first reconnection, until the service sends another time (`retry`). */
const RETRY = 3_000;
/** Milliseconds between polls if the service, or a proxy, answers without the requested wait. */
const POLL_PAUSE = 2_000;
/** The factor of the longest pause after a refused token. */
const REFUSED_FACTOR = 10;
/** The longest time between two attempts to stream while polling, in milliseconds. */
const STREAM_AGAIN_MAX = 600_000;
/** The events that concern the connection only. */
const CONTROL = new Set(['connected', 'keepalive', 'reconnect', 'token_expired']);

/** An event of the service. `type` is that of its data. */
export class MessengerEvent extends Event {
  /** @param {string} type @param {EventData} data @param {string | null} id */
  constructor(type, data, id) {
    super(type);
    this.data = data;
    this.id = id;
  }
}

/** A change of the state. */
export class StateEvent extends Event {
  /** @param {State} state */
  constructor(state) {
    super('state');
    this.state = state;
  }
}

/** A subscription to the events of a user, until it is closed. */
export class HubMessenger extends EventTarget {
  #options;
  #base;
  /** Whether the session cookie signs the user in, and no token. */
  #hasSession;
  /** @type {string | null} */
  #cursor;
  /** @type {State} */
  #state = { name: 'connecting', since: new Date(), reason: 'started' };
  /** @type {string | null} */
  #token = null;
  /** The reason to renew the token; `null` while the token is valid. @type {string | null} */
  #expired = null;
  #refusals = 0;
  #failures = 0;
  #retry = RETRY;
  /** Milliseconds until the next connection if the service ends the stream. @type {number | undefined} */
  #pause;
  /** The time of the last byte of the stream, by `Date.now()`: timers stop while a computer sleeps. */
  #lastByteAt = 0;
  #closing = new AbortController();
  /** @type {AbortController | null} */
  #connection = null;
  /** Ends the present pause. @type {(() => void) | null} */
  #endPause = null;

  /** @param {HubMessengerOptions} options */
  constructor(options) {
    super();
    this.#options = {
      openTimeout: 10_000, silenceTimeout: 45_000, maxDelay: 30_000, streamAgainAfter: 60_000, pollWait: 25,
      ...options,
    };
    this.#hasSession = options.credentials === 'same-origin';
    if (!this.#hasSession && typeof options.getToken !== 'function' && typeof options.token !== 'string') {
      throw new TypeError(
        "HubMessenger needs `getToken`, a function that returns the Hub token, `token`, or `credentials: 'same-origin'`"
      );
    }
    this.#base = base(options.url ?? '');
    this.#cursor = options.lastEventId == null ? null : String(options.lastEventId);
    const { onEvent, onState } = options;
    if (onEvent) this.addEventListener('event', (event) => onEvent(/** @type {any} */ (event).data, /** @type {any} */ (event).id));
    if (onState) this.addEventListener('state', (event) => onState(/** @type {any} */ (event).state));
    globalThis.addEventListener?.('online', this.#onVisible);
    globalThis.document?.addEventListener?.('visibilitychange', this.#onVisible);
    // Listeners that are added right after the construction receive every event.
    queueMicrotask(() => this.#run());
  }

  /** The present state. */
  get state() {
    return this.#state;
  }

  /** The position at which it resumes, the id of the last event; `null` before the first connection. */
  get lastEventId() {
    return this.#cursor;
  }

  /** Ends the pause before the next attempt, for example after the user has signed in again. */
  reconnect() {
    this.#endPause?.();
  }

  /** Ends the subscription. No event follows. */
  close() {
    if (this.#closing.signal.aborted) return;
    globalThis.removeEventListener?.('online', this.#onVisible);
    globalThis.document?.removeEventListener?.('visibilitychange', this.#onVisible);
    this.#setState('closed', 'closed');
    this.#closing.abort();
    this.#connection?.abort('closed');
    this.#endPause?.();
  }

  async #run() {
    this.dispatchEvent(new StateEvent(this.#state));
    while (!this.#closing.signal.aborted) {
      let end = await this.#stream();
      if (end.stalled) end = await this.#pollUntilStreaming();
      if (!this.#closing.signal.aborted) await this.#backOff(end, this.#closing.signal);
    }
  }

  /** Streams until the connection ends. @param {() => void} [onOpen] @returns {Promise<End>} */
  async #stream(onOpen) {
    const connection = (this.#connection = new AbortController());
    let pieces = 0;
    this.#pause = undefined;
    let timer = setTimeout(() => connection.abort('stalled'), this.#options.openTimeout);
    try {
      const response = await this.#fetch('/events/stream', connection.signal, 'text/event-stream');
      if ('reason' in response) return response;
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
      if (!isStream || !response.body) return { reason: 'no_event_stream', stalled: true };
      const [reader, blocks] = [response.body.getReader(), new Blocks()];
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => connection.abort('silent'), this.#options.silenceTimeout);
        this.#lastByteAt = Date.now();
        if (pieces++ === 0) this.#opened(onOpen);
        for (const block of blocks.feed(piece.value)) {
          if (this.#closing.signal.aborted) return { reason: 'closed' };
          this.#receive(block);
        }
      }
      return this.#streamEnd();
    } catch {
      const reason = connection.signal.aborted ? String(connection.signal.reason) : 'unreachable';
      // A stream that is silent after its first bytes counts as held back, too.
      const stalled = reason === 'stalled' || (reason === 'silent' && pieces < 2);
      return { reason, stalled };
    } finally {
      clearTimeout(timer);
      connection.abort('ended');
    }
  }

  /** @param {(() => void) | undefined} onOpen */
  #opened(onOpen) {
    onOpen?.();
    this.#failures = this.#refusals = 0;
    this.#setState('live', 'streaming');
  }

  /** @returns {End} */
  #streamEnd() {
    if (this.#expired !== null) return { reason: this.#expired, planned: true };
    return { reason: 'ended', planned: this.#pause !== undefined, pause: this.#pause };
  }

  /** Processes a block of the stream. @param {{ id: string | null, data: string, retry?: number }} block */
  #receive({ id, data, retry }) {
    const event = parse(data);
    if (event === null) return;
    if (event.type === 'reconnect') this.#pause = retry;
    else if (retry !== undefined) this.#retry = retry;
    // The last event of a connection: the next one has the rights of the new role.
    if (event.type === 'role_changed') this.#pause = 0;
    if (event.type === 'token_expired' || event.type === 'access_withdrawn') this.#expired = event.type;
    if (event.type !== 'connected') this.#deliver(event, id);
    // Polling may have passed the position at which a stream was opened meanwhile.
    else if (id !== null && !(Number(id) < Number(this.#cursor))) this.#cursor = id;
  }

  /** Dispatches an event to the listeners, once. @param {EventData} event @param {string | null} id */
  #deliver(event, id) {
    if (id !== null) {
      // After a gap, the position may be lower than before: the service's database was restored.
      if (event.type !== 'reset' && this.#cursor !== null && Number(id) <= Number(this.#cursor)) return;
      this.#cursor = id;
    }
    if (CONTROL.has(event.type)) return;
    this.dispatchEvent(new MessengerEvent('event', event, id));
    if (event.type !== 'event' && event.type !== 'state') this.dispatchEvent(new MessengerEvent(event.type, event, id));
  }

  /**
   * Polls, and tries to stream now and then, until a stream works. Returns the end of that stream.
   * @returns {Promise<End>}
   */
  async #pollUntilStreaming() {
    // A stream that fell silent is no connection, also while polling is only being tried.
    if (this.#state.name === 'live') this.#setState('offline', 'silent');
    const stop = new AbortController();
    this.#closing.signal.addEventListener('abort', () => stop.abort(), { signal: stop.signal });
    const polling = this.#poll(stop.signal);
    /** @type {End} */
    let end = { reason: 'closed' };
    for (let pause = this.#options.streamAgainAfter; !stop.signal.aborted; pause = Math.min(pause * 2, STREAM_AGAIN_MAX)) {
      await sleep(pause, stop.signal);
      if (!stop.signal.aborted) end = await this.#stream(() => stop.abort());
    }
    await polling;
    return end;
  }

  /** @param {AbortSignal} stop */
  async #poll(stop) {
    while (!stop.aborted) {
      const started = Date.now();
      const end = await this.#pollOnce(stop);
      if (stop.aborted) return;
      if (end) await this.#backOff(end, stop);
      else if (Date.now() - started < 1_000) await sleep(POLL_PAUSE, stop);
    }
  }

  /** Reads one page. @param {AbortSignal} stop @returns {Promise<End | null>} `null` if it was read */
  async #pollOnce(stop) {
    const { pollWait, openTimeout } = this.#options;
    const query = this.#cursor === null ? 'cursor=now' : `cursor=${this.#cursor}&wait=${pollWait}`;
    const request = new AbortController();
    const abort = () => request.abort('silent');
    const timer = setTimeout(abort, pollWait * 1000 + openTimeout);
    stop.addEventListener('abort', abort);
    try {
      const response = await this.#fetch(`/events/poll?${query}`, request.signal, 'application/json');
      if ('reason' in response) return response;
      /** @type {(EventData & { id?: number })[]} */
      const events = await response.json();
      if (stop.aborted) return null;
      this.#failures = this.#refusals = 0;
      this.#setState('polling', 'stream_stalled');
      this.#receivePage(events, response.headers.get('x-next-cursor'));
      return null;
    } catch {
      return { reason: request.signal.aborted ? 'silent' : 'unreachable' };
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', abort);
    }
  }

  /** @param {(EventData & { id?: number })[]} events @param {string | null} next */
  #receivePage(events, next) {
    // A reader without a position sends one that no log has. The answer has the present position, and a `reset`
    // that is no gap.
    const isFirst = this.#cursor === null;
    for (const { id, ...event } of events) {
      const isGap = event.type === 'reset';
      if (isGap && next !== null) this.#cursor = next;
      if (!isGap || !isFirst) this.#deliver(/** @type {EventData} */ (event), id === undefined ? null : String(id));
    }
    if (next !== null && !(Number(next) < Number(this.#cursor))) this.#cursor = next;
  }

  /**
   * Sends a request with the token, or with the session cookie.
   * @param {string} path @param {AbortSignal} signal @param {string} accept @returns {Promise<Response | End>}
   */
  async #fetch(path, signal, accept) {
    /** @type {Record<string, string>} */
    const headers = { Accept: accept };
    try {
      if (this.#hasSession) this.#expired = null;
      else headers.Authorization = `Bearer ${await this.#currentToken()}`;
    } catch (error) {
      console.warn('HubMessenger: getToken failed', error);
      return { reason: 'no_token', refused: true };
    }
    if (accept === 'text/event-stream' && this.#cursor !== null) headers['Last-Event-ID'] = this.#cursor;
    /** @type {RequestInit} */
    const init = { headers, signal, cache: 'no-store', credentials: 'same-origin' };
    const response = await fetch(`${this.#base}/api/v1${path}`, init);
    return response.ok ? response : this.#refusal(response);
  }

  async #currentToken() {
    if (this.#token === null || this.#expired !== null) {
      const { getToken, token } = this.#options;
      this.#token = String(getToken ? await getToken({ expired: this.#expired !== null }) : token).trim();
      this.#expired = null;
    }
    return this.#token;
  }

  /** @param {Response} response @returns {Promise<End>} */
  async #refusal(response) {
    const problem = await response.json().catch(() => null);
    const reason = typeof problem?.code === 'string' ? problem.code : `status_${response.status}`;
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const pause = seconds >= 0 ? seconds * 1000 : undefined;
    if (response.status === 401) {
      this.#expired = reason;
      // After the first refusal, a new token is tried at once. Further attempts follow after a pause.
      const canRenew = !this.#hasSession && this.#options.getToken !== undefined;
      return { reason, refused: true, pause, planned: this.#refusals++ === 0 && canRenew };
    }
    return { reason, refused: response.status === 403, pause, stalled: [408, 504].includes(response.status) };
  }

  /** Sets the state and waits before the next attempt. @param {End} end @param {AbortSignal} stop */
  async #backOff(end, stop) {
    if (end.planned) {
      if (this.#state.name === 'live') this.#setState('connecting', end.reason);
      return sleep(end.pause ?? 0, stop, this.#setEndPause);
    }
    this.#setState(end.refused ? 'unauthorized' : 'offline', end.reason);
    const longest = this.#options.maxDelay * (end.refused ? REFUSED_FACTOR : 1);
    const growing = Math.min(longest, this.#retry * 2 ** Math.min(this.#failures++, 10));
    return sleep(Math.max(growing * (0.5 + Math.random() / 2), end.pause ?? 0), stop, this.#setEndPause);
  }

  /** @param {(() => void) | null} endPause */
  #setEndPause = (endPause) => {
    this.#endPause = endPause;
  };

  /** Connects at once when the network is back or the page becomes visible; drops a dead connection. */
  #onVisible = () => {
    if (globalThis.document?.visibilityState === 'hidden') return;
    this.#endPause?.();
    if (this.#state.name === 'live' && Date.now() - this.#lastByteAt > this.#options.silenceTimeout) {
      this.#connection?.abort('silent');
    }
  };

  /** @param {StateName} name @param {string} reason */
  #setState(name, reason) {
    if (this.#closing.signal.aborted || (this.#state.name === name && this.#state.reason === reason)) return;
    const since = this.#state.name === name ? this.#state.since : new Date();
    this.#state = { name, since, reason };
    this.dispatchEvent(new StateEvent(this.#state));
  }
}

/** A parser of the blocks of a stream (WHATWG HTML, "Server-sent events"). The service ends lines with LF. */
class Blocks {
  #decoder = new TextDecoder();
  #incomplete = '';

  /** Returns the blocks that the next bytes complete. @param {Uint8Array} bytes */
  feed(bytes) {
    const blocks = (this.#incomplete + this.#decoder.decode(bytes, { stream: true })).split('\n\n');
    this.#incomplete = blocks.pop() ?? '';
    return blocks.map(parseBlock);
  }
}

/** Parses the fields of a block. @param {string} text */
function parseBlock(text) {
  /** @type {{ id: string | null, data: string, retry?: number }} */
  const fields = { id: null, data: '' };
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === 'id') fields.id = value;
    if (name === 'data') fields.data += value;
    if (name === 'retry' && /^\d+$/.test(value)) fields.retry = Number(value);
  }
  return fields;
}

/** Parses an event; returns `null` if it is none. @param {string} data @returns {EventData | null} */
function parse(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** Returns the service's address without `/api/v1`; `url` may be relative. @param {string | URL} url */
function base(url) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  return origin + pathname.replace(/\/+$/, '').replace(/\/api\/v1$/, '').replace(/\/+$/, '');
}

/**
 * Resolves after a time, when `stop` is aborted, or when the function that `setEndPause` receives is called.
 * @param {number} milliseconds
 * @param {AbortSignal} stop
 * @param {(endPause: (() => void) | null) => void} [setEndPause]
 */
function sleep(milliseconds, stop, setEndPause) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      setEndPause?.(null);
      resolve(undefined);
    };
    const timer = setTimeout(done, milliseconds);
    stop.addEventListener('abort', done);
    setEndPause?.(done);
    if (stop.aborted) done();
  });
}
