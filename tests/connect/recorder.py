#!/usr/bin/env python3
"""The recorder's ledger: what recording costs, and that every answered row is written or counted as lost, whatever becomes of the disk.

    unshare --mount tests/connect/recorder.py PICK_REGNO [SECONDS [TURNS]]

Needs root: a disk that fills up is a small tmpfs, and one that is slow is strace, which delays the writer's system calls. `unshare` ends the mount
with the script. Figures are medians of turns with and without a record, one after the other, SECONDS long each; they decide nothing. Exits with 1 where an
answer is wrong, or where rows in segments and rows counted as lost are not the rows that were answered.
"""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import servers
from recording import Service, rows

RATE = 500


def load(binary, service, seconds, rate=None):
    """Runs `pick-regno load`; what it says. Every answer is compared."""
    command = [binary, "load", servers.FIXTURES / "test_data.csv", "--url", f"http://127.0.0.1:{service.port}/reg/", "--duration", f"{seconds}s",
               "--json", *(["--rate", rate] if rate else [])]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["wrong"] == 0 and not said["failed"] and not said["refused"] and said["right"] > 0, said
    return said


def measure(binary, folder, seconds, turns):
    """Rate and saturation, with a record and without."""
    figures = {True: [], False: []}
    for turn in range(turns):
        for records in (False, True) if turn % 2 else (True, False):
            record = folder / f"turn-{turn}" if records else None
            service = Service(binary, folder, record)
            with servers.started(service):
                load(binary, service, 1, RATE)
                before = service.cpu()
                paced = load(binary, service, seconds, RATE)
                cpu, rss = (service.cpu() - before) / seconds, service.rss()
                full = load(binary, service, seconds)
                ledger = service.settled() if records else {"given": 0, "lost": {}}
                assert service.terminate() == 0
            if records:
                check(record, ledger)
                shutil.rmtree(record)
            figures[records].append([paced["latency_us"]["p99"], cpu, rss, full["right_per_second"],
                                     sum(ledger["lost"].values()) / max(1, ledger["given"])])
    names = ["p99_us_at_500", "cores_at_500", "anonymous_mib_at_500", "saturated_per_second", "lost_share"]
    return {records: dict(zip(names, (round(statistics.median(column), 4) for column in zip(*runs)))) for records, runs in figures.items()}


def check(record, ledger, *elsewhere):
    """The segments hold what was counted as written, and the holes in `seq` are the loss."""
    found = rows(record, *elsewhere)
    assert len(found) == len(set(found)) == ledger["written"], (len(found), ledger)
    assert len({instance for instance, _ in found}) <= 1
    holes = set(range(ledger["given"])) - {seq for _, seq in found}
    assert len(holes) == sum(ledger["lost"].values()), (len(holes), ledger)


def replay(binary, folder):
    """Records with plates, and lets `check` replay them."""
    record = folder / "plain"
    service = Service(binary, folder, record, "--record-plates", "plain")
    with servers.started(service):
        load(binary, service, 2)
        ledger = service.settled()
        assert service.terminate() == 0
    check(record, ledger)
    said = subprocess.run([binary, "check", record], capture_output=True, text=True, check=False).stdout.splitlines()[-1]
    servers.verdict("replayed from the record", said == f"{ledger['written']} cases, 0 differ", said=said)


def full(binary, folder, seconds):
    record = folder / "small"
    record.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", record], check=True)
    service, shipped = Service(binary, folder, record), folder / "shipped"
    shipped.mkdir()
    with servers.started(service):
        load(binary, service, seconds)
        servers.wait_for("a full disk", lambda: service.counted()["disk"] > 0)
        first = service.settled()
        # There is room again, as after shipping.
        for file in record.glob("*.ndjson"):
            shutil.move(file, shipped)
        time.sleep(1.1)
        load(binary, service, 1, RATE)
        ledger = service.settled()
        assert service.terminate() == 0
    check(record, ledger, shipped)
    servers.verdict("disk full", ledger["written"] > first["written"] > 0 and set(ledger["lost"]) <= {"disk", "queue"}, **ledger)


def removed(binary, folder, seconds):
    record, aside = folder / "removed", folder / "aside"
    service = Service(binary, folder, record)
    with servers.started(service):
        timer = threading.Timer(seconds / 2, lambda: record.rename(aside))
        timer.start()
        load(binary, service, seconds)
        timer.join()
        ledger = service.settled()
        assert service.terminate() == 0
    record.mkdir()
    check(record, ledger, aside)
    servers.verdict("folder removed", ledger["lost"].get("disk", 0) > 0, **ledger)


def slow(binary, folder, seconds):
    record = folder / "slow"
    service = Service(binary, folder, record)
    with servers.started(service):
        tasks = Path(f"/proc/{service.process.pid}/task").iterdir()
        thread = next(task.name for task in tasks if (task / "comm").read_text().strip() == "record")
        strace = servers.Process("strace", folder)
        strace.spawn(["strace", "-o", "/dev/null", "-p", thread, "-e", "trace=write,fdatasync", "-e", "inject=write,fdatasync:delay_enter=300000"])
        try:
            servers.wait_for("strace", lambda: "attached" in strace.log())
            load(binary, service, seconds)
        finally:
            strace.terminate()
        ledger = service.settled()
        assert service.terminate() == 0
    check(record, ledger)
    servers.verdict("slow disk", ledger["lost"].get("queue", 0) > 0, **ledger)


def main():
    binary = Path(sys.argv[1]).resolve()
    seconds, turns = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in [(2, 15), (3, 3)])
    with servers.folder("recorder") as folder:
        figures = measure(binary, folder, seconds, turns)
        servers.verdict("recording", True, without=figures[False], recording=figures[True])
        replay(binary, folder)
        full(binary, folder, min(seconds, 5))
        removed(binary, folder, min(seconds, 5))
        slow(binary, folder, min(seconds, 5))


main()
