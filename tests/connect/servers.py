"""Real servers for the tests of connect/: RabbitMQ, Redis, ClickHouse's listener, OpenBao, a MongoDB stand-in.

Each is a process of its own on a port of its own, below a folder that is removed; `kill` is kill -9, and `start` starts it again with the
same data. Nothing here talks to the outside; `install.sh` fetches what is needed.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CACHE = Path(os.environ.get("PICK_REGNO_TEST_CACHE", TOP / "target/cache"))
FIXTURES = TOP / "fixtures"
CASES = FIXTURES / "test_data.expected.ndjson"


def free_port():
    """Returns a port that nobody listens on, below those that the kernel gives to clients: a server that was killed finds its port free."""
    while True:
        port = random.randrange(20_000, 32_000)
        if port in free_port.given:
            continue
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            free_port.given.add(port)
            return port


free_port.given = set()


def wait_for(what, is_so, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, KeyError):
            if is_so():
                return
        time.sleep(0.05)
    raise SystemExit(f"{what}: not within {seconds} s")


def get(url, data=None, headers=None, timeout=10):
    """Status and body of an HTTP request."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def metrics(port):
    """The samples of a /metrics page."""
    samples = {}
    for line in get(f"http://127.0.0.1:{port}/metrics")[1].splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
    return samples


def verdict(name, holds, **figures):
    """Prints a ledger's line; exits with 1 where it does not hold."""
    print(json.dumps({"ledger": name, "holds": bool(holds), **figures}, ensure_ascii=False), flush=True)
    if not holds:
        raise SystemExit(1)


class Process:
    """A program that runs in the background."""

    def __init__(self, name, folder, env=None):
        self.name, self.folder, self.env = name, Path(folder), env
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None

    def spawn(self, command, **more):
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **(self.env or {})}, start_new_session=True, **more)
        return self

    def log(self):
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        """kill -9 of it and of what it started."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def terminate(self, seconds=30):
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


class RabbitMQ(Process):
    """A broker; `ctl` is rabbitmqctl."""

    def __init__(self, folder):
        self.port, dist, epmd = free_port(), free_port(), free_port()
        folder = Path(folder) / "rabbitmq"
        # Short names, so that no host name needs to be resolved.
        self.node = f"pick-regno-{self.port}@localhost"
        super().__init__("rabbitmq", folder, {
            "HOME": str(folder), "RABBITMQ_NODENAME": self.node, "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"), "RABBITMQ_LOG_BASE": str(folder), "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_SERVER_START_ARGS": "+S 2:2",
        })
        (folder / "rabbitmq.conf").touch()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"

    def start(self):
        self.spawn(["/usr/lib/rabbitmq/bin/rabbitmq-server"])
        wait_for("rabbitmq", lambda: self.ctl("await_startup", "--timeout", "60") is not None, 90)
        return self

    def ctl(self, *args):
        done = subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "-n", self.node, *args], env={**os.environ, **self.env},
                              capture_output=True, text=True, timeout=90)
        return done.stdout if done.returncode == 0 else None

    def kill(self):
        super().kill()
        with contextlib.suppress(Exception):
            # The emulator is a child of a shell, in the same group; epmd is not, and is this broker's own by its port.
            subprocess.run(["epmd", "-port", self.env["ERL_EPMD_PORT"], "-kill"], env={**os.environ, **self.env}, capture_output=True, timeout=10)

    def depth(self, queue):
        """Messages in a queue; 0 if it is not there."""
        return self.count(queue, "messages")

    def consumers(self, queue):
        """Consumers of a queue; 0 if it is not there."""
        return self.count(queue, "consumers")

    def count(self, queue, column):
        for line in (self.ctl("list_queues", "name", column) or "").splitlines():
            name, _, number = line.partition("\t")
            if name == queue and number.isdigit():
                return int(number)
        return 0

    def dead_letters(self):
        """Sets what the documents recommend: a policy with a dead-letter exchange, and a queue of its own for what is rejected."""
        assert self.ctl("import_definitions", str(TOP / "deploy/rabbitmq/definitions.json")) is not None


class Redis(Process):
    def __init__(self, folder):
        super().__init__("redis", Path(folder) / "redis")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.spawn(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", ""])

        def answers():
            with socket.create_connection(("127.0.0.1", self.port), 1) as stream:
                stream.sendall(b"PING\r\n")
                return stream.recv(7) == b"+PONG\r\n"

        wait_for("redis", answers)
        return self


class ClickHouse(Process):
    """The listener of clickhouse-local, from npm's package of chDB: no Keeper, no replication, one process."""

    def __init__(self, folder, config=None):
        super().__init__("clickhouse", Path(folder) / "clickhouse")
        self.port, self.tcp, self.config = free_port(), free_port(), config
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        more = [f"--config-file={self.config}"] if self.config else []
        library = CACHE / "chdb/package/libchdb.so"
        self.spawn([sys.executable, HERE / "clickhouse_local.py", library, self.folder / "data", self.port, self.tcp, *more], cwd=work)
        wait_for("clickhouse", lambda: self.ask("SELECT 1") == "1\n")
        return self

    def ask(self, sql, data=b"", **settings):
        query = urllib.parse.urlencode({"query": sql, **settings})
        status, text = get(f"{self.url}/?{query}", data=data, timeout=120)
        if status != 200:
            raise ValueError(f"{status}: {text[:500]}")
        return text

    def script(self, file):
        """Runs the statements of a file."""
        text = "\n".join(line for line in Path(file).read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--"))
        for statement in filter(str.strip, text.split(";\n")):
            self.ask(statement.strip().rstrip(";"))


@contextlib.contextmanager
def folder(name):
    """A folder of its own. If the test fails, it is kept, and the ends of the logs are printed."""
    path = Path(tempfile.mkdtemp(prefix=f"pick-regno-{name}-"))
    try:
        yield path
    except BaseException:
        print(f"logs: {path}", file=sys.stderr)
        for log in sorted(path.rglob("*.log")):
            print_end(log)
        raise
    shutil.rmtree(path, ignore_errors=True)


def print_end(log, lines=20):
    """Prints the last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    print(f"-- {log.name}", *(line[:1000] for line in text), sep="\n", file=sys.stderr, flush=True)


@contextlib.contextmanager
def started(*processes):
    """Starts what has a `start`, and ends everything."""
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in reversed(processes):
            process.kill()


class Worker(Process):
    """`pick-regno-connect work`."""

    def __init__(self, binary, folder, broker, *flags, name="worker"):
        super().__init__(name, folder)
        self.binary, self.broker, self.flags, self.port = binary, broker, flags, free_port()

    def start(self, ready=True):
        self.spawn([self.binary, "work", self.broker, "--admin", f"127.0.0.1:{self.port}", *self.flags])
        if ready:
            wait_for("the worker", lambda: get(f"http://127.0.0.1:{self.port}/readyz")[0] == 200)
        return self

    def metrics(self):
        return metrics(self.port)
