#!/usr/bin/env python3
"""deploy/spark/score.py on a local cluster of two executors with a core each: equal bits, rows per second per core, an executor killed meanwhile.

    tests/connect/spark.py PICK_REGNO [ROWS]

Spark is PySpark's from PyPI. Exits with 1 where the output is not the input in its order with the program's own answers, byte for byte.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import servers

JOB = servers.TOP / "deploy/spark/score.py"
EXECUTORS = 2


def submit(binary, source, target, log):
    submit = Path(sys.executable).parent / "spark-submit"
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with open(log, "wb") as errors:
        return subprocess.Popen(
            [submit, "--master", f"local-cluster[{EXECUTORS},1,1024]", "--conf", "spark.ui.enabled=false", "--files", binary, JOB, source, target, "16"],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=log.parent, start_new_session=True)


def processes():
    """Parent and command line of every process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = parent, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass
    return found


def busy_executor(driver):
    """The executor of `driver` above a process of the program; None if none is at work."""
    found = processes()
    for pid, (_, command) in found.items():
        if command.startswith("./pick-regno score"):
            executor = None
            while pid in found and pid != driver:
                pid, command = found[pid]
                if "CoarseGrainedExecutorBackend" in found.get(pid, (0, ""))[1]:
                    executor = pid
            if executor and pid == driver:
                return executor
    return None


def finish(job, target):
    try:
        out = job.communicate(timeout=900)[0]
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 0, f"spark-submit: exit code {job.returncode}"
    lines = (line for part in sorted(target.glob("part-*")) for line in open(part, encoding="utf-8"))
    return float(re.search(r"seconds: ([\d.]+)", out)[1]), lines


def main():
    binary, rows = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    cases = [json.loads(line)["request"] for line in servers.CASES.read_text(encoding="utf-8").splitlines()]
    requests = [json.dumps(request, ensure_ascii=False) for request in cases] + ["{}"]
    text = "\n".join(requests) + "\n"
    answers = subprocess.run([binary, "score"], input=text, capture_output=True, text=True, check=False).stdout.splitlines()
    # An error names its line: of the partition, which only its length tells.
    expected = [f'{{"request":{request},{answer[1:]}\n' for request, answer in zip(requests[:-1], answers)]
    bad = len(requests) - 1

    def equal(lines):
        count = right = 0
        for count, line in enumerate(lines, 1):
            which = (count - 1) % len(requests)
            right += line.startswith('{"request":{},"error":"line ') if which == bad else line == expected[which]
        return count == right == rows

    with servers.folder("spark") as folder:
        program = folder / "pick-regno"
        program.write_bytes(binary.read_bytes())
        source = folder / "requests.ndjson"
        with open(source, "w", encoding="utf-8") as file:
            for number in range(rows):
                file.write(requests[number % len(requests)] + "\n")
                if number % 1000 == 0:
                    file.write("\n")
        seconds, lines = finish(submit(program, source, folder / "one", folder / "one.log"), folder / "one")
        servers.verdict("spark", equal(lines), rows=rows, seconds=round(seconds, 1), rows_per_second_per_core=round(rows / seconds / EXECUTORS))

        job = submit(program, source, folder / "two", folder / "two.log")
        killed = None
        while job.poll() is None and not killed:
            killed = busy_executor(job.pid)
            time.sleep(0.05)
        if killed:
            os.kill(killed, signal.SIGKILL)
        seconds, lines = finish(job, folder / "two")
        log = (folder / "two.log").read_text(encoding="utf-8", errors="replace")
        servers.verdict("spark, an executor killed", equal(lines) and killed and "Lost executor" in log, rows=rows, seconds=round(seconds, 1),
                        executors_lost=len(set(re.findall(r"Lost executor (\d+)", log))))


main()
