// A gateway as people write them in Node: plain `http`, runs in a bounded map, a few log lines per run. It speaks the wire
// contract, so that a soak can be played at a real V8 heap. Test material only.
//
//   node --expose-gc gateway.mjs --port 3000 [--leak-mb-per-hour 10] [--state FILE] [--parts 2000] [--no-heap-metrics]
//
// `gateway-restart` ends the process with status 75 after it has written its state to FILE; whoever started it starts it again.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { PerformanceObserver } from 'node:perf_hooks';
import { memoryUsage } from 'node:process';
import v8 from 'node:v8';

const flags = process.argv.slice(2);
const flag = (name, otherwise) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : otherwise);
const PORT = Number(flag('--port', '0'));
const LEAK_BYTES_PER_S = (Number(flag('--leak-mb-per-hour', '0')) * 1e6) / 3600;
const STATE = flag('--state', '');
const PARTS = Number(flag('--parts', '2000'));
const HAS_HEAP_METRICS = !flags.includes('--no-heap-metrics');
const RUNS_MAX = 200;
const EVENTS_MAX = 5000;
const AGENTS = ['demo-enricher', 'demo-scraper', 'demo-emailer'];

const state = { runs: new Map(), logs: [], guard: [], versions: [], hashOnly: new Map(), sequence: 0 };
const counters = { started: 0, connections: 0, messages: 0 };
const streams = new Set();
const sockets = new Set();
const retained = [];
let unreadyUntil = 0;
let delay = { ms: 0, until: 0 };

class Histogram {
  bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5];
  buckets = this.bounds.map(() => 0);
  count = 0;
  sum = 0;
  add(seconds) {
    this.count += 1;
    this.sum += seconds;
    this.bounds.forEach((bound, n) => { if (seconds <= bound) this.buckets[n] += 1; });
  }
  text(name) {
    const lines = this.bounds.map((bound, n) => `${name}_bucket{le="${bound}"} ${this.buckets[n]}`);
    return [`# TYPE ${name} histogram`, ...lines, `${name}_bucket{le="+Inf"} ${this.count}`, `${name}_sum ${this.sum}`,
      `${name}_count ${this.count}`].join('\n');
  }
}
const histograms = {
  sentinel_judge_duration_seconds: new Histogram(),
  shield_decision_duration_seconds: new Histogram(),
  sse_write_duration_seconds: new Histogram(),
};
const collections = { major: [0, 0], minor: [0, 0], incremental: [0, 0] };
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  const kind = { 1: 'minor', 4: 'major', 8: 'incremental' }[entry.detail.kind] ?? 'major';
  collections[kind][0] += 1;
  collections[kind][1] += entry.duration / 1000;
})).observe({ entryTypes: ['gc'] });

function save() {
  if (STATE) writeFileSync(STATE, JSON.stringify({ ...state, runs: [...state.runs], hashOnly: [...state.hashOnly] }));
}
function load() {
  if (!STATE || !existsSync(STATE)) return;
  const saved = JSON.parse(readFileSync(STATE, 'utf8'));
  Object.assign(state, saved, { runs: new Map(saved.runs), hashOnly: new Map(saved.hashOnly) });
  for (const run of state.runs.values()) if (run.status === 'running') setTimeout(step, 200, run);
}

function emit(list, workspace, run, type, fields) {
  const now = new Date();
  const data = { type, run_id: run, timestamp: now.toISOString(), ...fields };
  const event = { id: ++state.sequence, workspace, run, type, data: JSON.stringify(data) };
  list.push(event);
  if (list.length > EVENTS_MAX) list.splice(0, EVENTS_MAX / 2);
  for (const stream of streams) if (stream.list === list && wants(stream, event)) send(stream, event, now);
}
const wants = (stream, event) => (stream.run ? stream.run === event.run : stream.workspace === event.workspace);
function send(stream, event, began) {
  stream.response.write(`id: ${event.id}\nevent: ${event.type}\ndata: ${event.data}\n\n`);
  counters.messages += 1;
  histograms.sse_write_duration_seconds.add((Date.now() - began) / 1000);
}

const MASKS = [[/\b\d(?:[ -]?\d){12,18}\b/g, '[CARD]'], [/\b\d{3}[- ]\d{2}[- ]\d{4}\b/g, '[SSN]'],
  [/[\w.+-]+@[\w-]+\.[\w.]+/g, '[EMAIL]']];
const mask = (text) => MASKS.reduce((masked, [from, to]) => masked.replace(from, to), text);
const INJECTION = /\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|prompt|rule)s?\b/is;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function step(run) {
  run.step += 1;
  const log = (message) => {
    run.logs.push({ level: 'info', message });
    emit(state.logs, run.workspace_id, run.id, 'log', { level: 'info', message });
  };
  if (run.step <= 5) {
    // What an agent does with its input: text is split, joined and parsed.
    const words = Array.from({ length: PARTS }, (_, n) => `${run.input.message} ${n} ${Math.random()}`);
    const digest = sha256(JSON.stringify({ words }));
    log(`step ${run.step}: ${run.agent} read ${words.length} parts, ${digest.slice(0, 12)}`);
    setTimeout(step, 120 + Math.random() * 200, run);
  } else {
    run.status = 'completed';
    run.completed_at = new Date().toISOString();
    run.output = { summary: `done: ${run.input.message}` };
    const duration_ms = 20 + Math.random() * 40;
    histograms.sentinel_judge_duration_seconds.add(duration_ms / 1000);
    emit(state.guard, run.workspace_id, run.id, 'judge.verdict', { groundedness: 0.9, duration_ms });
    emit(state.logs, run.workspace_id, run.id, 'end', { status: 'completed' });
  }
}

const readBody = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return parts.length ? JSON.parse(Buffer.concat(parts).toString()) : {};
};
function answer(response, status, value) {
  const text = JSON.stringify(value);
  const write = () => response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  if (Date.now() < delay.until) setTimeout(write, delay.ms);
  else write();
}

function openStream(request, response, list, run) {
  const stream = { response, list, run, workspace: request.headers['x-workspace-id'] };
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  const last = request.headers['last-event-id'];
  if (last !== undefined || run) {
    const after = Number(last ?? 0);
    for (const event of list) if (event.id > after && wants(stream, event)) send(stream, event, Date.now());
  }
  streams.add(stream);
  counters.connections += 1;
  const beat = setInterval(() => response.write(': still here\n\n'), 15_000);
  response.on('close', () => { clearInterval(beat); streams.delete(stream); });
}

const show = ({ step: _, ...run }) => run;
const routes = [
  ['GET', /^\/health$/, ({ response }) => answer(response, 200, { ok: true, time: new Date().toISOString() })],
  ['GET', /^\/ready$/, ({ response }) => answer(response, Date.now() < unreadyUntil ? 503 : 200, {})],
  ['GET', /^\/metrics$/, ({ response }) => response.writeHead(200, { 'content-type': 'text/plain' }).end(metrics())],
  ['POST', /^\/debug\/gc$/, ({ response }) => { globalThis.gc?.(); answer(response, 200, { collected: Boolean(globalThis.gc) }); }],
  ['POST', /^\/api\/workspace\/plan$/, ({ response }) => answer(response, 200, {})],
  ['POST', /^\/api\/privacy\/toggle$/, ({ response, body }) => {
    state.hashOnly.set(body.workspace_id, body.storePlain === false);
    answer(response, 200, { success: true });
  }],
  ['GET', /^\/api\/agents\/([^/]+)$/, ({ response, found }) =>
    AGENTS.includes(found) ? answer(response, 200, { slug: found }) : answer(response, 404, { error: 'no such agent' })],
  ['POST', /^\/api\/runs$/, ({ response, body }) => {
    const message = String(body.input?.message ?? '');
    const duration_ms = 5 + Math.random() * 10;
    const id = body.id ?? randomUUID();
    const isRefused = INJECTION.test(message);
    histograms.shield_decision_duration_seconds.add(duration_ms / 1000);
    emit(state.guard, body.workspace_id, id, 'shield.decision', { action: isRefused ? 'block' : 'allow', duration_ms });
    if (isRefused) return answer(response, 403, { error: 'prompt injection' });
    const plain = state.hashOnly.get(body.workspace_id) ? `sha256:${sha256(message)}` : mask(message);
    const run = { id, agent: body.agent, name: body.name, workspace_id: body.workspace_id, status: 'created', step: 0, logs: [],
      input: { message: plain, metadata: {} } };
    state.runs.set(id, run);
    for (const [old, { status }] of state.runs) {
      if (state.runs.size <= RUNS_MAX) break;
      if (status === 'completed') state.runs.delete(old);
    }
    answer(response, 201, { success: true, run: { id, status: run.status } });
  }],
  ['POST', /^\/api\/runs\/([^/]+)\/start$/, ({ response, found }) => {
    const run = state.runs.get(found);
    if (!run) return answer(response, 404, { error: 'no such run' });
    Object.assign(run, { status: 'running', started_at: new Date().toISOString() });
    counters.started += 1;
    answer(response, 200, { success: true });
    setTimeout(step, 60, run);
  }],
  ['GET', /^\/api\/runs\/logs\/stream$/, ({ request, response }) => openStream(request, response, state.logs)],
  ['GET', /^\/api\/runs\/guard\/stream$/, ({ request, response }) => openStream(request, response, state.guard)],
  ['GET', /^\/api\/runs\/([^/]+)\/logs\/stream$/, ({ request, response, found }) => openStream(request, response, state.logs, found)],
  ['GET', /^\/api\/runs\/([^/]+)\/guard\/stream$/, ({ request, response, found }) => openStream(request, response, state.guard, found)],
  ['GET', /^\/api\/runs\/([^/]+)$/, ({ response, found }) => {
    const run = state.runs.get(found);
    return run ? answer(response, 200, show(run)) : answer(response, 404, { error: 'no such run' });
  }],
  ['POST', /^\/api\/registry\/publish$/, ({ response, body }) => {
    if (body.signature !== undefined && body.signature !== sha256(`${body.slug}@${body.version}`)) {
      return answer(response, 403, { error: 'the signature is wrong' });
    }
    state.versions.push({ slug: body.slug, version: body.version, name: body.name, summary: body.summary });
    answer(response, 201, { success: true });
  }],
  ['GET', /^\/api\/registry\/agents$/, ({ response, query }) => {
    const text = query.get('q') ?? '';
    const agents = state.versions.filter((it) => `${it.slug} ${it.version} ${it.name}`.includes(text));
    answer(response, 200, { agents, total: agents.length });
  }],
  ['GET', /^\/api\/safety\/check$/, ({ response }) => answer(response, 200, { ok: true })],
  ['POST', /^\/api\/chaos\/redis-restart$/, ({ response }) => {
    unreadyUntil = Date.now() + 2_500;
    answer(response, 202, {});
  }],
  ['POST', /^\/api\/chaos\/gateway-restart$/, ({ response }) => {
    answer(response, 202, {});
    setTimeout(() => { save(); process.exit(75); }, 100);
  }],
  ['POST', /^\/api\/chaos\/latency$/, ({ response, body }) => {
    answer(response, 202, {});
    delay = { ms: body.delay, until: Date.now() + body.duration };
  }],
];

function metrics() {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = memoryUsage();
  const running = [...state.runs.values()].filter((run) => run.status === 'running').length;
  const lines = [
    `runs_started_total ${counters.started}`, `runs_concurrent_gauge ${running}`, 'run_queue_depth 0',
    `sse_active_connections ${streams.size}`, `sse_connections_total ${counters.connections}`,
    `sse_messages_total ${counters.messages}`, `process_resident_memory_bytes ${rss}`,
    `process_open_fds ${readdirSync('/proc/self/fd').length}`,
    `process_start_time_seconds ${Math.floor(Date.now() / 1000 - process.uptime())}`,
    ...Object.entries(histograms).map(([name, histogram]) => histogram.text(name)),
  ];
  if (HAS_HEAP_METRICS) {
    // As prom-client names them.
    lines.push(`nodejs_heap_size_total_bytes ${heapTotal}`, `nodejs_heap_size_used_bytes ${heapUsed}`,
      `nodejs_external_memory_bytes ${external}`, `nodejs_array_buffers_bytes ${arrayBuffers}`);
    for (const { space_name: name, space_used_size: used } of v8.getHeapSpaceStatistics()) {
      lines.push(`nodejs_heap_space_size_used_bytes{space="${name.replace('_space', '')}"} ${used}`);
    }
    for (const [kind, [count, seconds]] of Object.entries(collections)) {
      lines.push(`nodejs_gc_duration_seconds_sum{kind="${kind}"} ${seconds}`,
        `nodejs_gc_duration_seconds_count{kind="${kind}"} ${count}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://gateway');
  try {
    const body = request.method === 'POST' ? await readBody(request) : {};
    for (const [method, path, call] of routes) {
      const found = method === request.method && path.exec(url.pathname);
      if (found) return call({ request, response, body, found: found[1], query: url.searchParams });
    }
    answer(response, 404, { error: 'no such path' });
  } catch (error) {
    answer(response, 400, { error: String(error) });
  }
});
server.keepAliveTimeout = 65_000;
server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });

if (LEAK_BYTES_PER_S > 0) {
  let owed = 0;
  setInterval(() => {
    // Small objects, as a cache without a bound has them.
    for (owed += LEAK_BYTES_PER_S; owed >= 500; owed -= 500) {
      retained.push({ id: randomUUID(), at: Date.now(), note: randomBytes(190).toString('hex') });
    }
  }, 1_000);
}
process.on('SIGUSR2', () => globalThis.gc?.());
load();
server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
