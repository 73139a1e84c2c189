"""Row 4: 500 requests a second for an hour; memory and file descriptors stay flat.

    python3 tests/reliability/soak.py            seconds
    LONG=1 python3 tests/reliability/soak.py     an hour

The service is looked at from outside, sixty times in the run. What it holds is compared with what it held when a tenth
of the run was over: until then its connections and buffers are made.
"""

import threading
import time

from service import LONG, Service, check, conditions, ledger, load

SECONDS = 3600 if LONG else 10
SAMPLES = 60
MOST_GROWTH = 1 << 20


def watch(service, stop, samples):
    while not stop.wait(SECONDS / SAMPLES):
        samples.append((time.monotonic(), service.rss(), service.fds()))


def main():
    print(conditions())
    with Service() as service:
        before, samples, stop = service.answered(), [], threading.Event()
        watcher = threading.Thread(target=watch, args=(service, stop, samples))
        watcher.start()
        told = load(service, "--rate", "500", "--duration", f"{SECONDS}s")
        stop.set()
        watcher.join()
        settled = samples[len(samples) // 10 :]
        # The last sample may be of a moment at which the connections are closed already.
        rss = [rss for _, rss, _ in settled[:-1]]
        fds = [fds for _, _, fds in settled[:-1]]
        print(f"{told['sent']} requests in {SECONDS} s; RSS {min(rss) / 2**20:.2f} to {max(rss) / 2**20:.2f} MiB, "
              f"{min(fds)} to {max(fds)} file descriptors")
        check(told["right"] == told["sent"] > 0, f"{told['sent']} sent, {told['right']} answered right")
        ledger(service, before, {200: told["right"]})
        check(max(rss) - rss[0] <= MOST_GROWTH, f"RSS grew by {(max(rss) - rss[0]) / 2**10:.0f} KiB")
        check(max(fds) == min(fds), "the number of file descriptors stayed the same")


main()
