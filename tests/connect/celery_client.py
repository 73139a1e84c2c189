#!/usr/bin/env python3
"""An unmodified Celery client against `pick-regno-connect work`, over rpc:// and redis://; Celery's own worker beside it on one queue.

    tests/connect/celery_client.py CONNECT PICK_REGNO [TASKS]
"""

import datetime
import json
import subprocess
import sys
import time
from pathlib import Path

import celery
import celery.exceptions
import servers

QUEUE = "pick_regno"


def client(broker, backend):
    app = celery.Celery(broker=broker, backend=backend)
    app.conf.task_default_queue = QUEUE
    app.conf.result_expires = 3600
    return app


def same(found, case):
    return (found["positive"].hex(), found["negative"].hex()) == (case["positive"].hex(), case["negative"].hex())


def asks(app, cases, wait=30):
    """What a client may ask for, and what comes of it; True for each that is as it should be."""
    one = cases[0]["request"]

    def send(args, **options):
        return app.send_task("pick_regno", args=args, **options)

    def fails(result, kind, status="FAILURE"):
        try:
            result.get(timeout=wait)
        except Exception as why:  # noqa: BLE001
            return type(why).__name__ == kind and result.status == status
        return False

    now = datetime.datetime.now(datetime.timezone.utc)
    found = {
        "one": same(send([one]).get(timeout=wait), cases[0]),
        "by name": same(app.send_task("pick_regno", kwargs={"request": one}).get(timeout=wait), cases[0]),
        "array": all(map(same, send([[case["request"] for case in cases[:20]]]).get(timeout=wait), cases)),
        "text": same(send([json.dumps(one)]).get(timeout=wait), cases[0]),
        "bad request": fails(send([{**one, "direction": "x"}]), "ValueError"),
        "no argument": fails(send([]), "TypeError"),
        "expired": fails(send([one], expires=now - datetime.timedelta(hours=1)), "TaskRevokedError", "REVOKED"),
        "link": fails(send([one], link=app.signature("other", immutable=True)), "NotImplementedError"),
        "chain": fails(celery.chain(app.signature("pick_regno", [one]), app.signature("pick_regno")).apply_async().parent, "NotImplementedError"),
        "unknown": fails(app.send_task("unheard_of", args=[one]), "NotRegistered"),
    }
    started = time.monotonic()
    found["eta"] = same(send([one], countdown=2).get(timeout=wait), cases[0]) and time.monotonic() - started >= 2
    group = celery.group(app.signature("pick_regno", [case["request"]]) for case in cases).apply_async()
    found["group"] = all(map(same, group.get(timeout=wait), cases))
    ignored = send([one], ignore_result=True)
    time.sleep(0.5)
    found["ignore_result"] = ignored.status == "PENDING"
    return found


def rates(app, cases, tasks):
    """Tasks a second: one by one, and many on their way; and whether all answers were right."""
    started = time.monotonic()
    right = all(same(app.send_task("pick_regno", args=[case["request"]]).get(timeout=30), case) for case in cases)
    one_by_one = len(cases) / (time.monotonic() - started)
    started = time.monotonic()
    sent = [(app.send_task("pick_regno", args=[cases[n % len(cases)]["request"]]), cases[n % len(cases)]) for n in range(tasks)]
    right &= all(same(result.get(timeout=60), case) for result, case in sent)
    return round(one_by_one), round(tasks / (time.monotonic() - started)), right


def main():
    connect, program = (Path(path).resolve() for path in sys.argv[1:3])
    tasks = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000
    cases = [json.loads(line) for line in servers.CASES.read_text(encoding="utf-8").splitlines()]
    with servers.folder("celery") as folder:
        broker, redis = servers.RabbitMQ(folder), servers.Redis(folder)
        with servers.started(broker, redis):
            for name, backend, flags in [("rpc", "rpc://", []), ("redis", redis.url, ["--results", redis.url])]:
                app = client(broker.url, backend)
                worker = servers.Worker(connect, folder, broker.url, *flags, name=f"worker-{name}")
                with servers.started(worker):
                    found = asks(app, cases)
                    servers.verdict(f"celery over {name}", all(found.values()), **found)
                    one, many, right = rates(app, cases, tasks)
                    servers.verdict(f"rate over {name}", right, one_by_one=one, pipelined=many)
                    if name == "redis":
                        # Ours and Celery's own worker, side by side on one queue.
                        environment = {"BROKER": broker.url, "BACKEND": backend, "PICK_REGNO": str(program)}
                        theirs = servers.Process("celery", folder, environment)
                        theirs.spawn([sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "1", "--pool", "solo",
                                      "--without-gossip", "--without-mingle"], cwd=servers.HERE)
                        servers.wait_for("celery", lambda: broker.consumers(QUEUE) == 2)
                        before = worker.metrics()['pick_regno_connect_messages_total{outcome="answered"}']
                        _, many, right = rates(app, cases, tasks)
                        ours = worker.metrics()['pick_regno_connect_messages_total{outcome="answered"}'] - before
                        servers.verdict("side by side", right and 0 < ours < tasks + len(cases), pipelined=many, ours=ours,
                                        theirs=tasks + len(cases) - ours)
                        worker.terminate()
                        one, many, right = rates(app, cases, tasks)
                        servers.verdict("celery alone", right, one_by_one=one, pipelined=many)
                        theirs.kill()


if __name__ == "__main__":
    main()
