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
import pika.exceptions
import servers

QUEUE = "pick_regno"


# Disturbances that a run must have seen.
DISTURBANCES = 2


def once(program, broker, worker, messages):
    """Runs the client once; its ledger. What was answered twice before is not to be taken for an answer now."""
    def is_idle():
        page = worker.metrics()
        if page["pick_regno_connect_connected"] != 1 or page["pick_regno_connect_in_flight"] != 0:
            return False
        try:
            with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
                channel = connection.channel()
                waiting = channel.queue_declare(QUEUE, passive=True).method.message_count
                channel.queue_declare("queue_load.answers", durable=True)
                channel.queue_purge("queue_load.answers")
        except pika.exceptions.AMQPError as why:
            raise OSError from why
        return waiting == 0

    servers.wait_for("an idle worker", is_idle)
    done = subprocess.run([program, broker.url, servers.CASES, str(messages), QUEUE], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def load(program, broker, worker, messages, disturb=None):
    """Runs the client, with `disturb` again and again meanwhile: as often as it takes for enough of them. The sum of the ledgers."""
    total, over, disturbed = {"messages": 0, "runs": 0, "disturbed": 0}, threading.Event(), []

    def run():
        while not over.wait(random.uniform(0.2, 0.8)):
            disturb()
            disturbed.append(True)

    thread = threading.Thread(target=run) if disturb else None
    if thread:
        thread.start()
    try:
        while True:
            ledger = once(program, broker, worker, messages)
            total["messages"] += messages
            total["runs"] += 1
            for name in ["confirmed", "answered", "wrong", "twice", "connections"]:
                total[name] = total.get(name, 0) + ledger[name]
            if not thread or len(disturbed) >= DISTURBANCES:
                break
    finally:
        over.set()
        if thread:
            thread.join()
    total["disturbed"] = len(disturbed)
    total.update({name: round(ledger[name]) for name in ["per_second", "p50_us", "p99_us"]})
    return total


def holds(ledger):
    return ledger["confirmed"] == ledger["answered"] == ledger["messages"] and ledger["wrong"] == 0


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

            ledger = load(client, broker, worker, messages)
            servers.verdict("throughput", holds(ledger) and ledger["twice"] == 0, **ledger)

            def kill_worker():
                worker.kill()
                worker.start(ready=False)

            ledger = load(client, broker, worker, messages, kill_worker)
            servers.verdict("worker killed", holds(ledger), **ledger)

            codes = []

            def stop_worker():
                codes.append(worker.terminate())
                worker.start(ready=False)

            servers.wait_for("the worker", lambda: worker.metrics()["pick_regno_connect_connected"] == 1)
            ledger = load(client, broker, worker, messages, stop_worker)
            servers.verdict("worker stopped by SIGTERM", holds(ledger) and ledger["twice"] == 0 and set(codes) == {0},
                            stops=len(codes), **ledger)

            def close_connections():
                broker.ctl("close_all_connections", "test")

            ledger = load(client, broker, worker, messages // 4, close_connections)
            servers.verdict("connections closed", holds(ledger), **ledger)

            def block():
                broker.ctl("set_vm_memory_high_watermark", "0.000001")
                time.sleep(0.5)
                broker.ctl("set_vm_memory_high_watermark", "0.4")

            ledger = load(client, broker, worker, messages // 4, block)
            servers.verdict("broker short of memory", holds(ledger) and ledger["connections"] == ledger["runs"], **ledger)

            def kill_broker():
                broker.kill()
                broker.start()
                time.sleep(3)

            ledger = load(client, broker, worker, messages // 4, kill_broker)
            servers.verdict("broker killed", holds(ledger), **ledger)

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
            ledger = load(client, broker, worker, 1_000)
            servers.verdict("garbage", holds(ledger), garbage=len(bad), dead_lettered=broker.depth(f"{QUEUE}.dead") - before)
            log = worker.log()
        servers.verdict("no plate in the log", "regno_recognize" not in log and "А" not in log, bytes=len(log))


main()
