#!/usr/bin/env python3
"""Keys and certificates from OpenBao (Vault's open fork), by its agent, into a running service: rotated under load without one false 401.

    tests/connect/openbao.py PICK_REGNO

The server keeps everything in memory and is unsealed, as `bao server -dev` has it; agent, templates and PKI are as in production. Exits with 1 where a
request with a key that should hold is refused, where an old key still holds in the end, or where a handshake fails.
"""

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import servers

BAO = Path(sys.executable).parent / "bao"
OLD, NEW = "old-key-0123456789abcdef", "new-key-0123456789abcdef"


def main():
    binary = Path(sys.argv[1]).resolve()
    request = json.dumps(json.loads(servers.CASES.read_text(encoding="utf-8").splitlines()[0])["request"]).encode()
    with servers.folder("openbao") as folder:
        # The port after its own is for clusters.
        port, _, listen, admin = (servers.free_port() for _ in range(4))
        address = f"http://127.0.0.1:{port}"
        environment = {"BAO_ADDR": address, "BAO_TOKEN": "root", "HOME": str(folder)}
        server = servers.Process("bao", folder, environment)
        agent = servers.Process("agent", folder, environment)
        service = servers.Process("service", folder)

        def bao(*args):
            done = subprocess.run([BAO, *args], env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, timeout=30)
            if done.returncode:
                raise ValueError(done.stderr)
            return done.stdout

        def put(*keys):
            bao("kv", "put", "secret/pick-regno", "keys=" + "\n".join(keys))

        try:
            server.spawn([BAO, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"])
            servers.wait_for("bao", lambda: bao("status"))
            put(OLD)
            bao("secrets", "enable", "pki")
            bao("write", "-field=certificate", "pki/root/generate/internal", "common_name=test", "ttl=1h")
            (folder / "ca.pem").write_text(bao("read", "-field=certificate", "pki/cert/ca"), encoding="utf-8")
            bao("write", "pki/roles/service", "allow_localhost=true", "allow_ip_sans=true", "max_ttl=1h", "key_type=ec", "key_bits=256")
            bao("auth", "enable", "approle")
            (folder / "policy.hcl").write_text(
                'path "secret/data/pick-regno" { capabilities = ["read"] }\npath "pki/issue/service" { capabilities = ["update"] }\n', encoding="utf-8")
            bao("policy", "write", "service", str(folder / "policy.hcl"))
            bao("write", "auth/approle/role/service", "policies=service")
            (folder / "role").write_text(bao("read", "-field=role_id", "auth/approle/role/service/role-id"), encoding="utf-8")
            (folder / "secret").write_text(bao("write", "-f", "-field=secret_id", "auth/approle/role/service/secret-id"), encoding="utf-8")
            # Chain and key in one file: both options name it, and what is rendered anew is never half of a pair.
            issue = '{{ with pkiCert "pki/issue/service" "common_name=localhost" "ip_sans=127.0.0.1" "ttl=45s" }}' \
                    '{{ .Cert }}\n{{ .CA }}\n{{ .Key }}{{ end }}'
            (folder / "agent.hcl").write_text(f'''
vault {{ address = "{address}" }}
auto_auth {{ method "approle" {{ config = {{
  role_id_file_path = "{folder}/role"
  secret_id_file_path = "{folder}/secret"
  remove_secret_id_file_after_reading = false
}} }} }}
template_config {{ static_secret_render_interval = "1s" }}
template {{
  contents = "{{{{ with secret \\"secret/data/pick-regno\\" }}}}{{{{ .Data.data.keys }}}}{{{{ end }}}}\\n"
  destination = "{folder}/keys"
  perms = "0600"
}}
template {{
  contents = <<EOT
{issue}
EOT
  destination = "{folder}/tls.pem"
  perms = "0600"
}}
''', encoding="utf-8")
            agent.env.pop("BAO_TOKEN")
            agent.spawn([BAO, "agent", f"-config={folder}/agent.hcl"])
            servers.wait_for("the agent", lambda: all((folder / name).exists() for name in ["keys", "tls.pem"]))
            service.spawn([binary, "serve", "--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}", "--api-keys-file", folder / "keys",
                           "--tls-cert", folder / "tls.pem", "--tls-key", folder / "tls.pem"])
            servers.wait_for("the service", lambda: servers.get(f"http://127.0.0.1:{admin}/readyz")[0] == 200)
            trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            serials = set()

            def ask(key):
                """The status of a request over a connection of its own, and so with the certificate of the moment."""
                connection = http.client.HTTPSConnection("127.0.0.1", listen, timeout=10, context=trust)
                connection.connect()
                serials.add(connection.sock.getpeercert()["serialNumber"])
                connection.request("POST", "/reg/", request, {"Content-Type": "application/json", "X-API-Key": key})
                status = connection.getresponse().status
                connection.close()
                return status

            current, over, statuses, failures = [OLD], threading.Event(), {}, []

            def client():
                while not over.is_set():
                    try:
                        status = ask(current[0])
                        statuses[status] = statuses.get(status, 0) + 1
                    except OSError as why:
                        failures.append(str(why))
                    time.sleep(0.02)

            threads = [threading.Thread(target=client) for _ in range(2)]
            for thread in threads:
                thread.start()

            def until(status, key):
                started = time.monotonic()
                servers.wait_for(f"{status} for the key", lambda: ask(key) == status, 30)
                return round(time.monotonic() - started, 1)

            put(OLD, NEW)
            accepted = until(200, NEW)
            current[0] = NEW
            time.sleep(0.2)
            put(NEW)
            refused = until(401, OLD)
            # Certificates of 45 s, renewed after nine tenths of that.
            servers.wait_for("another certificate", lambda: ask(NEW) == 200 and len(serials) > 1, 60)
            over.set()
            for thread in threads:
                thread.join()
            code = service.terminate()
        finally:
            for process in (service, agent, server):
                process.kill()
        servers.verdict("openbao", set(statuses) == {200} and not failures and code == 0 and len(serials) > 1, statuses=statuses, failures=failures[:3],
                        new_key_accepted_after_s=accepted, old_key_refused_after_s=refused, certificates=len(serials))


main()
