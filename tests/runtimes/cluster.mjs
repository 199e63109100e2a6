// A gateway as teams run it: a cluster of two workers that answer on one port, in front of an engine that keeps the state.
//
// - A run is created and started by one call, `POST /api/agents/{slug}/run`, and the gateway names it.
// - Streams exist per run only. They begin with `connected`, show nothing that happened before, and do not repeat the run's id.
// - Versions are x.y.z. A run with personal data is refused with 400. Search shows ten hits a page.
// - `/metrics` is on a port of its own, and says nothing about processes.
//
//   node cluster.mjs        prints its URL and that of its metrics. Test material only.
import { spawn } from 'node:child_process';
import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { createServer, request as send } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WORKERS = 2;
const PAGE = 10;
// A run waits so long in a queue before an agent takes it.
const QUEUED_MS = 250;
const PERSONAL = [/\b\d(?:[ -]?\d){12,18}\b/, /\b\d{3}[- ]\d{2}[- ]\d{4}\b/, /[\w.+-]+@[\w-]+\.[\w.]+/];

const firstLine = (stream) => new Promise((resolve) => createInterface({ input: stream }).once('line', resolve));
const ask = (engine, method, path, headers, body) => new Promise((resolve, reject) => {
  const asked = send(`${engine}${path}`, { method, headers: { 'x-workspace-id': headers['x-workspace-id'] ?? '', 'last-event-id': headers.after ?? '' } }, resolve);
  asked.on('error', reject);
  asked.end(body === undefined ? '' : JSON.stringify(body));
});
const text = async (incoming) => {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts).toString();
};

async function primary() {
  const here = fileURLToPath(new URL('gateway.mjs', import.meta.url));
  const child = spawn(process.execPath, [here, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  process.on('SIGTERM', () => process.exit(0));
  const engine = await firstLine(child.stdout);
  const metrics = createServer(async (_, response) => {
    const lines = (await text(await ask(engine, 'GET', '/metrics', {}))).split('\n');
    response.writeHead(200, { 'content-type': 'text/plain' }).end(lines.filter((line) => !/^(process|nodejs)_/.test(line)).join('\n'));
  });
  await new Promise((resolve) => metrics.listen(0, '127.0.0.1', resolve));
  const ports = [];
  for (let n = 0; n < WORKERS; n += 1) {
    cluster.fork({ ENGINE: engine }).on('listening', ({ port }) => {
      ports.push(port);
      if (ports.length === WORKERS) console.log(`http://127.0.0.1:${port} http://127.0.0.1:${metrics.address().port}/metrics`);
    });
  }
}

async function create(engine, agent, request, response, json) {
  const body = JSON.parse(await text(request));
  if (PERSONAL.some((kind) => kind.test(body.message))) return json(400, { error: 'personal data is not accepted' });
  const id = randomUUID();
  const workspace_id = request.headers['x-workspace-id'];
  const run = { id, agent, name: body.name, workspace_id, input: { message: body.message } };
  const created = await ask(engine, 'POST', '/api/runs', request.headers, run);
  const said = await text(created);
  if (created.statusCode !== 201) return json(created.statusCode, JSON.parse(said));
  setTimeout(() => ask(engine, 'POST', `/api/runs/${id}/start`, request.headers, {}).then(text), QUEUED_MS);
  return json(202, { run_id: id });
}

async function stream(engine, path, request, response) {
  // No event has a higher number, so nothing is shown again.
  const upstream = await ask(engine, 'GET', path, { ...request.headers, after: '9007199254740991' });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.write('event: connected\ndata: {"ok":true}\n\n');
  response.on('close', () => upstream.destroy());
  upstream.on('error', () => response.destroy());
  upstream.on('end', () => response.end());
  for await (const line of createInterface({ input: upstream })) {
    if (!line.startsWith('data: ')) response.write(`${line}\n`);
    else {
      const { run_id: _, ...data } = JSON.parse(line.slice(6));
      response.write(`data: ${JSON.stringify(data)}\n`);
    }
  }
}

async function serve(engine, request, response) {
  const url = new URL(request.url, 'http://gateway');
  const json = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const [, agent] = /^\/api\/agents\/([^/]+)\/run$/.exec(url.pathname) ?? [];
  if (request.method === 'POST' && agent) return create(engine, agent, request, response, json);
  if (/^\/api\/runs\/[^/]+\/(logs|guard)\/stream$/.test(url.pathname)) {
    return /\/runs\/(logs|guard)\//.test(url.pathname) ? json(404, {}) : stream(engine, url.pathname, request, response);
  }
  if (/^\/(metrics$|debug|api\/chaos|api\/runs\/[^/]+\/start$|api\/runs$|api\/runs\/(logs|guard)\/stream$)/.test(url.pathname)) {
    return json(404, { error: 'no such call' });
  }
  const body = request.method === 'POST' ? JSON.parse((await text(request)) || '{}') : undefined;
  if (url.pathname === '/api/registry/publish' && !/^\d{1,10}\.\d{1,10}\.\d{1,10}$/.test(body.version)) {
    return json(400, { error: `${body.version} is not x.y.z` });
  }
  const answer = await ask(engine, request.method, request.url, request.headers, body);
  const said = await text(answer);
  if (url.pathname !== '/api/registry/agents') return response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(said);
  const { agents } = JSON.parse(said);
  const page = Number(url.searchParams.get('page') ?? '1');
  return json(200, { agents: agents.slice((page - 1) * PAGE, page * PAGE), total: agents.length });
}

if (cluster.isPrimary) await primary();
else {
  createServer((request, response) => {
    serve(process.env.ENGINE, request, response).catch((error) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(error) }));
    });
  }).listen(0, '127.0.0.1');
}
