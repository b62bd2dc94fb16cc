// Follows the events of Messenger-Service from a page or from Node: streams, resumes, renews the token, and polls where
// streaming does not work. No dependency. Types: hub-messenger.d.ts. Manual: shared/hub_messenger_js/README.md.
// @ts-check

/** @typedef {import('./hub-messenger.js').EventData} EventData */
/** @typedef {import('./hub-messenger.js').HubMessengerOptions} HubMessengerOptions */
/** @typedef {import('./hub-messenger.js').State} State */
/** @typedef {import('./hub-messenger.js').StateName} StateName */
/**
 * The end of a connection or of a poll: `opened` if something had arrived, `stalled` if streaming does not work here,
 * `paced` if the next attempt waits for `pause` milliseconds and no longer, `refused` if the token is not good.
 * @typedef {{ reason: string, opened?: boolean, stalled?: boolean, paced?: boolean, refused?: boolean, pause?: number }} End
 */

/** Milliseconds before the first reconnection, until the service says otherwise (`retry`). */
const RETRY = 3_000;
/** Milliseconds between polls where the service, or what is before it, does not wait as it was asked to. */
const POLL_PAUSE = 2_000;
/** A token that was refused is tried again more rarely than a service that is away. */
const REFUSED_FACTOR = 10;
/** Longest time between two attempts to stream while polling, in milliseconds. */
const STREAM_AGAIN_MAX = 600_000;
/** Events that concern the connection alone. */
const CONTROL = new Set(['connected', 'keepalive', 'reconnect', 'token_expired']);

/** An event of the service; `type` is that of its data. */
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

/** Follows the events of a user until it is closed. */
export class HubMessenger extends EventTarget {
  #options;
  #base;
  /** @type {string | null} */
  #cursor;
  /** @type {State} */
  #state = { name: 'connecting', since: new Date(), reason: 'started' };
  /** @type {string | null} */
  #token = null;
  /** Why the token has to be renewed. @type {string | null} */
  #expired = null;
  #refusals = 0;
  #failures = 0;
  #retry = RETRY;
  /** Milliseconds until the next connection that the service asks for when it shuts down. @type {number | undefined} */
  #pause;
  /** When the last byte of the stream arrived, by `Date.now()`: timers stand still while a computer sleeps. */
  #heard = 0;
  #closing = new AbortController();
  /** @type {AbortController | null} */
  #connection = null;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {HubMessengerOptions} options */
  constructor(options) {
    super();
    this.#options = {
      openTimeout: 10_000, silenceTimeout: 45_000, maxDelay: 30_000, streamAgainAfter: 60_000, pollWait: 25,
      ...options,
    };
    if (typeof options.getToken !== 'function' && typeof options.token !== 'string') {
      throw new TypeError('HubMessenger needs `getToken`, a function that returns the Hub token, or `token`');
    }
    this.#base = base(options.url ?? '');
    this.#cursor = options.lastEventId == null ? null : String(options.lastEventId);
    const { onEvent, onState } = options;
    if (onEvent) this.addEventListener('event', (event) => onEvent(/** @type {any} */ (event).data, /** @type {any} */ (event).id));
    if (onState) this.addEventListener('state', (event) => onState(/** @type {any} */ (event).state));
    globalThis.addEventListener?.('online', this.#look);
    globalThis.document?.addEventListener?.('visibilitychange', this.#look);
    // Listeners that are added right after the construction hear everything.
    queueMicrotask(() => this.#run());
  }

  /** Whether and how events arrive. */
  get state() {
    return this.#state;
  }

  /** Where to resume: the id of the last event; `null` before the first connection. */
  get lastEventId() {
    return this.#cursor;
  }

  /** Connects at once if it waits for its next attempt, for example after the user has signed in again. */
  reconnect() {
    this.#wake?.();
  }

  /** Ends it; no event comes any more. */
  close() {
    if (this.#closing.signal.aborted) return;
    globalThis.removeEventListener?.('online', this.#look);
    globalThis.document?.removeEventListener?.('visibilitychange', this.#look);
    this.#say('closed', 'closed');
    this.#closing.abort();
    this.#connection?.abort('closed');
    this.#wake?.();
  }

  async #run() {
    this.dispatchEvent(new StateEvent(this.#state));
    while (!this.#closing.signal.aborted) {
      let end = await this.#stream();
      if (end.stalled) end = await this.#pollMeanwhile();
      if (!this.#closing.signal.aborted) await this.#rest(end, this.#closing.signal);
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
        this.#heard = Date.now();
        if (pieces++ === 0) this.#isOpen(onOpen);
        for (const block of blocks.feed(piece.value)) {
          if (this.#closing.signal.aborted) return { reason: 'closed', opened: true };
          this.#take(block);
        }
      }
      return this.#ended(pieces > 0);
    } catch {
      const reason = connection.signal.aborted ? String(connection.signal.reason) : 'unreachable';
      // A stream that goes silent after its first bytes is held back as one that never begins.
      const stalled = reason === 'stalled' || (reason === 'silent' && pieces < 2);
      return { reason, opened: pieces > 0, stalled };
    } finally {
      clearTimeout(timer);
      connection.abort('ended');
    }
  }

  /** @param {(() => void) | undefined} onOpen */
  #isOpen(onOpen) {
    onOpen?.();
    this.#failures = this.#refusals = 0;
    this.#say('live', 'streaming');
  }

  /** @param {boolean} opened @returns {End} */
  #ended(opened) {
    if (this.#expired !== null) return { reason: this.#expired, opened, paced: true };
    return { reason: 'ended', opened, paced: this.#pause !== undefined, pause: this.#pause };
  }

  /** Takes a block of the stream. @param {{ id: string | null, data: string, retry?: number }} block */
  #take({ id, data, retry }) {
    const event = parsed(data);
    if (event === null) return;
    if (event.type === 'reconnect') this.#pause = retry;
    else if (retry !== undefined) this.#retry = retry;
    if (event.type === 'token_expired' || event.type === 'access_withdrawn') this.#expired = event.type;
    if (event.type !== 'connected') this.#deliver(event, id);
    // A stream that was opened while polling begins where polling stood then.
    else if (id !== null && !(Number(id) < Number(this.#cursor))) this.#cursor = id;
  }

  /** Hands an event to the listeners, once. @param {EventData} event @param {string | null} id */
  #deliver(event, id) {
    if (id !== null) {
      // After a gap the position may be an older one: the service's database was restored.
      if (event.type !== 'reset' && this.#cursor !== null && Number(id) <= Number(this.#cursor)) return;
      this.#cursor = id;
    }
    if (CONTROL.has(event.type)) return;
    this.dispatchEvent(new MessengerEvent('event', event, id));
    if (event.type !== 'event' && event.type !== 'state') this.dispatchEvent(new MessengerEvent(event.type, event, id));
  }

  /** Polls until a stream that is tried now and then works, and ends with that stream. @returns {Promise<End>} */
  async #pollMeanwhile() {
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
      const begun = Date.now();
      const end = await this.#pollOnce(stop);
      if (stop.aborted) return;
      if (end) await this.#rest(end, stop);
      else if (Date.now() - begun < 1_000) await sleep(POLL_PAUSE, stop);
    }
  }

  /** Reads one page. @param {AbortSignal} stop @returns {Promise<End | null>} `null` if it was read */
  async #pollOnce(stop) {
    const { pollWait, openTimeout } = this.#options;
    const asks = this.#cursor === null ? 'cursor=now' : `cursor=${this.#cursor}&wait=${pollWait}`;
    const request = new AbortController();
    const abort = () => request.abort('silent');
    const timer = setTimeout(abort, pollWait * 1000 + openTimeout);
    stop.addEventListener('abort', abort);
    try {
      const response = await this.#fetch(`/events/poll?${asks}`, request.signal, 'application/json');
      if ('reason' in response) return response;
      /** @type {(EventData & { id?: number })[]} */
      const events = await response.json();
      if (stop.aborted) return null;
      this.#failures = this.#refusals = 0;
      this.#say('polling', 'stream_stalled');
      this.#page(events, response.headers.get('x-next-cursor'));
      return null;
    } catch {
      return { reason: request.signal.aborted ? 'silent' : 'unreachable' };
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', abort);
    }
  }

  /** @param {(EventData & { id?: number })[]} events @param {string | null} next */
  #page(events, next) {
    // A reader without a position asks for one that no log has: that tells the present one, and a gap that is none.
    const isFirst = this.#cursor === null;
    for (const { id, ...event } of events) {
      const isGap = event.type === 'reset';
      if (isGap && next !== null) this.#cursor = next;
      if (!isGap || !isFirst) this.#deliver(/** @type {EventData} */ (event), id === undefined ? null : String(id));
    }
    if (next !== null && !(Number(next) < Number(this.#cursor))) this.#cursor = next;
  }

  /** Asks with the token. @param {string} path @param {AbortSignal} signal @param {string} accept @returns {Promise<Response | End>} */
  async #fetch(path, signal, accept) {
    /** @type {Record<string, string>} */
    const headers = { Accept: accept };
    try {
      headers.Authorization = `Bearer ${await this.#currentToken()}`;
    } catch (error) {
      console.warn('HubMessenger: getToken failed', error);
      return { reason: 'no_token', refused: true };
    }
    if (accept === 'text/event-stream' && this.#cursor !== null) headers['Last-Event-ID'] = this.#cursor;
    const response = await fetch(`${this.#base}/api/v1${path}`, { headers, signal, cache: 'no-store' });
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
      // The first refusal is answered with a new token at once; who has none is asked again after a pause.
      return { reason, refused: true, pause, paced: this.#refusals++ === 0 && this.#options.getToken !== undefined };
    }
    return { reason, refused: response.status === 403, pause, stalled: [408, 504].includes(response.status) };
  }

  /** Waits before the next attempt, and says why. @param {End} end @param {AbortSignal} ends */
  async #rest(end, ends) {
    if (end.paced) {
      if (this.#state.name === 'live') this.#say('connecting', end.reason);
      return sleep(end.pause ?? 0, ends, this.#wakeable);
    }
    this.#say(end.refused ? 'unauthorized' : 'offline', end.reason);
    const longest = this.#options.maxDelay * (end.refused ? REFUSED_FACTOR : 1);
    const growing = Math.min(longest, this.#retry * 2 ** Math.min(this.#failures++, 10));
    return sleep(Math.max(growing * (0.5 + Math.random() / 2), end.pause ?? 0), ends, this.#wakeable);
  }

  /** @param {(() => void) | null} wake */
  #wakeable = (wake) => {
    this.#wake = wake;
  };

  /** The network is back or the page is looked at: whoever waits need not, and a connection may have died meanwhile. */
  #look = () => {
    if (globalThis.document?.visibilityState === 'hidden') return;
    this.#wake?.();
    if (this.#state.name === 'live' && Date.now() - this.#heard > this.#options.silenceTimeout) {
      this.#connection?.abort('silent');
    }
  };

  /** @param {StateName} name @param {string} reason */
  #say(name, reason) {
    if (this.#closing.signal.aborted || (this.#state.name === name && this.#state.reason === reason)) return;
    const since = this.#state.name === name ? this.#state.since : new Date();
    this.#state = { name, since, reason };
    this.dispatchEvent(new StateEvent(this.#state));
  }
}

/** Splits a stream into its blocks (WHATWG HTML, "Server-sent events"). The service ends lines with LF. */
class Blocks {
  #decoder = new TextDecoder();
  #rest = '';

  /** @param {Uint8Array} bytes */
  feed(bytes) {
    const blocks = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(block);
  }
}

/** @param {string} text */
function block(text) {
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

/** @param {string} data @returns {EventData | null} */
function parsed(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** The service's address, given with or without `/api/v1`, absolute or relative to the page. @param {string | URL} url */
function base(url) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  return origin + pathname.replace(/\/+$/, '').replace(/\/api\/v1$/, '').replace(/\/+$/, '');
}

/**
 * Resolves after a time, or as soon as the signal is aborted or the function given to `wakeable` is called.
 * @param {number} milliseconds @param {AbortSignal} ends @param {(wake: (() => void) | null) => void} [wakeable]
 */
function sleep(milliseconds, ends, wakeable) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      ends.removeEventListener('abort', done);
      wakeable?.(null);
      resolve(undefined);
    };
    const timer = setTimeout(done, milliseconds);
    ends.addEventListener('abort', done);
    wakeable?.(done);
    if (ends.aborted) done();
  });
}
