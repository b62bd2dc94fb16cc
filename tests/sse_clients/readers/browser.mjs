// Runs Chromium with a page for each reader. Reads commands as lines of JSON, `{reader, library, url, page, options}`
// or `{reader, close: true}`, and prints the messages of each reader.
// Usage: browser.mjs CHROMIUM PROFILE
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [executablePath, profile] = process.argv.slice(2);
const FOLDER = new URL('..', import.meta.url);

/** Serves an empty page, the modules of these tests and those of the libraries. */
const server = createServer(async ({ url }, response) => {
  const type = url === '/' ? 'text/html' : 'text/javascript';
  try {
    const text = url === '/' ? '<!doctype html><title>reader</title>' : await file(url);
    response.writeHead(200, { 'Content-Type': type, 'Access-Control-Allow-Origin': '*' }).end(text);
  } catch {
    response.writeHead(404).end();
  }
});

/** Returns a file. Imports of the libraries may lack the extension. */
async function file(url) {
  const path = new URL(`.${url}`, FOLDER);
  return readFile(path).catch(() => readFile(new URL(`${path}.js`)));
}

await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
  ],
});
const pages = new Map();
const print = (line) => console.log(JSON.stringify(line));

async function open({ reader, library, url, page: address, options }) {
  const page = await browser.newPage();
  pages.set(reader, page);
  await page.goto(address ?? `${origin}/`);
  page.on('pageerror', (error) => print({ reader, error: String(error) }));
  await page.exposeFunction('report', (message) => print({ reader, ...message }));
  await page.evaluate(
    async ([origin, library, url, options]) => {
      globalThis.FETCH_EVENT_SOURCE = `${origin}/node_modules/@microsoft/fetch-event-source/lib/esm/index.js`;
      if (library === 'event-source-polyfill') await import(`${origin}/node_modules/event-source-polyfill/src/eventsource.js`);
      const { LIBRARIES } = await import(`${origin}/readers/libraries.mjs`);
      await LIBRARIES[library](url, (message) => report({ at: Date.now() / 1000, ...message }), options);
    },
    [origin, library, url, options],
  );
}

print({ reader: 0, version: browser.browser()?.version() ?? 'unknown' });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const doing = command.close ? pages.get(command.reader)?.close() : open(command);
  doing?.catch((error) => print({ reader: command.reader, error: String(error) }));
}
await browser.close();
server.close();
