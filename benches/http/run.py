"""Measures the service's HTTP against the floor (`floor.rs`), turn by turn in one run: `python3 benches/http/run.py`.

Both servers are pinned to one core with one worker, the load generator to the other cores. Throughput comes from `wrk`
(Debian package `wrk`), at 1, 16, 64 and 1,000 connections; latency percentiles and CPU time come from
`pick-regno load` at 500 requests/s, open loop; there servers and load generator run before all else on the machine
(`chrt --fifo`), if they may. Every figure is a median over the rounds, and a ratio beside it.

    --rounds N     turns of each server at each number of connections (default 5)
    --seconds S    of each turn (default 5)
    --latency S    seconds of each turn at 500 requests/s (default 20; 0 leaves that part out)
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


def before_all_else():
    """What puts a command before all others of the machine; nothing if that is not allowed."""
    prefix = ["chrt", "--fifo", "10"]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else []


def latency(service, port, pid, seconds, cores, checked):
    """Microseconds by percentile, and CPU seconds a second, at 500 requests a second."""
    prefix = before_all_else()
    if prefix:
        subprocess.run(["chrt", "--fifo", "--all-tasks", "--pid", "10", str(pid)], check=True)
    before = sum(cpu_seconds(pid))
    command = [
        *prefix, "taskset", "-c", cores, str(service), "load", str(DATA), "--url", f"http://127.0.0.1:{port}/reg/",
        "--rate", "500", "--duration", f"{seconds}s", "--connections", "8", "--json",
    ]
    env = dict(os.environ, PICK_REGNO_API_KEYS=KEY)
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if checked and done.returncode != 0:
        sys.exit(f"the load generator found something wrong:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)["latency_us"] | {"CPU": (sum(cpu_seconds(pid)) - before) / seconds}


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
    parser.add_argument("--latency", type=int, default=20)
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
                if not before_all_else():
                    print("Others' work may stand in the way: chrt is not allowed, or not there.\n")
                turns = {name: [] for name in commands}
                for _ in range(args.rounds):
                    for name, found in turns.items():
                        found.append(
                            latency(service, ports[name], started[name].pid, args.latency, cores, name == "service")
                        )
                rows = []
                for name, found in turns.items():
                    for turn in found:
                        rows.append([name, *(f"{turn[key]:,.0f}" for key in ("p50", "p99", "p999")), f"{turn['CPU']:.2%}"])
                ratios = ["ratio, from–to"]
                for key in ("p50", "p99", "p999", "CPU"):
                    found = [ours[key] / theirs[key] for ours, theirs in zip(*turns.values())]
                    ratios.append(f"{statistics.median(found):.2f}, {min(found):.2f}–{max(found):.2f}")
                table(["500 requests/s", "p50, µs", "p99, µs", "p99.9, µs", "CPU of one core"], [*rows, ratios])
        finally:
            for process in started.values():
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
