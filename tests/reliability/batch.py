"""A batch of any length takes no more memory than a short one: `tests/python.sh reliability/batch.py`.

Sends batches, NDJSON and then CSV, of 1 GiB to a service with one worker, reads the answers meanwhile, and looks
at the service's memory every 50 ms: after the first tenth of a batch it may grow by no more than the answers that may
wait for a slow reader (a quarter of `--max-body-memory`), and 1 MiB. A second client asks one plate at a time beside
it; all its answers must be 200. Every record's answer is counted, and compared with what the same record gets alone.
"""

import http.client
import json
import threading
import time

from service import BODY, KEY, REQUEST, Service, check, conditions

SIZE = 1 << 30
MIB = 1 << 20
MAX_BODY_MEMORY = 8 * MIB
MAX_GROWTH = MAX_BODY_MEMORY / 4 + MIB


def csv_cell(value):
    return '"' + str(value).replace('"', '""') + '"'


FORMATS = {
    "application/x-ndjson": (b"", BODY.replace(b"\n", b" ") + b"\n"),
    "text/csv": (
        ",".join(REQUEST).encode() + b"\n",
        ",".join(csv_cell(value) for value in REQUEST.values()).encode() + b"\n",
    ),
}


def send(connection, content_type):
    """Sends a batch of SIZE bytes in chunks; how many records it has."""
    header, record = FORMATS[content_type]
    connection.sendall(
        f"POST /reg/ HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\ncontent-type: {content_type}\r\n"
        "transfer-encoding: chunked\r\n\r\n".encode()
    )
    if header:
        connection.sendall(b"%x\r\n%s\r\n" % (len(header), header))
    many = record * 100
    chunk = b"%x\r\n%s\r\n" % (len(many), many)
    chunks = SIZE // len(many) + 1
    for _ in range(chunks):
        connection.sendall(chunk)
    connection.sendall(b"0\r\n\r\n")
    return chunks * 100


def ask(service, stop, statuses, times):
    """Asks one plate after the other; how long each answer took, in seconds."""
    connection = http.client.HTTPConnection(*service.addr, timeout=30)
    while not stop.is_set():
        asked = time.monotonic()
        connection.request("POST", "/reg/", BODY, {"content-type": "application/json", "x-api-key": KEY})
        answer = connection.getresponse()
        answer.read()
        times.append(time.monotonic() - asked)
        statuses.append(answer.status)
        time.sleep(0.01)


def watch(service, stop, memory):
    while not stop.is_set():
        memory.append(service.rss())
        time.sleep(0.05)


def run(service, content_type, expected):
    connection = service.connect(timeout=60)
    stop, memory, statuses, times, sent = threading.Event(), [], [], [], []
    threads = [
        threading.Thread(target=watch, args=(service, stop, memory)),
        threading.Thread(target=ask, args=(service, stop, statuses, times)),
        threading.Thread(target=lambda: sent.append(send(connection, content_type))),
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    check(answer.status == 200, f"{content_type}: {answer.status}")
    lines, others, held = 0, 0, b""
    while piece := answer.read(1 << 16):
        *whole, held = (held + piece).split(b"\n")
        lines += len(whole)
        others += sum(line != expected for line in whole)
    threads[2].join()
    took = time.monotonic() - started
    stop.set()
    for thread in threads[:2]:
        thread.join()
    check(held == b"" and lines == sent[0], f"{lines} answers to {sent[0]} records")
    check(others == 0, f"{others} of them differ from the answer to the record alone")
    later = memory[len(memory) // 10 :]
    grown = max(later) - later[0]
    check(
        grown <= MAX_GROWTH,
        f"memory {later[0] / MIB:.1f} MiB after a tenth, at most {max(later) / MIB:.1f} MiB: {grown / MIB:+.2f} MiB of "
        f"{MAX_GROWTH / MIB:.0f} MiB, in {len(memory)} looks; {SIZE / MIB:.0f} MiB in {took:.0f} s, "
        f"{lines / took:.0f} records/s",
    )
    times.sort()
    check(
        set(statuses) == {200},
        f"{len(statuses)} single requests beside it, all 200; median {times[len(times) // 2] * 1e3:.1f} ms, 99 % within "
        f"{times[len(times) * 99 // 100] * 1e3:.1f} ms",
    )


def main():
    print(conditions())
    with Service("--workers", "1", "--max-body-memory", str(MAX_BODY_MEMORY)) as service:
        connection = http.client.HTTPConnection(*service.addr, timeout=30)
        connection.request("POST", "/reg/", BODY, {"content-type": "application/json", "x-api-key": KEY})
        alone = json.loads(connection.getresponse().read())["body"]
        expected = json.dumps(alone, separators=(",", ":")).encode()
        for content_type in FORMATS:
            run(service, content_type, expected)


main()
