// A proxy made of Express: compresses answers unless their headers forbid it, and forwards all requests.
// Usage: express.mjs PORT UPSTREAM_PORT
import compression from 'compression';
import express from 'express';
import { request } from 'node:http';

const [port, upstream] = process.argv.slice(2).map(Number);
const app = express();

app.use(compression());
app.use((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const forwarded = request({ host: '127.0.0.1', port: upstream, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  forwarded.on('error', () => outgoing.headersSent || outgoing.status(502).end());
  outgoing.on('close', () => forwarded.destroy());
  incoming.pipe(forwarded);
});
app.listen(port, '127.0.0.1');
