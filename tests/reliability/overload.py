"""Row 3: several times what the service can carry.

    python3 tests/reliability/overload.py          seconds
    LONG=1 python3 tests/reliability/overload.py   half a minute a step

Arrays of 100 requests, which cost the service far more than the client, sent by wrk: first by as many connections as
may be in flight (the peak), then by many more, each sending again as soon as it was refused. The service has one worker
on a core of its own, wrk the others.
"""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request

from service import BODY, KEY, LONG, REQUEST, Service, check, conditions

IN_FLIGHT = 16
SECONDS = 30 if LONG else 4


def wrk(service, script, connections):
    """Sends arrays as fast as answers come; what wrk counted: (answers, those that were not 2xx, socket errors)."""
    line = ["taskset", "-c", "1-%d" % (os.cpu_count() - 1)] if os.cpu_count() > 1 else []
    line += ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", script, f"{service.url}/reg/"]
    told = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout
    answers = int(re.search(r"(\d+) requests in", told)[1])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", told)
    return answers, int(refused[1]) if refused else 0, [int(count) for count in errors.groups()] if errors else []


def seconds_until_answered(service):
    """How long single requests, one after the other, are refused or late."""
    started = time.monotonic()
    request = urllib.request.Request(f"{service.url}/reg/", BODY, {"x-api-key": KEY, "content-type": "application/json"})
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    return time.monotonic() - started
        except OSError:
            time.sleep(0.01)
    return float("inf")


def main():
    print(conditions())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        body = json.dumps([REQUEST] * 100, ensure_ascii=False).replace("]]", "] ]")
        script.write(f'wrk.method = "POST"\nwrk.headers["x-api-key"] = "{KEY}"\n')
        script.write(f'wrk.headers["content-type"] = "application/json"\nwrk.body = [==[{body}]==]\n')
        script.flush()
        with Service("--workers", "1", "--max-in-flight", str(IN_FLIGHT)) as service:
            os.sched_setaffinity(service.process.pid, {0})
            answers, refused, errors = wrk(service, script.name, IN_FLIGHT)
            peak = (answers - refused) / SECONDS
            print(f"peak: {peak:.0f} arrays/s on {IN_FLIGHT} connections, {refused} refused, errors {errors}")
            before = service.answered()
            answers, refused, errors = wrk(service, script.name, 8 * IN_FLIGHT)
            after = {status: count - before.get(status, 0) for status, count in service.answered().items()}
            goodput = (answers - refused) / SECONDS
            print(f"offered {answers / SECONDS / peak:.1f} times that: {goodput:.0f} arrays/s answered "
                  f"({goodput / peak:.0%} of the peak), {refused / SECONDS:.0f}/s refused, errors {errors}")
            print(f"the service counted {after}")
            check(set(after) <= {200, 503}, "what was not answered was refused with 503")
            # wrk ends in the middle of what its connections wait for.
            check(0 <= after[503] - refused <= 8 * IN_FLIGHT, f"{refused} refusals reached the client")
            check(seconds_until_answered(service) < 5, "answers as ever within 5 s of it")


main()
