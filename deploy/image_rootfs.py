"""The inner half of `image-rootfs.sh`, run in namespaces of its own: lays out the image and uses the service in it."""

import hashlib
import http.client
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

KEY = "a-key-of-this-run"
HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures" / "test_data.expected.ndjson"


def last_stage(dockerfile):
    """The instructions of the last stage, in order: pairs of a word and the rest of its line."""
    text = re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    instructions = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    begin = max(at for at, (word, _) in enumerate(instructions) if word == "FROM")
    assert instructions[begin][1] == "scratch", "the last stage must begin with nothing"
    return instructions[begin:]


def lay_out(stage, binary, root):
    """Puts into `root` what COPY copies, and returns what the image says about running it."""
    image = {"Env": {}}
    for word, rest in stage:
        match word:
            case "COPY":
                source, place = rest.split()[-2:]
                if source == "/licenses":
                    lay_out_licenses(root / place.lstrip("/"))
                elif source == "/records":
                    (root / place.lstrip("/")).mkdir()
                    shutil.chown(root / place.lstrip("/"), 65532, 65532)
                else:
                    shutil.copy(binary, root / place.lstrip("/"))
            case "ENV":
                image["Env"].update(pair.split("=", 1) for pair in shlex.split(rest))
            case "USER":
                image["User"] = rest
            case "ENTRYPOINT" | "CMD":
                image[word] = json.loads(rest)
            case "HEALTHCHECK":
                image[word] = json.loads(rest.split("CMD", 1)[1])
            case "FROM" | "ARG" | "LABEL" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                sys.exit(f"{word}: this script does not follow that instruction")
    return image


def lay_out_licenses(folder):
    """What the first stage makes beside the program."""
    folder.mkdir()
    with open(folder / "THIRD-PARTY", "wb") as file:
        subprocess.run([HERE / "licenses.sh"], stdout=file, check=True)
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        shutil.copy(HERE.parent / name, folder)


def mount(root):
    """What a container runtime adds: /proc, the secret, and nothing that can be written."""
    keys = root / "run/secrets/api-keys"
    keys.parent.mkdir(parents=True)
    keys.write_text(KEY + "\n")
    keys.chmod(0o444)
    (root / "proc").mkdir()
    root.chmod(0o755)
    for command in (
        ["mount", "--bind", root, root],
        ["mount", "-o", "remount,bind,ro", root],
        ["mount", "-t", "proc", "proc", root / "proc"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(command, check=True)


def start(image, root, command):
    """Starts a command in the image: its user, its variables and no others, no privilege to gain."""
    jail = [shutil.which("setpriv"), "--no-new-privs", shutil.which("chroot"), f"--userspec={image['User']}", "--groups=", root]
    return subprocess.Popen(jail + command, env=image["Env"], stdin=subprocess.DEVNULL)


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_ready(service, port):
    """Asks until the service says that it is ready; milliseconds since `service` was started, by this clock."""
    begin = time.monotonic()
    while time.monotonic() - begin < 20:
        if service.poll() is not None:
            # chroot's own codes.
            why = " (it could not be started: is it linked statically?)" if service.returncode in (126, 127) else ""
            sys.exit(f"the service ended with {service.returncode}{why}")
        try:
            if ask(port, "GET", "/readyz")[0] == 200:
                return (time.monotonic() - begin) * 1e3
        except ConnectionRefusedError:
            time.sleep(0.001)
    sys.exit("GET /readyz did not answer 200 within 20 s")


def is_own_model(binary):
    """Whether the binary is built around the repository's own model: the one that the fixtures answer for."""
    card = json.loads(subprocess.run([binary, "model"], check=True, capture_output=True).stdout)
    own = HERE.parent / "model" / card["file"]
    return own.exists() and hashlib.sha256(own.read_bytes()).hexdigest() == card["sha256"]


def main():
    binary, root = Path(sys.argv[1]), Path(sys.argv[2])
    image = lay_out(last_stage((HERE.parent / "Dockerfile").read_text()), binary, root)
    files = [path for path in root.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"image: {', '.join(str(path.relative_to(root)) for path in files)}; {size:,} bytes in all")
    mount(root)

    port, admin = (int(image["Env"][name].rsplit(":", 1)[1]) for name in ("PICK_REGNO_LISTEN", "PICK_REGNO_ADMIN"))
    service = start(image, root, image["ENTRYPOINT"] + image["CMD"])
    took = wait_ready(service, admin)
    print(f"GET /readyz: 200, {took:.0f} ms after the start")

    line = json.loads(FIXTURES.read_text(encoding="utf-8").splitlines()[0])
    body = json.dumps(line["request"], ensure_ascii=False).encode()
    status, answer = ask(port, "POST", "/reg/", body, {"content-type": "application/json", "x-api-key": KEY})
    print(f"POST /reg/: {status} {answer.decode().strip()}")
    assert status == 200, "a request of the fixtures must be answered"
    if is_own_model(binary):
        expected = {name: line[name] for name in ("negative", "positive")}
        assert json.loads(answer)["body"] == expected, f"CatBoost answers {expected}"
    assert ask(port, "POST", "/reg/", body)[0] == 401, "a request without a key must be refused"

    health = start(image, root, image["HEALTHCHECK"]).wait(timeout=10)
    assert health == 0, f"HEALTHCHECK ended with {health}"
    print("HEALTHCHECK: healthy")

    service.send_signal(signal.SIGTERM)
    code = service.wait(timeout=30)
    assert code == 0, f"after SIGTERM the service ended with {code}"
    unhealthy = start(image, root, image["HEALTHCHECK"]).wait(timeout=10)
    assert unhealthy == 1, f"HEALTHCHECK of a service that is gone ended with {unhealthy}, must be 1"
    print("SIGTERM: exit 0; HEALTHCHECK then: unhealthy")


if __name__ == "__main__":
    main()
