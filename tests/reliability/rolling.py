"""Rolling restarts behind each proxy: `tests/python.sh reliability/rolling.py`, or python3.

Two instances behind a proxy are restarted one after the other, by SIGTERM, while 600 requests a second go through it. Behind proxies that
ask /readyz nothing may fail; LONG=1 also holds them to a p99 of 50 ms, and shows the others. `rolling.py NAME...` runs the proxies
of these names alone.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "proxies"))

import front  # noqa: E402
from service import KEY, LONG, ROOT, Service, binary, check, conditions, left_out  # noqa: E402

RATE = 600
SECONDS = 10
# Instances have the same ports on addresses of their own, as pods have.
HOSTS = ("127.0.0.1", "127.0.0.2")
CHECKED = [name for name in front.PROXIES if "checks" in name]


def free_ports():
    """Two ports that are free on both addresses."""
    while True:
        port, admin = front.free_port(), front.free_port()
        try:
            for host in HOSTS:
                for number in (port, admin):
                    with socket.socket() as probe:
                        probe.bind((host, number))
            return port, admin
        except OSError:
            pass


def start(host, ports, delay):
    return Service("--drain-delay", delay, addresses=[f"{host}:{port}" for port in ports])


def through(name, delay):
    """The report of `pick-regno load`, and the exit codes of those that were stopped."""
    ports, codes = free_ports(), []
    services = [start(host, ports, delay) for host in HOSTS]
    try:
        upstreams, admins = ([(host, port) for host in HOSTS] for port in ports)
        with front.proxy(name, upstreams, admins) as port:
            line = [
                *(binary(), "load", "--json", "--url", f"http://127.0.0.1:{port}/reg/", "--rate", str(RATE), "--connections", "8"),
                *("--duration", f"{SECONDS}s", str(ROOT / "fixtures/test_data.csv")),
            ]
            load = subprocess.Popen(line, stdout=subprocess.PIPE, env={**os.environ, "PICK_REGNO_API_KEYS": KEY})
            time.sleep(1)
            for nth, host in enumerate(HOSTS):
                services[nth].process.send_signal(signal.SIGTERM)
                codes.append(services[nth].process.wait(20))
                time.sleep(0.3)
                services[nth] = start(host, ports, delay)
                time.sleep(1.2)
            report = json.loads(load.communicate()[0])
    finally:
        for service in services:
            service.__exit__()
    return report, codes


def main():
    print(conditions())
    wanted = sys.argv[1:] or (front.PROXIES if LONG else CHECKED)
    names = [name for name in wanted if front.is_installed(name)]
    left_out([name for name in wanted if name not in names], "since they are not installed")
    print("| proxy | `--drain-delay` | sent | right | refused | failed | p99 | longest |\n| --- | --- | --: | --: | --: | --: | --: | --: |")
    wrong = {}
    for name in names:
        for delay in ("2s",) if name in CHECKED or not LONG else ("0s", "2s"):
            report, codes = through(name, delay)
            latency = report["latency_us"]
            refused, failed = (sum(report[kind].values()) for kind in ("refused", "failed"))
            lost = refused + failed + report["unsent"]
            print(
                f"| {name} | {delay} | {report['sent']} | {report['right']} | {refused} | {failed} | "
                f"{latency['p99'] / 1e3:.1f} ms | {latency['max'] / 1e3:.0f} ms |",
                flush=True,
            )
            if name in CHECKED and (lost or (LONG and latency["p99"] > 50_000)):
                wrong[name] = report["refused"], report["failed"], report["unsent"], latency["p99"]
            if codes != [0, 0] or report["wrong"]:
                wrong[name] = codes, report["wrong"]
    check(not wrong, f"behind proxies that ask /readyz nothing fails, and each exit is 0: {wrong}")


main()
