"""Where a shipper brings rows, and what is there in the end: ClickHouse, S3, MongoDB."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pymongo
import servers


class ClickHouse(servers.ClickHouse):
    """The tables of deploy/clickhouse."""

    flags = property(lambda self: ["--clickhouse", self.url])
    environment = None

    def start(self):
        super().start()
        if not self.ask("EXISTS pick_regno.answers").startswith("1"):
            self.script(servers.TOP / "deploy/clickhouse/tables.sql")
        return self

    def disturb(self):
        """kill -9, and again with the same data."""
        self.kill()
        self.start()

    def rows(self):
        """Number of rows, of different ones, of holes in `seq`; rows by request."""
        count, distinct, holes = map(int, self.ask(
            "SELECT count(), uniqExact(instance, seq), (SELECT sum(lost) FROM pick_regno.lost) FROM pick_regno.answers").split())
        wrong = self.ask("SELECT countIf(reinterpretAsUInt64(negative) != reinterpretAsUInt64(1 - positive)) FROM pick_regno.answers")
        assert wrong.strip() == "0", "probabilities lost bits on their way"
        there = dict(line.split("\t") for line in self.ask(
            "SELECT request_id, count() FROM pick_regno.answers GROUP BY request_id").splitlines())
        return count, distinct, holes, {name: int(rows) for name, rows in there.items()}

    def exported(self, what, condition):
        """What deploy/clickhouse/export.sh writes."""
        script = servers.TOP / "deploy/clickhouse/export.sh"
        environment = {**os.environ, "CLICKHOUSE": self.url}
        return subprocess.run([script, what, condition], env=environment, capture_output=True, text=True, check=True).stdout

    def round_trip(self, binary):
        """Rows of the table as cases, which the program replays to the bit, and with the truth as training data."""
        self.ask("INSERT INTO pick_regno.truth (request_id, row, network_is_right) SELECT request_id, row, seq % 2 FROM pick_regno.answers WHERE seq < 100")
        cases = self.folder / "cases.ndjson"
        cases.write_text(self.exported("cases", "seq < 100"), encoding="utf-8")
        said = subprocess.run([binary, "check", cases], capture_output=True, text=True, check=False).stdout.splitlines()[-1]
        count = len(cases.read_text(encoding="utf-8").splitlines())
        rows = [json.loads(line) for line in self.exported("training", "1").splitlines()]
        assert count > 0 and said == f"{count} cases, 0 differ", said
        assert len(rows) == count and {row["label"] for row in rows} == {0, 1} and all(len(row["request"]) == 10 for row in rows)
        assert len(self.exported("requests", "seq < 100").splitlines()) == count


def tally(keys, requests):
    """The same from lists of (instance, seq) and of request ids."""
    greatest = {}
    for instance, seq in keys:
        greatest[instance] = max(seq, greatest.get(instance, -1))
    distinct = len(set(keys))
    return len(keys), distinct, sum(greatest.values()) + len(greatest) - distinct, collections.Counter(requests)


class S3(servers.Process):
    """A bucket of moto's server. It does not check the signature in an address, and keeps objects in memory: it is stopped for a while, not killed."""

    environment = {"AWS_ACCESS_KEY_ID": "shipper", "AWS_SECRET_ACCESS_KEY": "secret"}

    def __init__(self, folder):
        super().__init__("s3", Path(folder) / "s3")
        self.port = servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    flags = property(lambda self: ["--s3", f"{self.url}/records/cameras"])

    def client(self):
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    def start(self):
        self.spawn([Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", self.port])
        servers.wait_for("s3", lambda: servers.get(f"{self.url}/moto-api/")[0] == 200)
        self.client().create_bucket(Bucket="records")
        return self

    def disturb(self):
        """Does not answer for a while."""
        self.signal(signal.SIGSTOP)
        time.sleep(random.uniform(0.5, 2))
        self.signal(signal.SIGCONT)

    def rows(self):
        bucket = self.client()
        keys, requests = [], []
        for page in bucket.get_paginator("list_objects_v2").paginate(Bucket="records"):
            for item in page.get("Contents", []):
                assert item["Key"].startswith("cameras/20"), item["Key"]
                for line in bucket.get_object(Bucket="records", Key=item["Key"])["Body"].read().splitlines():
                    row = json.loads(line)
                    keys.append((row["instance"], row["seq"]))
                    requests.append(row["request_id"])
        return tally(keys, requests)


class MongoDB(servers.Process):
    """secantusdb, which speaks MongoDB's wire protocol over WiredTiger. It is not mongod."""

    environment = None

    def __init__(self, folder):
        super().__init__("mongodb", Path(folder) / "mongodb")
        self.port = servers.free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    flags = property(lambda self: ["--mongodb", self.url])

    def client(self):
        return pymongo.MongoClient(self.url, serverSelectionTimeoutMS=2000)

    def start(self):
        self.spawn([Path(sys.executable).parent / "secantusd-py", "--host", "127.0.0.1", "--port", self.port, "--storage-path", self.folder / "data",
                    "--log-level", "ERROR", "--sync-on-commit"])

        def answers():
            try:
                with self.client() as client:
                    return client.admin.command("ping")["ok"] == 1
            except pymongo.errors.PyMongoError as why:
                raise OSError from why

        servers.wait_for("mongodb", answers)
        return self

    def disturb(self):
        """kill -9, and again with the same data."""
        self.kill()
        self.start()

    def rows(self):
        keys, requests = [], []
        with self.client() as client:
            for row in client.pick_regno.answers.find({}, {"request_id": 1, "char_scores": 1, "positive": 1, "negative": 1, "time": 1}):
                keys.append((row["_id"]["instance"], row["_id"]["seq"]))
                requests.append(row["request_id"])
                assert all(isinstance(score, float) for score in row["char_scores"]), "the vectors are doubles"
                assert row["negative"] == 1 - row["positive"], "probabilities lost bits on their way"
        return tally(keys, requests)


def named(name, folder):
    return {"clickhouse": ClickHouse, "s3": S3, "mongodb": MongoDB}[name](folder)
