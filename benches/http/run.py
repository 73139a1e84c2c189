"""Measures the service's HTTP against the floor (`floor.rs`), turn by turn in one run: `python3 benches/http/run.py`.

Both servers are pinned to one core with one worker, the load generator to the other cores. Throughput comes from `wrk`
(Debian package `wrk`), at 1, 16, 64 and 1,000 connections; latency percentiles and CPU time come from
`pick-regno load` at 500 requests/s, open loop. Every figure is a median over the rounds, and a ratio beside it.

    --rounds N     turns of each server at each number of connections (default 5)
    --seconds S    of each turn (default 5)
    --latency S    seconds of each turn at 500 requests/s (default 30; 0 leaves that part out)
    --service FILE the service's binary (default: built here, `cargo build --release`)
    --connections  other numbers of connections than these
    --plot FILE    draws throughput against connections, as SVG (needs matplotlib)
"""

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from wrk import KEY, ask, lua, wait

TOP = Path(__file__).resolve().parents[2]
DATA = TOP / "fixtures" / "test_data.csv"
CONNECTIONS = [1, 16, 64, 1000]
SERVICE_PORT, ADMIN_PORT, FLOOR_PORT = 15000, 15001, 15002


def build():
    command = ["cargo", "build", "--release", "--quiet", "--bin", "pick-regno", "--example", "floor"]
    subprocess.run(command, cwd=TOP, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")) / "release"
    return target / "pick-regno", target / "examples" / "floor"


def requests():
    """The rows of the test data as bodies of requests."""
    with open(DATA, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {"recognition_accuracy", "afts_regno_ai_score", "direction"}
    return [
        json.dumps({name: float(value) if name in numbers else value for name, value in row.items()}, ensure_ascii=False)
        for row in rows
    ]


def cpu_seconds(pid):
    """CPU seconds that a process has had, its own and the kernel's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def latency(service, port, pid, seconds, cores, checked):
    before = sum(cpu_seconds(pid))
    command = [
        "taskset", "-c", cores, str(service), "load", str(DATA), "--url", f"http://127.0.0.1:{port}/reg/",
        "--rate", "500", "--duration", f"{seconds}s", "--connections", "8", "--json",
    ]
    env = dict(os.environ, PICK_REGNO_API_KEYS=KEY)
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if checked and done.returncode != 0:
        sys.exit(f"the load generator found something wrong:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout), (sum(cpu_seconds(pid)) - before) / seconds


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--latency", type=int, default=30)
    parser.add_argument("--service", type=Path)
    parser.add_argument("--connections", default=CONNECTIONS, type=lambda text: [int(count) for count in text.split(",")])
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    service, floor = build()
    service = args.service or service
    cores = ",".join(str(core) for core in range(1, os.cpu_count()))
    env = dict(os.environ, PICK_REGNO_API_KEYS=KEY)
    started = {}
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(lua(requests()))
        script.flush()
        commands = {
            "service": [
                service, "serve", "--listen", f"127.0.0.1:{SERVICE_PORT}", "--admin", f"127.0.0.1:{ADMIN_PORT}",
                "--workers", "1",
            ],
            "floor": [floor, f"127.0.0.1:{FLOOR_PORT}"],
        }
        ports = {"service": SERVICE_PORT, "floor": FLOOR_PORT}
        try:
            for name, command in commands.items():
                pinned = ["taskset", "-c", "0", *map(str, command)]
                started[name] = subprocess.Popen(pinned, env=env, stderr=subprocess.DEVNULL)
                wait(ports[name])
            rows, costs, rates = [], [], {name: [] for name in commands}
            for connections in args.connections:
                figures = {name: [] for name in commands}
                spent = {name: [] for name in commands}
                for _ in range(args.rounds):
                    for name in commands:
                        before = cpu_seconds(started[name].pid)
                        asked = ask(ports[name], script.name, connections, args.seconds, cores)
                        after = cpu_seconds(started[name].pid)
                        figures[name].append(asked.rate)
                        own, kernel = [(end - start) / asked.requests for start, end in zip(before, after)]
                        spent[name].append((own, kernel, asked.busy))
                for name, found in spent.items():
                    own, kernel, busy = [statistics.median(turns) for turns in zip(*found)]
                    costs.append([
                        str(connections), name, f"{own * 1e6:.2f}", f"{kernel * 1e6:.2f}", f"{(own + kernel) * 1e6:.2f}", f"{busy:.0%}",
                    ])
                for name, found in figures.items():
                    rates[name].append(statistics.median(found))
                ratios = [ours / theirs for ours, theirs in zip(figures["service"], figures["floor"])]
                rows.append([
                    str(connections), f"{rates['service'][-1]:,.0f}", f"{rates['floor'][-1]:,.0f}",
                    f"{statistics.median(ratios):.0%}",
                    f"{min(ratios):.0%}–{max(ratios):.0%}", f"{rss_kib(started['service'].pid) / 1024:.1f} MiB",
                ])
            table(["connections", "service, requests/s", "floor, requests/s", "ratio", "from–to", "service's RSS"], rows)
            table(["connections", "CPU µs a request", "its own", "the kernel's", "together", "wrk's core busy"], costs)
            if args.plot:
                sys.path.append(str(TOP / "benches"))
                from plot import draw

                draw(args.plot, "connections", "requests/s on one core", args.connections, rates)
            if args.latency:
                rows = []
                for _ in range(max(1, args.rounds // 2)):
                    for name in commands:
                        found, cpu = latency(
                            service, ports[name], started[name].pid, args.latency, cores, name == "service"
                        )
                        rows.append([name, *(f"{found['latency_us'][key]:,.0f}" for key in ("p50", "p99", "p999")), f"{cpu:.2%}"])
                table(["500 requests/s", "p50, µs", "p99, µs", "p99.9, µs", "CPU of one core"], rows)
        finally:
            for process in started.values():
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
