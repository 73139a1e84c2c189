"""Replaces the model of `serve --model` again and again under 5,000 requests a second, with a bad file before each good one.

    python3 tests/reliability/swap.py            6 swaps
    LONG=1 python3 tests/reliability/swap.py     100 swaps

Three models take turns. Every answer must be right for the model that it names, none may be lost, a bad file may change nothing, and memory
after the last swap must be what it was after the first of each model, up to an eighth. Durations are printed, beside those without swaps, and decide
nothing.
"""

import json
import multiprocessing
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import tempfile
import time

from service import BODY, LONG, REQUEST, ROOT, Service, binary, check, conditions, post

RATE = 5_000
CONNECTIONS = 25
SWAPS = 100 if LONG else 6
BIASES = [0.0, 0.5, -1.0]


def model(bias):
    """The repository's model, its sum moved by `bias`."""
    text = json.loads((ROOT / "model/model.json").read_text())
    text["scale_and_bias"] = [1.0, [bias]]
    return json.dumps(text).encode()


def put(path, content):
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.rename(path)


def expected(path, folder):
    """The model's SHA-256, and its answer to the request that is sent."""
    request = folder / "request.ndjson"
    request.write_text(json.dumps(REQUEST) + "\n")
    told = lambda *line: subprocess.run([binary(), *line], check=True, capture_output=True, text=True).stdout
    answer = json.loads(told("score", "--model", path, request))
    card = json.loads(told("model", "--model", path))
    return card["sha256"].encode(), (answer["negative"], answer["positive"])


class Client:
    """Sends a request on each connection in turn, on time, whether the answers have come or not."""

    def __init__(self, addr, answers, ended):
        self.answers = answers
        self.ended = ended
        self.sent = self.right = self.wrong = 0
        self.late = []
        self.models = set()
        self.connections = [socket.create_connection(addr) for _ in range(CONNECTIONS)]
        self.selector = selectors.DefaultSelector()
        self.waiting = {}
        self.held = {}
        for connection in self.connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ)
            self.waiting[connection], self.held[connection] = [], b""

    def run(self):
        request = post(BODY)
        every = CONNECTIONS / RATE
        start = time.perf_counter()
        turn = 0
        until = None
        while True:
            due = start + turn * every
            now = time.perf_counter()
            if until is None and self.ended.is_set():
                until = now + 10
            if until is None and now >= due:
                for connection in self.connections:
                    connection.send(request)
                    self.waiting[connection].append(due)
                self.sent += CONNECTIONS
                turn += 1
                continue
            for key, _ in self.selector.select(0.1 if until else max(0, due - now)):
                self.read(key.fileobj)
            if until and (not any(self.waiting.values()) or now > until):
                return

    def read(self, connection):
        held = self.held[connection] + connection.recv(1 << 16)
        now = time.perf_counter()
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end]
            at = head.find(b"content-length: ") + 16
            length = int(head[at : head.find(b"\r", at) if b"\r" in head[at:] else len(head)])
            if len(held) < end + 4 + length:
                break
            at = head.find(b"x-model-sha256: ") + 16
            name, body = head[at : at + 64], held[end + 4 : end + 4 + length]
            held = held[end + 4 + length :]
            self.late.append(now - self.waiting[connection].pop(0))
            self.models.add(name)
            if head.startswith(b"HTTP/1.1 200 ") and body == self.answers.get(name):
                self.right += 1
            else:
                self.wrong += 1
        self.held[connection] = held


def measure(addr, answers, ended, results):
    client = Client(addr, answers, ended)
    client.run()
    results.put((client.sent, client.right, client.wrong, client.models, sorted(client.late)))


class Load:
    """A [`Client`] in a process of its own, so that nothing else here delays it."""

    def __init__(self, service, answers):
        self.ended, self.results = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=measure, args=(service.addr, answers, self.ended, self.results), daemon=True)
        self.process.start()

    def end(self, what):
        """Ends it, and prints how late its answers were."""
        self.ended.set()
        self.sent, self.right, self.wrong, self.models, late = self.results.get(timeout=60)
        self.process.join()
        over = sum(1 for one in late if one > 0.005)
        at = lambda share: late[int(share * (len(late) - 1))] * 1000
        print(f"{self.sent} requests at {RATE}/s {what}: p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, "
              f"p99.99 {at(0.9999):.2f} ms, longest {late[-1] * 1000:.2f} ms; {over} later than 5 ms")
        check(self.wrong == 0, f"{self.right} answers, each right for the model that it names")
        check(self.right == self.sent, f"{self.sent - self.right - self.wrong} requests without an answer")


def main():
    print(conditions())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = folder / "model.json"
        models = [model(bias) for bias in BIASES]
        answers = {}
        for content in models:
            put(path, content)
            name, (negative, positive) = expected(path, folder)
            body = f'{{"body":{{"negative":{negative!r},"positive":{positive!r}}},"status":"ok"}}\n'
            answers[name] = body.encode()
        check(len(set(answers.values())) == 3, "the three models give three answers")
        put(path, models[0])
        bad = [b"", b"no model", models[0][: len(models[0]) // 2], models[0].replace(b'"camera_class"', b'"camera_colour"')]
        with Service("--model", str(path)) as service:

            def count(result):
                return service.metrics()[f'pick_regno_reloads_total{{files="model",result="{result}"}}']

            def replace(content, result):
                before = count(result)
                put(path, content)
                os.kill(service.process.pid, signal.SIGHUP)
                deadline = time.monotonic() + 30
                while count(result) == before:
                    if time.monotonic() > deadline:
                        raise SystemExit(f"a file was not {result} within 30 s")
                    time.sleep(0.02)

            load = Load(service, answers)
            time.sleep(SWAPS / 5)
            load.end("without swaps")
            load = Load(service, answers)
            # This process reads /metrics all the time; it must not take a processor from the service or the client.
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            memory = None
            for swap in range(SWAPS):
                replace(bad[swap % len(bad)], "failed")
                replace(models[(swap + 1) % 3], "ok")
                if swap == 2:
                    memory = service.rss()
            time.sleep(1)
            load.end(f"during {SWAPS} swaps")
            after = service.rss()
        print(f"memory after 3 swaps {memory / 2**20:.1f} MiB, after {SWAPS} {after / 2**20:.1f} MiB")
        check(load.models == set(answers), f"{len(load.models)} models answered")
        check(after <= memory * 9 / 8, "memory does not grow with the number of swaps")


if __name__ == "__main__":
    main()
