"""Clients without a key, at the limits that deploy/kubernetes sets: whoever has a key is served beside them, and memory is enough.

    python3 tests/reliability/strangers.py         2 s of each
    LONG=1 python3 tests/reliability/strangers.py  3 s of each

Each kind opens more connections than there are places, and opens another for each that is ended. Meanwhile a client with a key asks for one
plate, a batch and a body of 20 KiB, each on a new connection, and the liveness probe asks the operators' port: all must be answered
200, and in the long run within a second. Then the same with the defaults in a container of 64 MiB. Where a control group can be made
(root, and a writable /sys/fs/cgroup), the kernel holds the service to its container's memory, sockets included; elsewhere its RSS
is compared, and the script says so. Needs openssl.
"""

import contextlib
import json
import pathlib
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from container import Container
from service import BODY, KEY, LONG, REQUEST, ROOT, Service, check, conditions, left_out, post

SECONDS = 3 if LONG else 2
MIB = 1 << 20
SMALL = 64 * MIB
# What the service makes of that (src/serve/settings/room.rs), and the places of the operators' port.
SMALL_PLACES = 128
OPERATORS = 64
POD = (ROOT / "deploy/kubernetes/base/deployment.yaml").read_text()
OPENAPI = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n"
ASK = b"GET /nope HTTP/1.1\r\nhost: a\r\n\r\n"
HALF_HEAD = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 15_000
LARGE = b"POST /reg/ HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 300_000
BATCH = f"POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
LINES = (json.dumps(REQUEST, ensure_ascii=False) + "\n").encode() * 100
# What the client with a key sends, each on a connection of its own.
ASKED = {
    "one plate": post(),
    "a batch": post(LINES).replace(b"application/json", b"application/x-ndjson"),
    "20 KiB": post(BODY + b" " * 20_000),
}
PROBE = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


def hello(length):
    """A ClientHello of `length` bytes in records of 16 KiB, without its last byte."""
    message = (b"\x01" + length.to_bytes(3, "big") + b"\x03\x03").ljust(length + 3, b"\0")
    parts = (message[at : at + 16384] for at in range(0, len(message), 16384))
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


class Stranger:
    """How one kind of client behaves: what it sends at first, and again every second."""

    def __init__(self, first=b"", again=b"", tls=False, admin=False, finish=False, keyed=False, every=1.0, only=None):
        self.first, self.again, self.tls, self.admin, self.finish = first, again, tls, admin, finish
        # Seconds from one to the next `again`; who sends so often reads as well.
        self.every = every
        # Who has a key may keep its place; the requests that can be expected to be answered.
        self.keyed, self.only = keyed, only


STRANGERS = {
    "say nothing": Stranger(),
    "send half a head": Stranger(HALF_HEAD),
    "send half a head, byte by byte": Stranger(b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"a"),
    "do not read": Stranger(OPENAPI * 60),
    "do not read, and send on": Stranger(OPENAPI * 2000),
    "do not read, half closed": Stranger(OPENAPI * 60, finish=True),
    "send 3 MB that are refused": Stranger(LARGE, b"x" * 1000),
    "ask all the time": Stranger(ASK, ASK, every=0.1),
    "guess keys": Stranger(b"GET / HTTP/1.1\r\nhost: a\r\nx-api-key: wrong\r\n\r\n" * 9),
    "stop within a handshake": Stranger(b"\x16\x03\x01", tls=None),
    "send half a long handshake": Stranger(hello(30_000), tls=None),
    "send a handshake that is too long": Stranger(hello(65_000), tls=None),
    "say nothing after a handshake": Stranger(tls=True),
    "do not read over TLS, and send half a head": Stranger(OPENAPI * 60 + HALF_HEAD, tls=True),
    "send records of one byte": Stranger(b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"a", tls=True),
    "do not read metrics": Stranger(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n" * 60, admin=True),
    "say nothing to the operators' port": Stranger(admin=True),
    "have a key, and send batches a byte at a time": Stranger(BATCH.encode(), b"1\r\n \r\n", keyed=True),
    "have a key, and send long bodies but for their end": Stranger(post(b"[" + b" " * 1_000_000, length=1_000_002), keyed=True, only={"one plate"}),
}


class Crowd:
    """Keeps `count` connections of strangers open."""

    def __init__(self, kind, addr, count, trust):
        self.kind, self.addr, self.count, self.trust = kind, addr, count, trust
        self.open, self.opened, self.stop = {}, 0, threading.Event()
        self.poll = select.poll()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for stream in self.open.values():
            stream.close()

    def run(self):
        again = 0.0
        while not self.stop.wait(0.02):
            # The kernel tells of ends without being read from.
            for number, _ in self.poll.poll(0):
                self.poll.unregister(number)
                self.open.pop(number).close()
            while len(self.open) < self.count and not self.stop.is_set():
                stream = self.connect()
                if not stream:
                    break
                self.opened += 1
                self.open[stream.fileno()] = stream
                self.poll.register(stream, select.POLLRDHUP)
            if self.kind.again and time.monotonic() > again:
                again = time.monotonic() + self.kind.every
                for stream in self.open.values():
                    with contextlib.suppress(OSError):
                        if self.kind.every < 1:
                            stream.recv(4096)
                        stream.send(self.kind.again)

    def connect(self):
        stream = socket.socket()
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.settimeout(0.3)
            stream.connect(self.addr)
            if self.kind.tls:
                stream = self.trust.wrap_socket(stream, server_hostname="localhost")
            stream.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                stream.sendall(self.kind.first)
            if self.kind.finish:
                stream.shutdown(socket.SHUT_WR)
            stream.setblocking(False)
            return stream
        except OSError:
            stream.close()
            return None


def asked(addr, request, trust=None):
    """How one request ended, and how long that took."""
    started = time.monotonic()
    try:
        with socket.create_connection(addr, 5) as stream:
            with trust.wrap_socket(stream, server_hostname="localhost") if trust else contextlib.nullcontext(stream) as stream:
                stream.sendall(request)
                outcome = stream.recv(65536)[9:12].decode() or "closed"
    except OSError as error:
        outcome = type(error).__name__
    return outcome, time.monotonic() - started


def beside(name, kind, service, places, trust, used):
    """What the others get beside strangers of one kind."""
    waits, outcomes, most = {}, {}, (0, 0)
    places = OPERATORS if kind.admin else places
    count = places * 3 // 4 if kind.keyed else places + 60
    expected = {what: (service.addr, request, trust) for what, request in ASKED.items() if what in (kind.only or ASKED)}
    expected["a probe"] = service.admin, PROBE, None
    with Crowd(kind, service.admin if kind.admin else service.addr, count, trust) as crowd:
        time.sleep(1)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for what, request in expected.items():
                outcome, took = asked(*request)
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                waits[what] = max(waits.get(what, 0), took)
                most = max(most, used(), key=sum)
            time.sleep(0.1)
        most = max(most, used(), key=sum)
    slowest = "; ".join(f"{what} {wait:.2f} s" for what, wait in waits.items())
    memory = " + ".join(f"{part / MIB:.1f}" for part in most)
    check(set(outcomes) == {"200"}, f"{crowd.opened} who {name}: {outcomes}, the slowest: {slowest}; memory {memory} MiB")
    if LONG:
        check(max(waits.values()) <= 1, "nobody waited for more than a second")
    return sum(most)


def setting(name):
    return re.search(rf"name: PICK_REGNO_{name}, value: \"?(\w+)", POD)[1]


def run(limit, places, *flags, pki):
    """All kinds, each against a service of its own in a container of `limit` bytes."""
    highest = 0
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    for name, kind in STRANGERS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        secure = kind.tls is not False
        more = ("--tls-cert", f"{pki}/cert", "--tls-key", f"{pki}/key") if secure else ()
        with contextlib.ExitStack() as stack:
            try:
                container = stack.enter_context(Container(limit))
            except OSError as error:
                container = None
                left_out([f"the limit of memory beside those who {name}"], f"since no control group can be made here ({error})")
            service = stack.enter_context(Service(*flags, *more, container=container))
            used = container.used if container else lambda: (service.rss(),)
            highest = max(highest, beside(name, kind, service, places, trust if secure else None, used))
            if service.process.poll() is not None or (container and container.kills()):
                check(False, f"the service lives beside those who {name}")
    check(highest <= limit, f"memory at most {highest / MIB:.1f} MiB of {limit / MIB:.0f} MiB")


def main():
    print(conditions())
    with tempfile.TemporaryDirectory() as pki:
        line = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost"
        subprocess.run([*line.split(), "-keyout", f"{pki}/key", "-out", f"{pki}/cert"], check=True, stderr=subprocess.DEVNULL)
        limit = int(re.search(r"limits: \{.*memory: (\d+)Mi\}", POD)[1]) * MIB
        places = int(setting("MAX_CONNECTIONS"))
        memory, workers = setting("MAX_BODY_MEMORY"), setting("WORKERS")
        print(f"-- a pod of {limit / MIB:.0f} MiB, {places} connections, {memory} for bodies")
        flags = ("--workers", workers, "--max-connections", str(places), "--max-body-memory", memory)
        run(limit, places, *flags, pki=pki)
        print(f"-- the defaults in {SMALL / MIB:.0f} MiB")
        run(SMALL, SMALL_PLACES, "--workers", workers, pki=pki)


main()
