"""Row 5: clients that send heads slowly, send bodies slowly, or hardly read; and probes beside them.

    python3 tests/reliability/slow.py              100 of each
    LONG=1 python3 tests/reliability/slow.py       1,000 of each, and slowhttptest

Each must be closed at its deadline, at most a second later, and every probe answered 200 meanwhile.
"""

import asyncio
import re
import select
import socket
import subprocess
import time

from service import KEY, LONG, Service, check, conditions, post

COUNT = 1000 if LONG else 100
DEADLINE = 3
# A sweep looks at connections five times a second.
LATE = 1.0


async def slow_head(addr):
    """One byte of a header now and then."""
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection(*addr)
    writer.write(b"GET / HTTP/1.1\r\nhost: test\r\n")
    return await drip(reader, writer, begun)


async def slow_body(addr):
    """A body of which one byte comes now and then."""
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection(*addr)
    writer.write(post(b"{", length=1000))
    return await drip(reader, writer, begun)


async def drip(reader, writer, begun):
    """Sends a byte every half second until the server answers: seconds since the connection was begun, seconds since it
    was there, and the answer's status. The server's count begins between the two."""
    there = time.monotonic()
    answer = asyncio.ensure_future(reader.read(1000))
    while not answer.done():
        writer.write(b"a")
        await asyncio.wait([answer], timeout=0.5)
    now = time.monotonic()
    try:
        status = answer.result()[9:12].decode()
    except OSError:
        status = "reset"
    writer.close()
    return now - begun, now - there, status


def slow_readers(addr):
    """Clients that ask for a megabyte and read nothing: for each as `drip`, and how its connection ended. The kernel tells of a
    connection that is reset without being asked, so that one thread notices a thousand of them at once."""
    epoll, opened, ended = select.epoll(), {}, []
    for _ in range(COUNT):
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        begun = time.monotonic()
        stream.connect(addr)
        there = time.monotonic()
        stream.sendall(f"GET /openapi.json HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\n\r\n".encode() * 40)
        opened[stream.fileno()] = stream, begun, there
        # Of what can happen to a socket, these two are always told.
        epoll.register(stream, 0)
    deadline = time.monotonic() + DEADLINE + LATE + 6
    while opened and time.monotonic() < deadline:
        for number, _ in epoll.poll(0.1):
            stream, begun, there = opened.pop(number)
            now = time.monotonic()
            ended.append((now - begun, now - there, "reset"))
            stream.close()
    return ended


async def probe(service, seconds):
    """A request every 20 ms on a connection of its own; the statuses, the longest wait, and the most memory that was seen."""
    statuses, longest, memory = {}, 0.0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        reader, writer = await asyncio.open_connection(*service.addr)
        writer.write(post(more="connection: close\r\n"))
        status = (await reader.read())[9:12].decode()
        writer.close()
        statuses[status] = statuses.get(status, 0) + 1
        longest = max(longest, time.monotonic() - started)
        memory = max(memory, service.rss())
        await asyncio.sleep(0.02)
    return statuses, longest, memory


async def many(client, service):
    return await asyncio.gather(*(client(service.addr) for _ in range(COUNT)))


async def attack(service, name, clients, phase):
    before = service.metrics()[f'http_server_timeouts_total{{phase="{phase}"}}']
    probes = asyncio.ensure_future(probe(service, DEADLINE + 2))
    ended = await clients
    statuses, longest, memory = await probes
    times = [(most, least) for most, least, _ in ended]
    kinds = {}
    for _, _, kind in ended:
        kinds[kind] = kinds.get(kind, 0) + 1
    check(len(times) == COUNT, f"{COUNT} {name}: all ended: {kinds}")
    first, last = min(most for most, _ in times), max(least for _, least in times)
    check(
        DEADLINE <= first and last <= DEADLINE + LATE,
        f"{name}: after {first:.2f} to {last:.2f} s, with a deadline of {DEADLINE} s",
    )
    check(set(statuses) == {"200"}, f"{name}: probes beside them: {statuses}, the slowest in {longest * 1000:.0f} ms; "
          f"RSS at most {memory / 2**20:.1f} MiB")
    after = service.metrics()[f'http_server_timeouts_total{{phase="{phase}"}}']
    check(after - before == COUNT, f"{name}: the service counted {after - before:.0f} timeouts of phase {phase}")


def slowhttptest(service, name, *flags):
    line = ["slowhttptest", "-c", "1000", "-r", "1000", "-l", "20", "-i", "1", "-p", "2", *flags]
    told = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    told = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", told)
    available = re.findall(r"service available:\s+(YES|NO)", told)
    end = re.search(r"Exit status: (.*)", told)
    print(f"slowhttptest {name}: exit status: {end[1] if end else '?'}; service available: "
          f"{available.count('YES')} times YES, {available.count('NO')} times NO")
    check("YES" in available and "NO" not in available, f"slowhttptest {name}: the service was there all the time")
    after = service.metrics()
    ended = sum(value for sample, value in after.items() if sample.startswith("http_server_timeouts_total"))
    check(ended >= 1000 and after["http_server_active_connections"] == 0,
          f"slowhttptest {name}: the service ended {ended:.0f} waits of its 1,000 connections, and has none left")


def main():
    print(conditions())
    limits = [f"--{phase}-timeout={DEADLINE}s" for phase in ("header", "body", "write")]
    with Service(*limits) as service:
        asyncio.run(attack(service, "slow heads", many(slow_head, service), "head"))
        asyncio.run(attack(service, "slow bodies", many(slow_body, service), "body"))
        asyncio.run(attack(service, "slow readers", asyncio.to_thread(slow_readers, service.addr), "write"))
        print(f"RSS {service.rss() / 2**20:.1f} MiB, {service.fds()} file descriptors after it")
    if LONG:
        for flags in (
            ["-H", "-u", "{}/"],
            ["-B", "-u", "{}/reg/", "-f", "application/json", "-s", "8192"],
            ["-X", "-u", "{}/openapi.json", "-k", "10", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"],
        ):
            # It cannot send a key.
            with Service(*limits, env={"PICK_REGNO_API_KEYS": ""}) as service:
                slowhttptest(service, flags[0], *(flag.format(service.url) for flag in flags))


main()
