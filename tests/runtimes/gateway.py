"""A gateway as people write them in Python: `ThreadingHTTPServer`, runs in a bounded dict, a few log lines per run. It speaks
the wire contract, so that a soak can be played at a real CPython heap. Test material only.

    python3 gateway.py --port 3000 [--leak-mb-per-hour 10]

It does not restart: a soak at it has `lever = "none"` for its chaos.
"""

import argparse
import collections
import gc
import hashlib
import json
import os
import queue
import random
import re
import resource
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--leak-mb-per-hour", type=float, default=0)
flags = parser.parse_args()

RUNS_MAX = 200
AGENTS = ["demo-enricher", "demo-scraper", "demo-emailer"]
STARTED = time.time()
lock = threading.RLock()
runs = collections.OrderedDict()
logs = collections.deque(maxlen=5000)
guard = collections.deque(maxlen=5000)
versions, hash_only, streams, retained = [], {}, set(), []
counters = collections.Counter()
unready_until, delay_ms, delay_until = 0.0, 0, 0.0
BOUNDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5]
histograms = {
    name: {"buckets": [0] * len(BOUNDS), "count": 0, "sum": 0.0}
    for name in ("sentinel_judge_duration_seconds", "shield_decision_duration_seconds", "sse_write_duration_seconds")
}


def observe(name, seconds):
    with lock:
        histogram = histograms[name]
        histogram["count"] += 1
        histogram["sum"] += seconds
        for n, bound in enumerate(BOUNDS):
            histogram["buckets"][n] += seconds <= bound


def now_text():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03}Z"


class Stream:
    def __init__(self, events, workspace, run):
        self.events, self.workspace, self.run, self.queue = events, workspace, run, queue.Queue(10_000)

    def wants(self, event):
        return event["run"] == self.run if self.run else event["workspace"] == self.workspace


def emit(events, workspace, run, kind, **fields):
    data = json.dumps({"type": kind, "run_id": run, "timestamp": now_text(), **fields})
    with lock:
        counters["sequence"] += 1
        event = {"id": counters["sequence"], "workspace": workspace, "run": run, "type": kind, "data": data}
        event["at"] = time.monotonic()
        events.append(event)
        for stream in streams:
            if stream.events is events and stream.wants(event):
                stream.queue.put(event)


MASKS = [
    (re.compile(r"\b\d(?:[ -]?\d){12,18}\b"), "[CARD]"),
    (re.compile(r"\b\d{3}[- ]\d{2}[- ]\d{4}\b"), "[SSN]"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), "[EMAIL]"),
]
INJECTION = re.compile(r"\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|prompt|rule)s?\b", re.I | re.S)


def mask(text):
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return text


def play(run):
    time.sleep(0.06)
    for step in range(1, 6):
        # What an agent does with its input: text is split, joined and parsed.
        words = [f"{run['input']['message']} {n} {random.random()}" for n in range(2000)]
        digest = hashlib.sha256(json.dumps({"words": words}).encode()).hexdigest()
        message = f"step {step}: {run['agent']} read {len(words)} parts, {digest[:12]}"
        run["logs"].append({"level": "info", "message": message})
        emit(logs, run["workspace_id"], run["id"], "log", level="info", message=message)
        time.sleep(0.12 + random.random() * 0.2)
    run["completed_at"], run["output"] = now_text(), {"summary": f"done: {run['input']['message']}"}
    run["status"] = "completed"
    duration_ms = 20 + random.random() * 40
    observe("sentinel_judge_duration_seconds", duration_ms / 1000)
    emit(guard, run["workspace_id"], run["id"], "judge.verdict", groundedness=0.9, duration_ms=duration_ms)
    emit(logs, run["workspace_id"], run["id"], "end", status="completed")


def metrics():
    with lock:
        running = sum(run["status"] == "running" for run in runs.values())
        with open("/proc/self/statm", encoding="ascii") as statm:
            rss = int(statm.read().split()[1]) * resource.getpagesize()
        lines = [
            f"runs_started_total {counters['started']}",
            f"runs_concurrent_gauge {running}",
            "run_queue_depth 0",
            f"sse_active_connections {len(streams)}",
            f"sse_connections_total {counters['connections']}",
            f"sse_messages_total {counters['messages']}",
            f"process_resident_memory_bytes {rss}",
            f"process_open_fds {len(os.listdir('/proc/self/fd'))}",
            f"process_start_time_seconds {STARTED:.2f}",
        ]
        for name, histogram in histograms.items():
            lines.append(f"# TYPE {name} histogram")
            lines += [f'{name}_bucket{{le="{bound}"}} {n}' for bound, n in zip(BOUNDS, histogram["buckets"])]
            lines.append(f'{name}_bucket{{le="+Inf"}} {histogram["count"]}')
            lines += [f"{name}_sum {histogram['sum']}", f"{name}_count {histogram['count']}"]
        # As prometheus_client names them. CPython has no metric of its heap's bytes.
        for generation, stats in enumerate(gc.get_stats()):
            for name in ("collections", "collected", "uncollectable"):
                metric = "collections" if name == "collections" else f"objects_{name}"
                lines.append(f'python_gc_{metric}_total{{generation="{generation}"}} {stats[name]}.0')
    return "\n".join(lines) + "\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, value, kind="application/json"):
        if time.monotonic() < delay_until:
            time.sleep(delay_ms / 1000)
        body = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events, run=None):
        stream = Stream(events, self.headers["X-Workspace-ID"], run)
        last = self.headers["Last-Event-ID"]
        with lock:
            if last or run:
                for event in events:
                    if event["id"] > int(last or 0) and stream.wants(event):
                        stream.queue.put(event)
            streams.add(stream)
            counters["connections"] += 1
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            while True:
                try:
                    event = stream.queue.get(timeout=2)
                except queue.Empty:
                    self.wfile.write(b": still here\n\n")
                    continue
                self.wfile.write(f"id: {event['id']}\nevent: {event['type']}\ndata: {event['data']}\n\n".encode())
                counters["messages"] += 1
                observe("sse_write_duration_seconds", max(0.0, time.monotonic() - event["at"]) if not run else 0.001)
        except OSError:
            pass
        finally:
            with lock:
                streams.discard(stream)

    def do_GET(self):
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        match parts:
            case ["health"]:
                self.answer(200, {"ok": True, "time": now_text()})
            case ["ready"]:
                self.answer(503 if time.monotonic() < unready_until else 200, {})
            case ["metrics"]:
                self.answer(200, metrics(), "text/plain")
            case ["api", "safety", "check"]:
                self.answer(200, {"ok": True})
            case ["api", "agents", slug]:
                self.answer(200 if slug in AGENTS else 404, {"slug": slug})
            case ["api", "registry", "agents"]:
                text = parse_qs(url.query).get("q", [""])[0]
                hits = [it for it in versions if text in f"{it['slug']} {it['version']} {it['name']}"]
                self.answer(200, {"agents": hits, "total": len(hits)})
            case ["api", "runs", "logs", "stream"]:
                self.stream(logs)
            case ["api", "runs", "guard", "stream"]:
                self.stream(guard)
            case ["api", "runs", run, "logs", "stream"]:
                self.stream(logs, run)
            case ["api", "runs", run, "guard", "stream"]:
                self.stream(guard, run)
            case ["api", "runs", run]:
                found = runs.get(run)
                self.answer(200 if found else 404, found or {"error": "no such run"})
            case _:
                self.answer(404, {"error": "no such path"})

    def do_POST(self):
        global unready_until, delay_ms, delay_until
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        match urlsplit(self.path).path.strip("/").split("/"):
            case ["debug", "gc"]:
                self.answer(200, {"collected": gc.collect()})
            case ["api", "workspace", "plan"]:
                self.answer(200, {})
            case ["api", "privacy", "toggle"]:
                hash_only[body["workspace_id"]] = body.get("storePlain") is False
                self.answer(200, {"success": True})
            case ["api", "runs"]:
                self.create_run(body)
            case ["api", "runs", run, "start"]:
                if run not in runs:
                    return self.answer(404, {"error": "no such run"})
                runs[run].update(status="running", started_at=now_text())
                counters["started"] += 1
                self.answer(200, {"success": True})
                threading.Thread(target=play, args=[runs[run]], daemon=True).start()
            case ["api", "registry", "publish"]:
                right = hashlib.sha256(f"{body['slug']}@{body['version']}".encode()).hexdigest()
                if body.get("signature", right) != right:
                    return self.answer(403, {"error": "the signature is wrong"})
                versions.append({name: body.get(name) for name in ("slug", "version", "name", "summary")})
                self.answer(201, {"success": True})
            case ["api", "chaos", "redis-restart"]:
                unready_until = time.monotonic() + 2.5
                self.answer(202, {})
            case ["api", "chaos", "latency"]:
                self.answer(202, {})
                delay_ms, delay_until = body["delay"], time.monotonic() + body["duration"] / 1000
            case _:
                self.answer(404, {"error": "no such path"})

    def create_run(self, body):
        message = str(body.get("input", {}).get("message", ""))
        run_id, workspace = body.get("id") or str(uuid.uuid4()), body["workspace_id"]
        duration_ms = 5 + random.random() * 10
        refused = bool(INJECTION.search(message))
        observe("shield_decision_duration_seconds", duration_ms / 1000)
        emit(guard, workspace, run_id, "shield.decision", action="block" if refused else "allow", duration_ms=duration_ms)
        if refused:
            return self.answer(403, {"error": "prompt injection"})
        plain = "sha256:" + hashlib.sha256(message.encode()).hexdigest() if hash_only.get(workspace) else mask(message)
        run = {"id": run_id, "agent": body["agent"], "name": body["name"], "workspace_id": workspace, "status": "created"}
        run.update(logs=[], input={"message": plain, "metadata": {}})
        with lock:
            runs[run_id] = run
            while len(runs) > RUNS_MAX and next(iter(runs.values()))["status"] == "completed":
                runs.popitem(last=False)
        self.answer(201, {"success": True, "run": {"id": run_id, "status": "created"}})


def leak():
    owed = 0.0
    while True:
        time.sleep(1)
        owed += flags.leak_mb_per_hour * 1e6 / 3600
        while owed >= 1000:
            # Small objects, as a cache without a bound has them: dict, two strings, a float.
            retained.append({"id": str(uuid.uuid4()), "at": time.time(), "note": os.urandom(280).hex()})
            owed -= 1000


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", flags.port), Handler)
threading.Thread(target=leak, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
