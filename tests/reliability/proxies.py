"""Batches through proxies: complete and in order, or visibly failed. `tests/python.sh reliability/proxies.py`.

Sends a batch of 4 MB (LONG=1: 50 MB) through each proxy that is installed, by each client that is: curl, Node, Java, requests, httpx, aiohttp;
chunked, and with a length. A client that reports success must have the answer to each record, in order. Anything else is an error that it
reports. The service's memory may grow by what it may hold of answers. The short run fails as well if a batch does not arrive, but for those
with a length through proxies in Go; both fail if one of Java's refusals is lost. `proxies.py NAME...` runs the proxies of these names alone; `direct` is none.
"""

import asyncio
import atexit
import contextlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "proxies"))

import front  # noqa: E402
from service import BODY, KEY, LONG, Service, check, conditions, left_out, post  # noqa: E402

SIZE = 50_000_000 if LONG else 4_000_000
HERE = pathlib.Path(__file__).parent / "proxies"
HEADERS = {"x-api-key": KEY, "content-type": "application/x-ndjson"}
MIB = 1 << 20
TIMEOUT = 180
# What was seen of the service's memory, and what may be added to it: a quarter of --max-body-memory of answers for each of two workers.
MEMORY = []
MOST = 2 * 16 * MIB


def run(line, file=None):
    """What a program writes; the error if it fails."""
    with open(file, "rb") if file else contextlib.nullcontext() as source:
        done = subprocess.run(line, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"exit {done.returncode} {said[-1][:90] if said else ''}")
    return done.stdout


def curl(url, file, framing):
    headers = [word for name, value in HEADERS.items() for word in ("-H", f"{name}: {value}")]
    body = ["-X", "POST", "-T", "-"] if framing == "chunked" else ["--data-binary", f"@{file}"]
    return run(["curl", "-sS", "--fail", "-m", str(TIMEOUT), *headers, *body, url], file if framing == "chunked" else None)


def node(url, file, framing):
    return run(["node", str(HERE / "client.mjs"), url, KEY, file, framing])


def java_line():
    """The command that runs Java's client; it is compiled once."""
    classes = pathlib.Path(tempfile.gettempdir()) / f"pick-regno-java-{os.getpid()}"
    if not classes.exists():
        run(["javac", "-d", str(classes), str(HERE / "Client.java")])
        atexit.register(shutil.rmtree, classes)
    return ["java", "-cp", str(classes), "Client"]


def java(url, file, framing):
    return run([*java_line(), "batch", url, KEY, file, framing])


def pieces(file):
    with open(file, "rb") as source:
        while piece := source.read(1 << 16):
            yield piece


def requests(url, file, framing):
    import requests

    body = pieces(file) if framing == "chunked" else open(file, "rb").read()
    answer = requests.post(url, data=body, headers=HEADERS, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.content


def httpx(url, file, framing):
    import httpx

    body = pieces(file) if framing == "chunked" else open(file, "rb").read()
    answer = httpx.post(url, content=body, headers=HEADERS, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.content


def aiohttp(url, file, framing):
    import aiohttp

    async def stream():
        for piece in pieces(file):
            yield piece

    async def send():
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            body = stream() if framing == "chunked" else open(file, "rb")
            async with session.post(url, data=body, headers=HEADERS) as answer:
                return await answer.read()

    return asyncio.run(send())


CLIENTS = {name: call for name, call in (
    ("curl", curl if shutil.which("curl") else None),
    ("Node", node if shutil.which("node") else None),
    ("Java", java if shutil.which("javac") else None),
    *((call.__name__, call if importlib.util.find_spec(call.__name__) else None) for call in (requests, httpx, aiohttp)),
) if call}


def batch(service, folder):
    """A file of records, each seventh without a field; and the answers to it."""
    file, count = folder / "records", SIZE // len(BODY)
    record = BODY.replace(b"\n", b" ") + b"\n"
    with service.connect() as connection:
        connection.sendall(post())
        answer = json.loads(connection.recv(65536).split(b"\r\n\r\n")[1])["body"]
    good = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
    lines = [nth % 7 == 6 for nth in range(count)]
    file.write_bytes(b"".join(b"{}\n" if bad else record for bad in lines))
    expected = [b'{"error":"line %d: ' % (nth + 1) if bad else good for nth, bad in enumerate(lines)]
    return str(file), expected


def is_right(answers, expected):
    lines = answers.splitlines(True)
    return len(lines) == len(expected) and all(map(bytes.startswith, lines, expected)) and answers.endswith(b"\n")


def outcome(call, url, file, framing, expected):
    try:
        answers = call(url, file, framing)
    except Exception as error:
        said = str(error).replace(file, "FILE") or type(error).__name__
        return False, "failed: " + said[-80:]
    if is_right(answers, expected):
        return True, "right"
    return None, f"SILENTLY WRONG: {answers.count(bytes([10]))} answers to {len(expected)} records"


@contextlib.contextmanager
def watched(service, memory):
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            memory.append(service.rss())
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def is_of_go(name):
    return name != "direct" and front.PROXIES[name][0] in ("caddy", "go")


def through(name, service, file, expected):
    upstream = contextlib.nullcontext(service.addr[1]) if name == "direct" else front.proxy(name, [service.addr], [service.admin])
    silent, failed = [], []
    with upstream as port:
        url = f"http://127.0.0.1:{port}/reg/"
        for client, call in CLIENTS.items():
            for framing in ("chunked", "length"):
                memory, started = [], time.monotonic()
                with watched(service, memory):
                    arrived, said = outcome(call, url, file, framing, expected)
                took = time.monotonic() - started
                MEMORY.extend(memory)
                print(f"| {name} | {client} | {framing} | {said} | {took:.1f} s | {max(memory) / MIB:.1f} MiB |", flush=True)
                if arrived is None:
                    silent.append((client, framing))
                elif not arrived:
                    failed.append((client, framing))
    return silent, failed


def refusals(service, folder):
    file, count = folder / "large", 1000 if LONG else 50
    file.write_bytes(b"x" * 3_000_000)
    said = run([*java_line(), "refusals", f"{service.url}/reg/", str(count), str(file)]).decode().strip()
    expected = '{401 {"body":"Unauthorized","status":"fail"}=%d}' % count
    check(said == expected, f"Java's client, {count} refusals of 3 MB: {said}")


def main():
    print(conditions())
    missing = [name for name in ("curl", "Node", "Java", "requests", "httpx", "aiohttp") if name not in CLIENTS]
    missing += [name for name in front.PROXIES if not front.is_installed(name)]
    left_out(missing, "since they are not installed")
    names = sys.argv[1:] or ["direct", *filter(front.is_installed, front.PROXIES)]
    with tempfile.TemporaryDirectory() as folder, Service("--workers", "2") as service:
        folder = pathlib.Path(folder)
        file, expected = batch(service, folder)
        before = service.rss()
        print(f"{len(expected)} records, {pathlib.Path(file).stat().st_size / 1e6:.0f} MB\n")
        print("| proxy | client | framing | outcome | took | memory at most |\n| --- | --- | --- | --- | --- | --- |", flush=True)
        outcomes = {name: through(name, service, file, expected) for name in names}
        silent = {name: silent for name, (silent, _) in outcomes.items() if silent}
        check(not silent, f"no answer ends well without all of its records: {silent}")
        failed = {name: failed for name, (_, failed) in outcomes.items() if failed}
        print("visibly failed:", failed or "none")
        if not LONG:
            # With a length, Go may close its connection to the service when the answer comes before it has looked for the body's end.
            lost = [(name, *run) for name in failed for run in failed[name] if run[1] != "length" or not is_of_go(name)]
            check(not lost, f"each batch arrived, but for some with a length through proxies in Go: {lost}")
        grown = max(MEMORY) - before
        check(grown <= MOST, f"memory {before / MIB:.1f} MiB before, at most {max(MEMORY) / MIB:.1f} MiB")
        if "Java" in CLIENTS:
            refusals(service, folder)


main()
