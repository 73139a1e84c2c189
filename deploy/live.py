"""The test that `live.sh` runs: the service, load, Prometheus, and every query of the dashboard and the rules."""

import contextlib
import http.client
import json
import math
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
DASHBOARD = json.loads((HERE / "grafana/dashboards/pick-regno.json").read_text(encoding="utf-8"))
KEY = "123321"
RATE = 500
SECONDS = 45
# What Grafana would put in. Prometheus scrapes every second here, so that ten of them have samples enough.
VARIABLES = {"$__rate_interval": "10s", "$instance": ".*"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_ready(what, process, port, path):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit(f"{what} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            if ask(port, "GET", path)[0] == 200:
                return
        time.sleep(0.1)
    sys.exit(f"{what} was not ready within 30 s")


@contextlib.contextmanager
def running(what, command, port, path, log, env=None):
    """A process that answers 200 at a path, ended afterwards."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env)
    try:
        wait_ready(what, process, port, path)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def trouble(port, tls_port):
    """Requests that are refused, so that panels of refusals have something to show."""
    json_type = {"content-type": "application/json"}
    for _ in range(20):
        assert ask(port, "POST", "/reg/", b"{}", json_type)[0] == 401
        assert ask(port, "POST", "/reg/", b"{}", {"x-api-key": KEY, **json_type})[0] == 400
        assert ask(port, "GET", "/nowhere", headers={"x-api-key": KEY})[0] == 404
        with contextlib.suppress(OSError, http.client.HTTPException):
            sys.exit(f"a plain request to the port of TLS was answered {ask(tls_port, 'GET', '/')[0]}")
        time.sleep(0.05)


def certificate(folder):
    """A certificate of a month, signed by itself: the flags that serve it."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", cert, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)
    return ["--tls-cert", cert, "--tls-key", key]


def prometheus_config(folder, admins):
    targets = [f"127.0.0.1:{admin}" for admin in admins]
    rules = []
    for name in ("rules.yml", "alerts.yml"):
        file = yaml.safe_load((HERE / "prometheus" / name).read_text(encoding="utf-8"))
        rules.append(str(Path(folder) / name))
        Path(rules[-1]).write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "pick-regno", "static_configs": [{"targets": targets}]}],
    }
    path = Path(folder) / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def query(port, path, **parameters):
    status, body = ask(port, "GET", f"/api/v1/{path}?" + urllib.parse.urlencode(parameters))
    answer = json.loads(body)
    if status != 200:
        sys.exit(f"{parameters.get('query')}: {answer.get('error')}")
    return answer["data"]


def series(data):
    """Series of a range query that have a number: their labels, times and values."""
    for result in data["result"]:
        points = [(at, float(value)) for at, value in result["values"] if math.isfinite(float(value))]
        if points:
            yield result["metric"], *zip(*points)


def questions():
    """What is asked: pairs of where it is written, and the expression."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"dashboard, {panel['title']}, {target['refId']}", target["expr"]
    for name in ("rules.yml", "alerts.yml"):
        for group in yaml.safe_load((HERE / "prometheus" / name).read_text(encoding="utf-8"))["groups"]:
            if group["name"] == "pick-regno-connect":
                # Another program, which is not started here.
                continue
            for rule in group["rules"]:
                if "record" in rule:
                    yield f"rule {rule['record']}", rule["expr"]
                else:
                    # An alert that does not fire has no data. What it looks at must have some: comparisons are made to
                    # answer 0 or 1 for each series, and `absent` to answer what is there.
                    expr = re.sub(r"\s(>|<|>=|<=|==)\s(?!bool)", r" \1 bool ", rule["expr"])
                    # Yesterday is ten seconds ago.
                    expr = expr.replace("offset 1d", "offset 10s")
                    yield f"alert {rule['alert']}", re.sub(r"\babsent\((.*)\)", r"\1", expr)


def fill_in(expr):
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    if "$" in expr:
        sys.exit(f"a variable that this test does not know: {expr}")
    return expr


def main():
    binary = sys.argv[1]
    listen, admin, prometheus = free_port(), free_port(), free_port()
    tls_listen, tls_admin = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        keys = Path(folder) / "keys"
        keys.write_text(KEY + "\n")
        serve = [binary, "serve", "--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}", "--api-keys-file", keys, "--record", f"{folder}/record"]
        service = stack.enter_context(running("the service", serve, admin, "/readyz", f"{folder}/service.log"))
        # Another instance, with TLS: it has a certificate whose age is watched.
        addresses = ["--listen", f"127.0.0.1:{tls_listen}", "--admin", f"127.0.0.1:{tls_admin}"]
        serve = [binary, "serve", *addresses, *certificate(folder)]
        stack.enter_context(running("the service with TLS", serve, tls_admin, "/readyz", f"{folder}/tls.log"))
        watch = [
            "prometheus", f"--config.file={prometheus_config(folder, [admin, tls_admin])}", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus}", "--log.level=warn",
        ]
        stack.enter_context(running("Prometheus", watch, prometheus, "/-/ready", f"{folder}/prometheus.log"))
        begin = time.time()
        load = [
            binary, "load", FIXTURES / "test_data.csv", "--url", f"http://127.0.0.1:{listen}/reg/", "--rate", str(RATE),
            "--duration", f"{SECONDS}s", "--api-keys-file", keys,
        ]
        client = subprocess.Popen(load)
        stack.callback(client.kill)
        time.sleep(5)
        trouble(listen, tls_listen)
        if client.wait(timeout=SECONDS + 60) != 0:
            sys.exit("load: not every answer was right")
        end = time.time()

        answers, silent = {}, []
        for where, expr in questions():
            filled = fill_in(expr)
            found = list(series(query(prometheus, "query_range", query=filled, start=begin, end=end, step=1)))
            answers[where] = found
            if not found:
                silent.append(f"{where}: no data: {filled}")
        for group in query(prometheus, "rules")["groups"]:
            for rule in group["rules"]:
                if rule["health"] != "ok":
                    silent.append(f"rule {rule['name']}: {rule['health']}: {rule.get('lastError')}")
                if rule.get("state") == "firing":
                    silent.append(f"alert {rule['name']}: fires, though all is well")
        if service.poll() is not None:
            silent.append("the service ended")
        asked = f"127.0.0.1:{admin}"
        cores, resident = (
            max(max(values) for metric, _, values in answers[f"dashboard, {panel}, A"] if metric["instance"] == asked)
            for panel in ("Processor", "Memory")
        )
        print(f"at {RATE} requests a second, at most: {cores:.2f} cores, {resident / 2**20:.1f} MiB resident")
        print(f"{len(answers)} queries, {len(silent)} without data or in error")
        if silent:
            sys.exit("\n".join(silent))
        if len(sys.argv) > 2:
            import live_picture
            live_picture.draw(DASHBOARD, answers, begin, sys.argv[2])


if __name__ == "__main__":
    main()
