"""Asks a server with `wrk` (Debian package `wrk`), which sends given bodies in turn."""

import re
import resource
import subprocess
import sys
import time
import urllib.request
from typing import NamedTuple

KEY = "123321"
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Asked(NamedTuple):
    rate: float
    median: float
    requests: int
    busy: float


def lua(bodies):
    """A wrk script that sends the bodies in turn; their heads are made once, before the clock starts."""
    quoted = ",\n".join("[==[" + body + "]==]" for body in bodies)
    return f"""
local bodies = {{ {quoted} }}
local requests, at = {{}}, 0
init = function()
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format("POST", "/reg/", {{["Content-Type"] = "application/json", ["x-api-key"] = "{KEY}"}}, body)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def wait(port):
    """Waits until something answers on the port."""
    until = time.monotonic() + 30
    while True:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"x-api-key": KEY})
            return urllib.request.urlopen(request, timeout=1).read()
        except OSError:
            if time.monotonic() > until:
                sys.exit(f"nothing answers on port {port}")
            time.sleep(0.05)


def ask(port, script, connections, seconds, cores):
    """Requests a second, the median latency in seconds, how many requests there were, and what share of a core wrk was
    busy; it is pinned to the cores."""
    command = [
        "taskset", "-c", cores, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script,
        f"http://127.0.0.1:{port}/reg/",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"errors under load:\n{text}")
    median, unit = re.search(r"50%\s+([\d.]+)([a-z]+)", text).groups()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Asked(rate, float(median) * UNITS[unit], requests, busy * rate / requests)
