// Opens a stream with one of the JavaScript libraries, in Node or in a page, and reports each message.

/** A function for each library that opens a stream and passes each message to `report` as `{data, id}`. */
export const LIBRARIES = {
  EventSource(url, report) {
    watch(new EventSource(url), report);
  },

  async eventsource(url, report) {
    const { EventSource } = await import('eventsource');
    watch(new EventSource(url), report);
  },

  async 'event-source-polyfill'(url, report) {
    const polyfill = globalThis.EventSourcePolyfill ?? (await import('event-source-polyfill')).default.EventSourcePolyfill;
    watch(new polyfill(url), report);
  },

  async 'fetch-event-source'(url, report) {
    const { fetchEventSource } = await import(globalThis.FETCH_EVENT_SOURCE ?? '@microsoft/fetch-event-source');
    fetchEventSource(url, {
      openWhenHidden: true,
      onmessage: ({ data, id }) => report({ data, id }),
      // The library does not reconnect after the end of a stream unless this throws.
      onclose: () => {
        throw new Error('the stream has ended');
      },
    });
  },

  async 'hub-messenger'(url, report, { module, tokens, ...options }) {
    const { HubMessenger } = await import(module);
    let calls = 0;
    globalThis.messenger = new HubMessenger({
      ...options,
      url,
      getToken: async ({ expired }) => {
        report({ asked: expired });
        return tokens[Math.min(calls++, tokens.length - 1)];
      },
      onEvent: (event, id) => report({ data: JSON.stringify(event), id }),
      async onState({ name, reason, since }) {
        report({ state: name, reason, since: since.getTime() });
        if (options.credentials && name === 'unauthorized') {
          const headers = { Authorization: `Bearer ${tokens[calls++]}` };
          const answer = await fetch(`${url}/auth/session`, { method: 'POST', headers });
          report({ session: answer.status });
          globalThis.messenger.reconnect();
        }
      },
    });
  },
};

function watch(source, report) {
  source.onmessage = ({ data, lastEventId }) => report({ data, id: lastEventId });
}
