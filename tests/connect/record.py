#!/usr/bin/env python3
"""The record's ledger: answered rows = rows in ClickHouse + rows counted as lost, while service, shipper and ClickHouse are killed again and again.

    tests/connect/record.py PICK_REGNO CONNECT [SECONDS [ROWS_PER_SECOND]]

Each request is an array of ten rows with an id of its own. After each kill -9 of the service, its ledger file says how many rows it had given a
number. Exits with 1 where a row is missing without being counted, or is there twice.
"""

import contextlib
import http.client
import json
import random
import struct
import sys
import threading
import time
from pathlib import Path

import servers

ROWS = 10
CLIENTS = 8
# Where a ledger file has its counts: src/recorder/ledger.rs.
GIVEN, LOST = 0, [512, 640, 768]


class Service(servers.Process):
    def __init__(self, binary, folder, record):
        super().__init__("service", folder)
        self.binary, self.record, self.port, self.admin = binary, record, servers.free_port(), servers.free_port()
        # Over all lives.
        self.given = self.lost = 0

    def start(self):
        self.spawn([self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}", "--record", self.record,
                    "--record-plates", "plain", "--log-sample", "0"])
        servers.wait_for("the service", lambda: servers.get(f"http://127.0.0.1:{self.admin}/readyz")[0] == 200)
        self.lost += self.counted("killed")
        return self

    def counted(self, reason):
        return int(servers.metrics(self.admin)[f'pick_regno_record_rows_lost_total{{reason="{reason}"}}'])

    def account(self):
        """Adds up what the files of processes that are gone say; the next start counts what is missing besides."""
        for file in self.record.glob("*.ledger"):
            page = file.read_bytes()
            self.given += struct.unpack_from("=Q", page, GIVEN)[0]
            self.lost += sum(struct.unpack_from("=Q", page, place)[0] for place in LOST)


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


def main():
    binary, connect = (Path(path).resolve() for path in sys.argv[1:3])
    seconds, rate = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in [(3, 60), (4, 5_000)])
    cases = [json.loads(line) for line in servers.CASES.read_text(encoding="utf-8").splitlines()]
    with servers.folder("record") as folder:
        clickhouse, record = servers.ClickHouse(folder), folder / "records"
        service = Service(binary, folder, record)
        shipper = servers.Process("shipper", folder)

        def ship():
            shipper.spawn([connect, "ship", record, "--clickhouse", clickhouse.url, "--admin", "127.0.0.1:0"])

        shipper.start = ship
        with servers.started(clickhouse, service, shipper):
            clickhouse.script(servers.TOP / "deploy/clickhouse/tables.sql")
            until = time.monotonic() + seconds
            threads, answered = clients(service.port, until, rate, cases)
            kills = {"service": 0, "shipper": 0, "clickhouse": 0}
            while time.monotonic() < until - 4:
                time.sleep(random.uniform(1, 4))
                victim = random.choice([service, shipper, clickhouse])
                kills[victim.name] += 1
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
            servers.wait_for("the shipper", lambda: not list(record.glob("*.ndjson")), 120)
            assert service.terminate() == 0
            servers.wait_for("the shipper", lambda: not list(record.glob("*.ndjson")), 120)
            assert shipper.terminate() == 0
            rows, distinct, holes = map(int, clickhouse.ask(
                "SELECT count(), uniqExact(instance, seq), (SELECT sum(lost) FROM pick_regno.lost) FROM pick_regno.answers").split())
            there = dict(line.split("\t") for line in clickhouse.ask(
                "SELECT request_id, count() FROM pick_regno.answers GROUP BY request_id").splitlines())
            with contextlib.suppress(ValueError):
                replayed = clickhouse.ask("SELECT countIf(reinterpretAsUInt64(negative) != reinterpretAsUInt64(1 - positive)) FROM pick_regno.answers")
        missing = sum(ROWS - int(there.get(name, 0)) for name in answered)
        servers.verdict(
            "record", service.given == rows + service.lost and rows == distinct and missing <= service.lost and holes <= service.lost
            and replayed.strip() == "0",
            answered=len(answered) * ROWS, per_second=round(len(answered) * ROWS / seconds), given=service.given, stored=rows, distinct=distinct,
            lost=service.lost, answered_and_not_stored=missing, holes_in_sql=holes, kills=kills)


main()
