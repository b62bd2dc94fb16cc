// Reads a stream with a JavaScript library in Node and prints each message as a line of JSON.
// Usage: read.mjs LIBRARY URL [OPTIONS]
import { LIBRARIES } from './libraries.mjs';

const [library, url, options = '{}'] = process.argv.slice(2);
if (library === 'fetch-event-source') {
  // The library needs some globals of a page.
  globalThis.window = globalThis;
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
}
const report = (message) => console.log(JSON.stringify({ at: Date.now() / 1000, ...message }));
await LIBRARIES[library](url, report, JSON.parse(options));
setInterval(() => {}, 1_000_000);
