#!/usr/bin/env python3
"""The record's ledger: answered rows = rows stored + rows counted as lost, while service, shipper and receiver are killed again and again.

    tests/connect/record.py PICK_REGNO CONNECT [SECONDS [ROWS_PER_SECOND [clickhouse | s3 | mongodb]]]

Each request is an array of ten rows with an id of its own. After each kill -9 of the service, its ledger file says how many rows it had given a
number. Exits with 1 where a row is missing without being counted, or is there twice. receivers.py says what stands for S3 and for MongoDB, and how
each is disturbed.
"""

import http.client
import json
import random
import sys
import threading
import time
from pathlib import Path

import receivers
import servers
from recording import Service, Shipper

ROWS = 10
CLIENTS = 8


def clients(port, until, rate, cases):
    """Sends until then; the ids of the requests that were answered."""
    answered, lock = [], threading.Lock()
    body = {n: json.dumps([case["request"] for case in cases[n:n + ROWS]]).encode() for n in range(len(cases) - ROWS)}

    def run(client):
        connection, number = None, 0
        begun = time.monotonic()
        while time.monotonic() < until:
            ahead = begun + number * ROWS * CLIENTS / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            name = f"{client}-{number}"
            number += 1
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("POST", "/reg/", body[number % len(body)], {"Content-Type": "application/json", "X-Request-Id": name})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    with lock:
                        answered.append(name)
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.01)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads, answered


def drain(record, shipper, receiver):
    """Waits until all complete segments are shipped. Returns how often the receiver had to be started again for that.

    ClickHouse's listener is a library in a Python process; on rare occasions it stops answering. The shipper must then say so, and go on later."""
    restarts, waiting, since, said = 0, None, time.monotonic(), len(shipper.log())
    while segments := list(record.glob("*.ndjson")):
        assert shipper.process.poll() is None, "the shipper has ended"
        if len(segments) != waiting:
            waiting, since, said = len(segments), time.monotonic(), len(shipper.log())
        if time.monotonic() - since > 70:
            assert "cannot ship" in shipper.log()[said:], "the shipper hangs: each attempt ends within 60 s"
            assert restarts < 3, "the shipper: nothing is taken"
            print("the receiver takes nothing, and is started again", file=sys.stderr)
            for process in (shipper, receiver):
                servers.print_end(process.folder / f"{process.name}.log")
            restarts += 1
            receiver.kill()
            receiver.start()
            since, said = time.monotonic(), len(shipper.log())
        time.sleep(0.05)
    return restarts


def main():
    binary, connect = (Path(path).resolve() for path in sys.argv[1:3])
    seconds, rate = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in [(3, 60), (4, 5_000)])
    kind = sys.argv[5] if len(sys.argv) > 5 else "clickhouse"
    cases = [json.loads(line) for line in servers.CASES.read_text(encoding="utf-8").splitlines()]
    with servers.folder("record") as folder:
        record, receiver = folder / "records", receivers.named(kind, folder)
        service = Service(binary, folder, record, "--record-plates", "plain")
        with servers.started(receiver, service):
            shipper = Shipper(connect, folder, record, receiver.flags, receiver.environment)
            with servers.started(shipper):
                until = time.monotonic() + seconds
                threads, answered = clients(service.port, until, rate, cases)
                # Each is disturbed once, then at random.
                victims = [service, shipper, receiver]
                disturbed = dict.fromkeys([victim.name for victim in victims], 0)
                while time.monotonic() < until - 4:
                    victim = next((one for one in victims if not disturbed[one.name]), None)
                    time.sleep(random.uniform(0.5, 1.5) if victim else random.uniform(1, 4))
                    victim = victim or random.choice(victims)
                    disturbed[victim.name] += 1
                    if victim is receiver:
                        receiver.disturb()
                        continue
                    victim.kill()
                    if victim is service:
                        service.account()
                    victim.start()
                for thread in threads:
                    thread.join()
                service.kill()
                service.account()
                # Settles what the last one left, and records nothing itself.
                service.start()
                restarts = drain(record, shipper, receiver)
                assert service.terminate() == 0
                restarts += drain(record, shipper, receiver)
                assert shipper.terminate() == 0
            stored, distinct, holes, there = receiver.rows()
            if kind == "clickhouse":
                receiver.round_trip(binary)
        missing = sum(ROWS - there.get(name, 0) for name in answered)
        servers.verdict(
            f"record to {kind}", service.given == stored + service.lost and stored == distinct and missing <= service.lost and holes <= service.lost
            and stored > 0, answered=len(answered) * ROWS, per_second=round(len(answered) * ROWS / seconds), given=service.given, stored=stored,
            distinct=distinct, lost=service.lost, answered_and_not_stored=missing, holes_in_seq=holes, disturbed=disturbed,
            restarts=restarts)


main()
