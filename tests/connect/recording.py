"""A service that records, a shipper, and what a folder of records holds: shared by record.py and recorder.py."""

import json
import os
import struct

import servers

# Where a ledger file has its counts: src/recorder/ledger.rs.
GIVEN, LOST = 0, [512, 640, 768]
REASONS = ["queue", "limit", "disk", "killed"]


class Service(servers.Process):
    """`pick-regno serve`, with `--record` unless `record` is None."""

    def __init__(self, binary, folder, record, *flags):
        super().__init__("service", folder)
        self.binary, self.record, self.flags = binary, record, flags
        self.port, self.admin = servers.free_port(), servers.free_port()
        # Over all lives.
        self.given = self.lost = 0

    def start(self):
        record = ["--record", self.record] if self.record else []
        self.spawn([self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}", "--log-sample", "0",
                    *record, *self.flags])
        servers.wait_for("the service", lambda: servers.get(f"http://127.0.0.1:{self.admin}/readyz")[0] == 200)
        if self.record:
            self.lost += self.counted()["killed"]
        return self

    def counted(self):
        """Rows that were lost, by reason."""
        page = servers.metrics(self.admin)
        return {reason: int(page[f'pick_regno_record_rows_lost_total{{reason="{reason}"}}']) for reason in REASONS}

    def settled(self):
        """Waits until every row is in a complete segment or lost; the rows that were given a `seq`, written and lost."""
        found = {}

        def is_settled():
            page = servers.metrics(self.admin)
            found["given"] = int(page["pick_regno_record_rows_total"])
            found["written"] = int(page["pick_regno_record_rows_written_total"])
            found["lost"] = {reason: count for reason, count in self.counted().items() if count}
            return found["given"] == found["written"] + sum(found["lost"].values())

        servers.wait_for("the recorder", is_settled)
        return found

    def account(self):
        """Adds up what the files of processes that are gone say; the next start counts what is missing besides."""
        for file in self.record.glob("*.ledger"):
            page = file.read_bytes()
            self.given += struct.unpack_from("=Q", page, GIVEN)[0]
            self.lost += sum(struct.unpack_from("=Q", page, place)[0] for place in LOST)

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        """Resident MiB, without pages of the program's file."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["RssAnon"].split()[0]) / 1024


class Shipper(servers.Process):
    """`pick-regno-connect ship`."""

    def __init__(self, binary, folder, record, flags, env=None):
        super().__init__("shipper", folder, env)
        self.command = [binary, "ship", record, *flags, "--admin", "127.0.0.1:0"]

    def start(self):
        return self.spawn(self.command)


def rows(*folders):
    """(instance, seq) of all rows in complete segments."""
    found = []
    for folder in folders:
        for file in sorted(folder.glob("*.ndjson")):
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                found.append((row["instance"], row["seq"]))
    return found
