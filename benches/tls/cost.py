#!/usr/bin/env python3
"""What TLS costs: processor time of the service itself, per handshake and per request, and memory per idle connection.

    benches/tls/cost.py target/release/pick-regno

Processor time from /proc, so that what else the machine does matters little. Needs openssl for the certificates.
"""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

CONNECTIONS, REQUESTS, IDLE = 3_000, 20_000, 900
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
FIXTURE = os.path.join(os.path.dirname(__file__), "../../fixtures/cases.ndjson")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certificates(folder):
    """ca.pem, and what it signs: ec.pem, rsa.pem and client.pem with their keys."""
    path = lambda name: os.path.join(folder, name)
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("req", "-x509", *ec, "-nodes", "-subj", "/CN=ca", "-keyout", path("ca.key"), "-out", path("ca.pem"))
    for name, new, usage in [("ec", ec, "server"), ("rsa", ["-newkey", "rsa:2048"], "server"), ("client", ec, "client")]:
        with open(path("extensions"), "w") as file:
            file.write(f"subjectAltName=DNS:localhost\nextendedKeyUsage={usage}Auth\n")
        openssl("req", *new, "-nodes", "-subj", f"/CN={name}", "-keyout", path(f"{name}.key"), "-out", path("csr"))
        openssl("x509", "-req", "-in", path("csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
                "-extfile", path("extensions"), "-out", path(f"{name}.pem"))


class Service:
    """The program with one worker, and its client's side of TLS."""

    def __init__(self, stack, program, flags, context=None):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1", *flags],
            stderr=subprocess.PIPE, text=True)
        stack.callback(self.process.wait)
        stack.callback(self.process.kill)
        serving = json.loads(self.process.stderr.readline())
        self.port = int(serving["address"].rsplit(":", 1)[1])
        self.context = context

    def connect(self):
        stream = socket.create_connection(("127.0.0.1", self.port))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(stream, server_hostname="localhost") if self.context else stream

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def exchange(self, stream, request):
        stream.sendall(request)
        answer = stream.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 "), answer

    def connections(self):
        """Microseconds of one connection with one request."""
        before = self.cpu()
        for _ in range(CONNECTIONS):
            with self.connect() as stream:
                self.exchange(stream, GET)
        return (self.cpu() - before) / CONNECTIONS * 1e6

    def requests(self, body):
        """Microseconds of one request to the model on an open connection."""
        head = "POST /reg/ HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        request = (head % len(body)).encode() + body
        with self.connect() as stream:
            before = self.cpu()
            for _ in range(REQUESTS):
                self.exchange(stream, request)
            return (self.cpu() - before) / REQUESTS * 1e6

    def idle(self):
        """KiB of one idle connection that has had a request."""
        before = self.rss()
        streams = [self.connect() for _ in range(IDLE)]
        for stream in streams:
            self.exchange(stream, GET)
        return (self.rss() - before) / IDLE


def main():
    if len(sys.argv) != 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: benches/tls/cost.py BINARY    BINARY: a release build of the service")
    program = sys.argv[1]
    with open(FIXTURE) as file:
        body = json.dumps(json.loads(file.readline())["request"]).encode()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        certificates(folder)

        def tls(name, version, *more, client=False):
            context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
            context.minimum_version = context.maximum_version = version
            if client:
                context.load_cert_chain(f"{folder}/client.pem", f"{folder}/client.key")
            flags = ["--tls-cert", f"{folder}/{name}.pem", "--tls-key", f"{folder}/{name}.key", *more]
            return Service(stack, program, flags, context)

        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        plain, ecdsa = Service(stack, program, []), tls("ec", v13)
        print(f"connection and request without TLS: {plain.connections():.0f} us")
        for what, service in [
            ("ECDSA P-256, TLS 1.3", ecdsa),
            ("ECDSA P-256, TLS 1.2", tls("ec", v12)),
            ("ECDSA P-256, TLS 1.3, client certificate", tls("ec", v13, "--client-ca", f"{folder}/ca.pem", client=True)),
            ("RSA 2048, TLS 1.3", tls("rsa", v13)),
        ]:
            print(f"{what}: {service.connections():.0f} us")
        for _ in range(3):
            print(f"a request to the model on an open connection: "
                  f"{plain.requests(body):.1f} us without TLS, {ecdsa.requests(body):.1f} us with it")
        print(f"an idle connection: {plain.idle():.1f} KiB without TLS, {ecdsa.idle():.1f} KiB with it")


if __name__ == "__main__":
    main()
