// Uses hub-messenger.js as a page in TypeScript does. The compiler checks this file; it is never run.
import { HubMessenger, type State, type StateName } from '../../../shared/hub_messenger_js/hub-messenger.js';

const messenger = new HubMessenger({
  url: new URL('https://hub.example:8085/api/v1'),
  getToken: async ({ expired }) => (expired ? 'new' : 'old'),
  lastEventId: 17,
  onEvent: (event, id) => console.log(event.type, event.title, id?.length),
  onState: ({ name, since, reason }: State) => console.log(name, since.getTime(), reason),
});
messenger.addEventListener('notification', ({ data, id }) => console.log(data.title, id));
messenger.addEventListener('state', ({ state }) => console.log(state.name satisfies StateName));
const position: string | null = messenger.lastEventId;
messenger.reconnect();
messenger.close();

new HubMessenger({ credentials: 'same-origin' }).close();

// @ts-expect-error the cookie is for pages of the service's origin
new HubMessenger({ credentials: 'include' });
// @ts-expect-error the token must be text
new HubMessenger({ getToken: () => 42 });
// @ts-expect-error the state is read-only
messenger.state = position;
