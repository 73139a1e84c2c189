"""Row 3: three times what the service can carry.

    python3 tests/reliability/overload.py          seconds
    LONG=1 python3 tests/reliability/overload.py   half a minute a step

First arrays of 1,000 requests, which cost the service milliseconds and the client little, at a rate that does not wait
for answers: what there is no memory for must be refused. Once with clients that stop sending when they are refused, as RFC 9112
asks (section 9.5), and once with clients that send three quarters of a megabyte to the end all the same, which must be taken off the
wire. Then single requests: they are answered as soon as they are read, so that there is nothing to refuse, and must all be
right.

The service has a core of its own as far as this script is concerned, and a fifth of it (a cgroup's quota), before whatever else
runs there, so that clients on the same machine can offer so much; where that cannot be set, it is the clients that are
measured, and the script says so. Beside answers a second stand answers a second of the service's processor time, which tell of
the service alone.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import time

from service import LONG, REQUEST, Service, check, conditions, ledger, load, post

CLIENTS = 16
SECONDS = 30 if LONG else 5
BODY = json.dumps([REQUEST] * 1000, ensure_ascii=False).encode()
ARRAY = post(BODY)


async def ask(addr, request, books, times, stops=False):
    """One request on a connection of its own; how long a 200 took goes to `times`. Who `stops` sends no more once refused."""
    writer, asked = None, time.monotonic()
    try:
        reader, writer = await asyncio.open_connection(*addr)
        writer.write(request)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        await reader.readexactly(length)
        status = head[9:12]
        if status == "200":
            times.append(time.monotonic() - asked)
        if status == "503" and "\r\nretry-after: " not in head:
            status = "503 without Retry-After"
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        status = type(error).__name__
    if writer and stops and status == "503":
        writer.transport.abort()
    elif writer:
        writer.close()
    books[status] = books.get(status, 0) + 1
    return status


async def closed_loop(service):
    """Answers a second that as many clients get as there is room for, each asking again when it is answered; answers a second
    of processor time; and how long they took."""
    books, times, begun = {}, [], time.monotonic()

    async def client():
        while time.monotonic() < begun + SECONDS:
            await ask(service.addr, ARRAY, books, times)

    cpu = service.cpu()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    check(set(books) == {"200"}, f"nothing is refused while there is room: {books}")
    took = time.monotonic() - begun
    return books["200"] / took, books["200"] / (service.cpu() - cpu), times


async def open_loop(service, rate, stops):
    """Sends at `rate`, whatever is answered: requests a second, answers a second by status, answers of 200 a second of
    processor time, all statuses, how long answers took, and seconds until single requests are answered again."""
    books, times, asked, begun, cpu = {}, [], [], time.monotonic(), service.cpu()
    for nth in range(int(rate * SECONDS)):
        await asyncio.sleep(max(0, begun + nth / rate - time.monotonic()))
        asked.append(asyncio.ensure_future(ask(service.addr, ARRAY, books, times, stops)))
    took = time.monotonic() - begun
    within = {status: count / took for status, count in books.items()}
    a_cpu_second = books.get("200", 0) / (service.cpu() - cpu)
    over = time.monotonic()
    while await ask(service.addr, post(more="connection: close\r\n"), books, []) != "200":
        await asyncio.sleep(0.05)
    recovered = time.monotonic() - over
    await asyncio.gather(*asked)
    return len(asked) / took, within, a_cpu_second, books, times, recovered


def milliseconds(times):
    times = sorted(times)
    return f"median {times[len(times) // 2] * 1e3:.0f} ms, 99 % within {times[len(times) * 99 // 100] * 1e3:.0f} ms"


def arrays():
    memory = ("--max-body-memory", str(CLIENTS * len(BODY)))
    with Service("--workers", "1", *memory) as service, throttled(service, 0.2):
        earlier = asyncio.run(closed_loop(service))
        for stops in True, False:
            before = service.answered()
            offered, within, of_cpu, books, times, recovered = asyncio.run(open_loop(service, 3 * earlier[0], stops))
            later = asyncio.run(closed_loop(service))
            # What else runs here comes and goes: the peak is the mean of what was measured before and after.
            peak, peak_of_cpu = ((one + other) / 2 for one, other in zip(earlier[:2], later[:2]))
            goodput, who = within.get("200", 0), "stop when refused" if stops else "send all the same"
            print(f"{CLIENTS} clients: {milliseconds(earlier[2] + later[2])}")
            print(f"arrays of 1,000, clients that {who}: peak {peak:.0f}/s; offered {offered:.0f}/s: {goodput:.0f}/s answered "
                  f"({goodput / peak:.0%} of the peak; {milliseconds(times)}), {within.get('503', 0):.0f}/s refused; a second of "
                  f"processor time gave {of_cpu:.0f} answers, {peak_of_cpu:.0f} at the peak ({of_cpu / peak_of_cpu:.0%})")
            check(set(books) <= {"200", "503"}, f"what was not answered was refused with 503 and Retry-After: {books}")
            books["200"] += len(later[2])
            ledger(service, before, {int(status): count for status, count in books.items()})
            check(recovered < 5, f"answers as ever {recovered:.2f} s after it")
            earlier = later


def singles():
    with Service("--workers", "1") as service, throttled(service, 0.2):
        peak = load(service, "--connections", "256", "--duration", f"{SECONDS}s")["right_per_second"]
        before = service.answered()
        told = load(service, "--connections", "256", "--duration", f"{SECONDS}s", "--rate", str(int(3 * peak)))
        goodput = told["right_per_second"]
        print(f"single requests: peak {peak:.0f}/s; offered {3 * peak:.0f}/s: {goodput:.0f}/s answered "
              f"({goodput / peak:.0%} of the peak), the rest waits for a connection")
        check(told["right"] + sum(told["refused"].values()) == told["sent"], f"{told['sent']} sent, "
              f"{told['right']} right, refused {told['refused']}, wrong {told['wrong']}, failed {told['failed']}")
        ledger(service, before, {200: told["right"], **{int(key): value for key, value in told["refused"].items()}})


@contextlib.contextmanager
def throttled(service, share):
    """Gives the service so much of one core, in slices of 10 ms, and its clients the others."""
    pid, group = service.process.pid, None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores[:1])
        os.sched_setaffinity(0, cores[1:])
    # Before what else runs there, or three times the peak are not offered.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    for root in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup"):
        group = pathlib.Path(root) / f"pick-regno-{pid}"
        try:
            group.mkdir()
            if (group / "cpu.max").exists():
                (group / "cpu.weight").write_text("10000")
                (group / "cpu.max").write_text(f"{int(share * 10_000)} 10000")
            else:
                (group / "cpu.shares").write_text("100000")
                (group / "cpu.cfs_period_us").write_text("10000")
                (group / "cpu.cfs_quota_us").write_text(str(int(share * 10_000)))
            (group / "cgroup.procs").write_text(str(pid))
            break
        except OSError:
            group = None
    if not group:
        print("no cgroup can be made here: the service has all it wants, and the clients are what is measured")
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        if group:
            (group.parent / "cgroup.procs").write_text(str(pid))
            group.rmdir()


def main():
    print(conditions())
    arrays()
    singles()


main()
