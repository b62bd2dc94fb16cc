// A front of Express: compresses what it may and passes everything on to the service.
// Usage: express.mjs PORT UPSTREAM_PORT
import compression from 'compression';
import express from 'express';
import { request } from 'node:http';

const [port, upstream] = process.argv.slice(2).map(Number);
const app = express();

app.use(compression());
app.use((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const passed = request({ host: '127.0.0.1', port: upstream, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  passed.on('error', () => outgoing.headersSent || outgoing.status(502).end());
  outgoing.on('close', () => passed.destroy());
  incoming.pipe(passed);
});
app.listen(port, '127.0.0.1');
