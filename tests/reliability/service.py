"""The service as a process, for the scripts of this folder: started on free ports of loopback, asked for its own
counters, looked at from outside through /proc, stopped.

The binary is target/release/pick-regno, or the one that PICK_REGNO_BIN names.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = "reliability"
# Long runs take minutes, as docs/reliability.md says of each; short ones seconds.
LONG = os.environ.get("LONG") == "1"

REQUEST = json.loads((ROOT / "src/serve/api/docs/openapi.json").read_text())["components"]["requestBodies"]["Pick"][
    "content"
]["application/json"]["examples"]["one"]["value"]
BODY = json.dumps(REQUEST, ensure_ascii=False).encode()


def post(body=BODY, length=None, more=""):
    """The bytes of a request to the model."""
    length = len(body) if length is None else length
    head = (
        f"POST /reg/ HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n{more}\r\n"
    )
    return head.encode() + body


def binary():
    path = pathlib.Path(os.environ.get("PICK_REGNO_BIN", ROOT / "target/release/pick-regno")).resolve()
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is not there: build it (cargo build --release), or name another in PICK_REGNO_BIN")
    return str(path)


class Service:
    """A running service. `flags` come after those that set `addresses`; `nofile` limits file descriptors, `container` memory."""

    def __init__(self, *flags, env=None, nofile=None, container=None, addresses=("127.0.0.1:0", "127.0.0.1:0")):
        line = [binary(), "serve", "--listen", addresses[0], "--admin", addresses[1], *flags]
        if nofile:
            line = ["sh", "-c", f'ulimit -n {nofile}; exec "$@"', "sh", *line]
        if container:
            line = container.inside(line)
        environment = {"PICK_REGNO_API_KEYS": KEY, **os.environ, **(env or {})}
        self.started = time.monotonic()
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(line, stderr=self.log, env=environment)
        told = self.told("serving", within=30)
        self.addr = split(told["address"])
        self.admin = split(told["admin"])

    def told(self, message, within):
        """The first log line that says `message`; waits for it so many seconds."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self.log.seek(0)
            for text in self.log:
                if text.endswith("\n") and text.startswith("{") and (line := json.loads(text))["message"] == message:
                    return line
            if self.process.poll() is not None:
                self.log.seek(0)
                raise SystemExit(f"the service did not start: {self.log.read()}")
            time.sleep(0.005)
        raise SystemExit(f"the service did not say that it is {message}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    @property
    def url(self):
        return f"http://{self.addr[0]}:{self.addr[1]}"

    def metrics(self):
        """The samples of /metrics: name with labels → value."""
        url = f"http://{self.admin[0]}:{self.admin[1]}/metrics"
        samples = {}
        with urllib.request.urlopen(url, timeout=10) as page:
            for line in page.read().decode().splitlines():
                if line and not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    samples[name] = float(value)
        return samples

    def answered(self):
        """Answers of /reg/ by status, as the service counted them."""
        found = {}
        for name, value in self.metrics().items():
            match = re.fullmatch(
                r'http_server_request_duration_seconds_count\{route="/reg/",method="POST",status="(\d+)"\}', name
            )
            if match:
                found[int(match[1])] = int(value)
        return found

    def rss(self):
        """Resident memory in bytes."""
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def fds(self):
        """Open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self):
        """Seconds on a processor."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self, timeout=30):
        return socket.create_connection(self.addr, timeout)


def load(service, *flags, file="fixtures/test_data.csv"):
    """Runs `pick-regno load` against the service; its report. Its exit code is left to the caller's checks."""
    line = [binary(), "load", "--json", "--url", f"{service.url}/reg/", *flags, str(ROOT / file)]
    run = subprocess.run(line, stdout=subprocess.PIPE, env={**os.environ, "PICK_REGNO_API_KEYS": KEY})
    return json.loads(run.stdout)


def ledger(service, before, expected):
    """Checks that the service's own counters of /reg/ grew as the client counted."""
    after = service.answered()
    grown = {status: count - before.get(status, 0) for status, count in after.items()}
    grown = {status: count for status, count in grown.items() if count}
    expected = {status: count for status, count in expected.items() if count}
    check(grown == expected, f"the service counted the same: {grown}")


def split(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def left_out(names, why):
    """Says what is not tested, and why; with NO_SKIPS=1 that ends the script."""
    if names:
        print(f"left out, {why}: {', '.join(names)}", flush=True)
        if os.environ.get("NO_SKIPS") == "1":
            raise SystemExit(1)


def conditions():
    """What a figure depends on, in a line."""
    load = os.getloadavg()[0]
    model = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return f"{os.cpu_count()} cores ({model}), load average {load:.1f} at the start"


def check(holds, sentence):
    """Prints what was found; ends the script if it does not hold."""
    print(("ok    " if holds else "FAILS ") + sentence, flush=True)
    if not holds:
        raise SystemExit(1)
