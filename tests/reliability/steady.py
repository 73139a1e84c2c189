"""Row 1: 500 requests a second, open loop; row 2: as many as 64 connections carry; and the memory of both.

    python3 tests/reliability/steady.py            seconds
    LONG=1 python3 tests/reliability/steady.py     ten minutes, and one

The requests are sent by `pick-regno load`, which compares every answer with what the model in its own binary says.
Durations are printed and decide nothing here: they are the machine's as much as the service's.
"""

from service import LONG, Service, check, conditions, ledger, load


def report(name, told):
    latencies = sorted(told["latency_us"].items(), key=lambda pair: pair[1])
    print(f"{name}: " + ", ".join(f"{key} {value / 1000:.3f} ms" for key, value in latencies), flush=True)


def main():
    print(conditions())
    with Service() as service:
        print(f"RSS idle: {service.rss() / 2**20:.1f} MiB")
        for name, flags, seconds in [
            ("500/s on 16 connections", ["--rate", "500"], 600 if LONG else 5),
            ("as fast as 64 connections go", ["--connections", "64"], 60 if LONG else 5),
        ]:
            before, cpu = service.answered(), service.cpu()
            told = load(service, *flags, "--duration", f"{seconds}s")
            print(f"{name}: {told['sent'] / seconds:.0f}/s, {service.cpu() - cpu:.2f} s of CPU in {seconds} s, "
                  f"RSS {service.rss() / 2**20:.1f} MiB, {service.fds()} file descriptors")
            report(name, told)
            check(told["right"] == told["sent"] > 0, f"{name}: {told['sent']} sent, {told['right']} answered right")
            ledger(service, before, {200: told["right"]})


main()
