#!/usr/bin/env python3
"""`pick-regno-connect work` against a real RabbitMQ: every confirmed message is answered right or dead-lettered, whatever is killed meanwhile.

    tests/connect/worker.py CONNECT LOAD [MESSAGES]

CONNECT is pick-regno-connect, LOAD the example queue_load of connect/. Ledgers, each a line of JSON; exits with 1 at the first that does not hold.
"""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pika
import servers

QUEUE = "pick_regno"


def load(program, broker, messages, disturb=None):
    """Runs the client; `disturb` is called again and again meanwhile."""
    with subprocess.Popen([program, broker.url, servers.CASES, str(messages), QUEUE], stdout=subprocess.PIPE, text=True) as client:
        over = threading.Event()

        def run():
            while not over.wait(random.uniform(0.5, 1.5)):
                disturb()

        thread = threading.Thread(target=run) if disturb else None
        if thread:
            thread.start()
        out = client.stdout.read()
        over.set()
        if thread:
            thread.join()
    return json.loads(out)


def holds(ledger, messages):
    return ledger["confirmed"] == ledger["answered"] == messages and ledger["wrong"] == 0


def garbage():
    """Bodies, and properties, that are no requests."""
    request = json.loads(servers.CASES.read_text(encoding="utf-8").splitlines()[0])["request"]
    text = json.dumps(request).encode()
    task = {"task": "pick_regno", "id": "x"}
    for body in [b"", b"\0", b"nonsense", b"{}", b"[]x", b"[{}]", b"null", b"7", b"\xff\xfe", text[:-1], text * 2, b"[" * 100_000, b'{"a":' * 5_000]:
        yield body, {}
    yield json.dumps({**request, "direction": "Ж"}).encode(), {}
    yield b" " * (2 << 20) + text, {}
    yield text, {"content_type": "application/x-python-serialize"}
    yield text, {"content_encoding": "binary"}
    yield text, {"reply_to": None}
    for body in [b"", b"{}", b"[]", text, b"[[],{}]", b"[1,2,3]"]:
        yield body, {"headers": task}
    yield b"[[],{},{}]", {"headers": {"task": "another", "id": "x"}}


def main():
    connect, client = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    messages = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    with servers.folder("worker") as folder:
        broker = servers.RabbitMQ(folder)
        worker = servers.Worker(connect, folder, broker.url)
        with servers.started(broker, worker):
            broker.dead_letters()
            parameters = pika.URLParameters(broker.url)

            ledger = load(client, broker, messages)
            servers.verdict("throughput", holds(ledger, messages) and ledger["twice"] == 0, **ledger)

            def kill_worker():
                worker.kill()
                worker.start(ready=False)

            ledger = load(client, broker, messages, kill_worker)
            servers.verdict("worker killed", holds(ledger, messages), **ledger)

            codes = []

            def stop_worker():
                codes.append(worker.terminate())
                worker.start(ready=False)

            servers.wait_for("the worker", lambda: worker.metrics()["pick_regno_connect_connected"] == 1)
            ledger = load(client, broker, messages, stop_worker)
            servers.verdict("worker stopped by SIGTERM", holds(ledger, messages) and ledger["twice"] == 0 and set(codes) == {0},
                            stops=len(codes), **ledger)

            def close_connections():
                broker.ctl("close_all_connections", "test")

            ledger = load(client, broker, messages // 4, close_connections)
            servers.verdict("connections closed", holds(ledger, messages // 4), **ledger)

            def block():
                broker.ctl("set_vm_memory_high_watermark", "0.000001")
                time.sleep(0.5)
                broker.ctl("set_vm_memory_high_watermark", "0.4")

            ledger = load(client, broker, messages // 4, block)
            servers.verdict("broker short of memory", holds(ledger, messages // 4) and ledger["connections"] == 1, **ledger)

            def kill_broker():
                broker.kill()
                broker.start()
                time.sleep(3)

            ledger = load(client, broker, messages // 4, kill_broker)
            servers.verdict("broker killed", holds(ledger, messages // 4), **ledger)

            servers.wait_for("the worker", lambda: worker.metrics()["pick_regno_connect_connected"] == 1)
            bad = list(garbage())
            before = broker.depth(f"{QUEUE}.dead")
            with pika.BlockingConnection(parameters) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.queue_declare("garbage.answers", durable=True)
                for number, (body, properties) in enumerate(bad):
                    given = {"reply_to": "garbage.answers", "content_type": "application/json", "correlation_id": str(number), **properties}
                    channel.basic_publish("", QUEUE, body, pika.BasicProperties(**given))
            servers.wait_for("the queue", lambda: broker.depth(QUEUE) == 0)
            servers.wait_for("dead letters", lambda: broker.depth(f"{QUEUE}.dead") - before == len(bad))
            ledger = load(client, broker, 1_000)
            servers.verdict("garbage", holds(ledger, 1_000), garbage=len(bad), dead_lettered=broker.depth(f"{QUEUE}.dead") - before)
            log = worker.log()
        servers.verdict("no plate in the log", "regno_recognize" not in log and "А" not in log, bytes=len(log))


main()
