"""What the bodies of all connections take together stays within `--max-body-memory`, however many clients send long ones slowly, or
do not read their answers.

    python3 tests/reliability/memory.py            200 clients
    LONG=1 python3 tests/reliability/memory.py     2,000

Each client first sends an array of a thousand, 1 MiB long, up to its last byte, every second one without saying how long it
will be; then the service's memory is looked at, and who was not refused sends the last byte. After that each sends arrays
and reads no answer. A second client asks one plate at a time beside it: it must get 200 always.
"""

import http.client
import json
import selectors
import socket
import threading
import time

from service import BODY, KEY, LONG, REQUEST, Service, check, conditions, post

COUNT = 2000 if LONG else 200
LENGTH = 1 << 20
MEMORY = 32 << 20
# What a connection may take beside: its buffers, and a body that is too short to be counted.
EACH = 64 << 10
# The rows that are being answered, and what the allocator keeps.
WORK = 4 << 20
MIB = 1 << 20

# A thousand requests, and blanks up to the length.
ARRAY = json.dumps([REQUEST] * 1000, ensure_ascii=False).encode().ljust(LENGTH)
CHUNK = 16 << 10


def chunked(body):
    head = f"POST /reg/ HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


class Sender:
    """A client with something to send, of which it keeps the last `kept` bytes back."""

    def __init__(self, service, request, kept, buffer=None):
        self.stream = socket.socket()
        if buffer:
            self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.stream.connect(service.addr)
        self.stream.setblocking(False)
        self.request, self.sent, self.most = request, 0, len(request) - kept
        self.answer = b""

    def send(self):
        """Sends a little; whether there is more to send at present."""
        try:
            self.sent += self.stream.send(self.request[self.sent : min(self.sent + CHUNK, self.most)])
        except BlockingIOError:
            pass
        except OSError:
            return False
        return self.sent < self.most

    def read(self):
        """Reads what is there; whether it has an answer, or never will have."""
        try:
            piece = self.stream.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            self.answer = self.answer or b"reset"
            return True
        self.answer += piece
        return not piece or b"\r\n\r\n" in self.answer

    def told(self):
        """The answer's status; `503` only if it says when to try again."""
        head = self.answer.split(b"\r\n\r\n")[0].decode().lower()
        if head.startswith("http/1.1 503") and "\r\nretry-after: 1" not in head:
            return "503 without Retry-After"
        return head[9:12] if head.startswith("http/1.1 ") else head or "closed"


def take_turns(senders, seconds):
    """Lets all send a piece at a time until each has sent what it may, or has an answer. Who has none?"""
    open_ones, deadline = list(senders), time.monotonic() + seconds
    while open_ones and time.monotonic() < deadline:
        moved = [sender for sender in open_ones if sender.send()]
        answered = {sender for sender in open_ones if sender.read()}
        open_ones = [sender for sender in moved if sender not in answered]
        time.sleep(0.001)
    return [sender for sender in senders if not sender.answer]


class Watch:
    """Looks at the service's memory, and asks it one plate after the other, until it is closed."""

    def __init__(self, service):
        self.service, self.stop = service, threading.Event()
        self.most, self.statuses = 0, {}
        self.threads = [threading.Thread(target=self.look), threading.Thread(target=self.ask)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def look(self):
        while not self.stop.wait(0.01):
            self.most = max(self.most, self.service.rss())

    def ask(self):
        connection = http.client.HTTPConnection(*self.service.addr, timeout=30)
        while not self.stop.wait(0.02):
            connection.request("POST", "/reg/", BODY, {"content-type": "application/json", "x-api-key": KEY})
            answer = connection.getresponse()
            answer.read()
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1


def held(service):
    return service.metrics()["http_server_held_body_bytes"]


def count(statuses):
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def within_bounds(what, before, watch):
    bound = before + MEMORY + COUNT * EACH + WORK
    check(watch.most <= bound,
          f"{what}: RSS {before / MIB:.1f} MiB before, at most {watch.most / MIB:.1f} MiB; {MEMORY / MIB:.0f} MiB for bodies and "
          f"{COUNT * EACH / MIB:.1f} MiB for {COUNT} connections, {WORK / MIB:.0f} MiB for work allow {bound / MIB:.1f} MiB")
    check(set(watch.statuses) == {200}, f"{what}: one plate at a time beside it: {watch.statuses}")


def slow_senders(service):
    before = service.rss()
    with Watch(service) as watch:
        requests = (post(ARRAY), 1), (chunked(ARRAY), 7)
        senders = [Sender(service, *requests[nth % 2]) for nth in range(COUNT)]
        waiting = take_turns(senders, 60)
        now = held(service)
        check(0 < now <= MEMORY, f"slow senders: {len(waiting)} wait with all but the end of their bodies; counted as held: {now / MIB:.1f} MiB")
        time.sleep(2)
        for sender in waiting:
            sender.most = len(sender.request)
        take_turns(waiting, 60)
        finish(waiting)
    told = [sender.told() for sender in senders]
    check(set(told) == {"200", "503"} and told.count("200") == len(waiting), f"slow senders: answered {count(told)}")
    check(held(service) == 0, "slow senders: nothing is counted as held after it")
    within_bounds("slow senders", before, watch)
    for sender in senders:
        sender.stream.close()


def finish(senders):
    """Waits for answers."""
    deadline = time.monotonic() + 60
    while not all(b"\r\n\r\n" in sender.answer or sender.read() for sender in senders) and time.monotonic() < deadline:
        time.sleep(0.01)


def slow_readers(service):
    """The array is half as long as it may be, and sent four times on each connection; its answers are a few times what sockets hold."""
    before = service.rss()
    array = post(ARRAY.rstrip())
    with Watch(service) as watch:
        readers = [Sender(service, array * 4, 0, buffer=4096) for _ in range(COUNT)]
        most, deadline = 0, time.monotonic() + WRITE + 20
        selector = selectors.DefaultSelector()
        for reader in readers:
            selector.register(reader.stream, selectors.EVENT_WRITE, reader)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                if not key.data.send():
                    selector.unregister(key.fileobj)
            most = max(most, held(service))
        while service.metrics()["http_server_active_connections"] > 1 and time.monotonic() < deadline:
            most = max(most, held(service))
            time.sleep(0.05)
    check(most > 0, f"slow readers: at most {most / MIB:.1f} MiB are counted as held")
    within_bounds("slow readers", before, watch)
    check(held(service) == 0, "slow readers: nothing is counted as held after it")
    for reader in readers:
        reader.stream.close()


WRITE = 5


def main():
    print(conditions())
    with Service("--max-body-memory", str(MEMORY), "--body-timeout", "60s", "--write-timeout", f"{WRITE}s") as service:
        slow_senders(service)
        slow_readers(service)
        print(f"RSS {service.rss() / MIB:.1f} MiB after it")


main()
