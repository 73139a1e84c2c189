"""What the scripts of this folder measure with: a benchmark built around a model, criterion's times, calls of Python."""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def existing(text):
    """The path of a file that is there, for argparse: what is measured takes minutes to build."""
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


def build(bench, **environment):
    """Builds a benchmark; the path of the program."""
    command = ["cargo", "bench", "--quiet", "--no-run", "--message-format", "json", "-p", "benches", "--bench", bench]
    out = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == bench)


class Criterion:
    """The times of a benchmark that criterion takes: the least sample of each, over all turns."""

    def __init__(self, program, seconds=1.0, only="", **environment):
        # Few resamples: nobody looks at the confidence intervals.
        self.command = [program, "--bench", "--warm-up-time", "0.3", "--measurement-time", str(seconds), "--nresamples", "1000"]
        self.command += [only] if only else []
        self.environment = {**os.environ, **environment}
        self.least = {}

    def turn(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {**self.environment, "CRITERION_HOME": home}
            done = subprocess.run(self.command, cwd=ROOT, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{self.command[0]} ended with {done.returncode}:\n{done.stderr}")
            for about in Path(home).glob("**/new/benchmark.json"):
                benchmark = json.loads(about.read_text())
                sample = json.loads(about.with_name("sample.json").read_text())
                rows = benchmark["throughput"]["Elements"]
                least = min(time / count for time, count in zip(sample["times"], sample["iters"])) / rows
                name = benchmark["function_id"]
                self.least[name] = min(least, self.least.get(name, least))

    def nanoseconds(self):
        """By benchmark, of a row."""
        return self.least


class Calls:
    """The least time of each of a few calls of Python, over all turns."""

    def __init__(self, calls, rows, seconds=1.0):
        self.calls, self.rows, self.seconds = calls, rows, seconds
        self.least = [float("inf")] * len(calls)

    def turn(self):
        end = time.perf_counter() + self.seconds
        while True:
            for index, call in enumerate(self.calls):
                begun = time.perf_counter()
                call()
                self.least[index] = min(self.least[index], time.perf_counter() - begun)
            if time.perf_counter() > end:
                return

    def nanoseconds(self):
        """Of a row."""
        return sum(self.least) * 1e9 / self.rows


def table(head, rows):
    """Prints a table in Markdown: the first column is text, the others are numbers."""
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)
