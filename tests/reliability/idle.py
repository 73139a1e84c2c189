"""Row 6: idle keep-alive connections: what each costs, and that each is closed at the timeout.

    python3 tests/reliability/idle.py              1,000 connections
    LONG=1 python3 tests/reliability/idle.py       8,000
"""

import selectors
import socket
import time

from service import KEY, LONG, Service, check, conditions

COUNT = 8000 if LONG else 1000
IDLE = 30 if LONG else 10
# Connections that are opened side by side: one after the other, on a crowded machine, the first would be closed before
# the last is open.
ABREAST = 50
REQUEST = f"GET / HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\n\r\n".encode()


def main():
    print(conditions())
    with Service("--idle-timeout", f"{IDLE}s", "--header-timeout", "60s") as service:
        before = service.rss()
        opened = []
        for _ in range(COUNT // ABREAST):
            streams = [socket.create_connection(service.addr) for _ in range(ABREAST)]
            for stream in streams:
                opened.append((stream, time.monotonic()))
                stream.sendall(REQUEST)
            for stream in streams:
                answer = stream.recv(4096)
                assert answer.startswith(b"HTTP/1.1 200"), answer
        held = int(service.metrics()["http_server_active_connections"])
        check(held == COUNT, f"{held} connections are open")
        each = (service.rss() - before) / COUNT / 1024
        print(f"RSS {before / 2**20:.1f} MiB before, {service.rss() / 2**20:.1f} MiB with them, {service.fds()} file descriptors")
        check(each <= 20, f"{each:.1f} KiB each")
        waited = close_times(opened)
        check(len(waited) == COUNT, "the server closed them all")
        # A sweep looks at connections five times a second; the client notices one after the other.
        check(IDLE - 0.1 <= min(waited) and max(waited) <= IDLE + 1.5,
              f"after {min(waited):.2f} to {max(waited):.2f} s, with a timeout of {IDLE} s")
        print(f"RSS {service.rss() / 2**20:.1f} MiB, {service.fds()} file descriptors after it")


def close_times(opened):
    """Seconds from each connection's request to its end."""
    selector = selectors.DefaultSelector()
    for stream, since in opened:
        stream.setblocking(False)
        selector.register(stream, selectors.EVENT_READ, since)
    waited = []
    deadline = time.monotonic() + IDLE + 10
    while len(waited) < len(opened) and time.monotonic() < deadline:
        for key, _ in selector.select(1):
            if key.fileobj.recv(16) == b"":
                waited.append(time.monotonic() - key.data)
            selector.unregister(key.fileobj)
            key.fileobj.close()
    return waited


main()
