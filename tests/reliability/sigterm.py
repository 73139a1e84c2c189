"""Row 13: SIGTERM under load, again and again: no request that was accepted is lost, and the exit is 0 in time; row 14:
kill -9, and how soon the service is ready again.

    python3 tests/reliability/sigterm.py           5 times
    LONG=1 python3 tests/reliability/sigterm.py    100 times

A client may not send on a connection after an answer that said `Connection: close`; one that opens a connection gets it,
or is refused. Whatever was sent must be answered.
"""

import asyncio
import signal
import time
import urllib.request

from service import LONG, Service, check, conditions, post

ROUNDS = 100 if LONG else 5
CLIENTS = 16
DRAIN = ("--drain-delay", "300ms", "--drain-timeout", "5s")


class Books:
    """What became of requests."""

    def __init__(self):
        self.sent = self.answered = self.refused = self.lost = self.wrong = 0


async def client(addr, books):
    """Sends requests one after the other, and connects anew when told to, until connections are refused."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(*addr)
        except ConnectionRefusedError:
            books.refused += 1
            return
        close = False
        while not close:
            books.sent += 1
            try:
                writer.write(post())
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError):
                books.lost += 1
                break
            if head.startswith("http/1.1 200") and body.endswith(b',"status":"ok"}\n'):
                books.answered += 1
            else:
                books.wrong += 1
            close = "\r\nconnection: close\r\n" in head
        writer.close()


async def one(service, books):
    clients = [asyncio.ensure_future(client(service.addr, books)) for _ in range(CLIENTS)]
    await asyncio.sleep(0.3)
    service.process.send_signal(signal.SIGTERM)
    signalled = time.monotonic()
    await asyncio.gather(*clients)
    while service.process.poll() is None and time.monotonic() < signalled + 10:
        await asyncio.sleep(0.01)
    return service.process.poll(), time.monotonic() - signalled


def stop_under_load():
    books, slowest, codes = Books(), 0.0, set()
    for _ in range(ROUNDS):
        with Service(*DRAIN) as service:
            code, took = asyncio.run(one(service, books))
            codes.add(code)
            slowest = max(slowest, took)
    check(codes == {0}, f"{ROUNDS} times SIGTERM: exit codes {codes}")
    check(books.lost == books.wrong == 0 and books.answered == books.sent,
          f"{books.sent} requests sent, {books.answered} answered right, {books.lost} lost, {books.wrong} wrong; "
          f"{books.refused} clients saw the port closed")
    check(slowest < 5.3, f"the slowest took {slowest:.2f} s, with 0.3 s of delay and 5 s to drain")


def kill_and_restart():
    took = []
    for _ in range(20 if LONG else 5):
        with Service() as service:
            ready = f"http://{service.admin[0]}:{service.admin[1]}/readyz"
            while True:
                try:
                    if urllib.request.urlopen(ready, timeout=1).status == 200:
                        break
                except OSError:
                    time.sleep(0.001)
            took.append((time.monotonic() - service.started) * 1000)
            service.process.kill()
            service.process.wait()
    took.sort()
    print(f"ready {took[0]:.0f} to {took[-1]:.0f} ms after the start, the median {took[len(took) // 2]:.0f} ms, "
          f"{len(took)} times after kill -9")


def main():
    print(conditions())
    stop_under_load()
    kill_and_restart()


main()
