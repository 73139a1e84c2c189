"""Proxies in front of the service, as Debian has them (nginx-light, haproxy, apache2, caddy, golang-go), on free ports of loopback."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent

NGINX = """
worker_processes 1; pid {home}/pid; error_log {home}/error warn; daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  upstream service {{ {servers} keepalive 32; }}
  {more}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://service; {location} }} }}
}}
"""

HAPROXY = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  {defaults}
listen front
  bind 127.0.0.1:{port}
  {options}
  {servers}
"""

APACHE = """
ServerRoot {home}
PidFile {home}/pid
ErrorLog {home}/error
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule proxy_balancer_module /usr/lib/apache2/modules/mod_proxy_balancer.so
LoadModule slotmem_shm_module /usr/lib/apache2/modules/mod_slotmem_shm.so
LoadModule lbmethod_byrequests_module /usr/lib/apache2/modules/mod_lbmethod_byrequests.so
ServerName localhost
<Proxy balancer://service>
  {servers}
</Proxy>
ProxyPass / balancer://service/
"""

CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy {servers} {{
    lb_policy {policy}
    {options}
  }}
}}
"""

KEEP = 'proxy_http_version 1.1; proxy_set_header Connection "";'
FORWARDED = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
WEBSOCKETS = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"

# Name → which server, and what is changed in its configuration. Those with checks ask /readyz, or try another instance at a failure.
PROXIES = {
    "nginx 1.0": ("nginx", {}),
    "nginx 1.1": ("nginx", {"location": KEEP + FORWARDED}),
    "nginx 1.1, no X-Forwarded-For": ("nginx", {"location": KEEP}),
    "nginx 1.1, unbuffered": (
        "nginx",
        {"location": KEEP + FORWARDED + "proxy_request_buffering off; proxy_buffering off;"},
    ),
    "nginx, websockets": (
        "nginx",
        {
            "more": WEBSOCKETS,
            "location": "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
            "proxy_set_header Connection $connection_upgrade;",
        },
    ),
    "nginx 1.1, max_fails=0": (
        "nginx",
        {"server": "max_fails=0", "location": KEEP + FORWARDED + "proxy_next_upstream error timeout http_502 http_503 non_idempotent;"},
    ),
    "HAProxy": ("haproxy", {}),
    "HAProxy, checks": (
        "haproxy",
        {
            "options": "option httpchk GET /readyz\n  option redispatch 1\n  retries 3\n  retry-on conn-failure empty-response",
            "server": "check port {admin} inter 200ms fall 1 rise 1",
        },
    ),
    "Apache": ("apache2", {}),
    "Caddy": ("caddy", {}),
    # With round_robin, Caddy 2.6 now and then finds no instance beside one that is not ready.
    "Caddy, checks": (
        "caddy",
        {"policy": "least_conn", "options": "health_uri /readyz\n    health_port {admin}\n    health_interval 200ms\n    lb_try_duration 3s"},
    ),
    "Go ReverseProxy": ("go", {}),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_installed(name):
    return shutil.which(PROXIES[name][0], path=os.environ["PATH"] + ":/usr/sbin") is not None


def line_and_file(name, home, port, upstreams, admins):
    """The command line of a proxy; its configuration is written below `home`."""
    server, options = PROXIES[name]
    addresses = ["%s:%d" % upstream for upstream in upstreams]
    file = home / "conf"
    if server == "nginx":
        servers = "".join(f"server {address} {options.get('server', '')};" for address in addresses)
        text = NGINX.format(home=home, port=port, servers=servers, more=options.get("more", ""), location=options.get("location", ""))
        line = ["nginx", "-c", file, "-e", home / "error"]
    elif server == "haproxy":
        check = options.get("server", "")
        servers = "\n  ".join(
            f"server s{nth} {address} " + check.format(admin=admin[1])
            for nth, (address, admin) in enumerate(zip(addresses, admins))
        )
        text = HAPROXY.format(port=port, servers=servers, options=options.get("options", ""), defaults="")
        line = ["haproxy", "-q", "-f", file]
    elif server == "apache2":
        servers = "\n  ".join(f"BalancerMember http://{address}" for address in addresses)
        text = APACHE.format(home=home, port=port, servers=servers)
        line = ["apache2", "-D", "FOREGROUND", "-f", file]
    elif server == "caddy":
        more = options.get("options", "").format(admin=admins[0][1])
        text = CADDY.format(port=port, servers=" ".join(addresses), options=more, policy=options.get("policy", "round_robin"))
        line = ["caddy", "run", "--config", file, "--adapter", "caddyfile"]
    else:
        text = ""
        program = home / "proxy"
        subprocess.run(
            ["go", "build", "-o", program, HERE / "proxy.go"],
            check=True,
            env={**os.environ, "GO111MODULE": "off", "GOCACHE": str(pathlib.Path(tempfile.gettempdir()) / "pick-regno-go")},
        )
        line = [program, f"127.0.0.1:{port}", *addresses]
    file.write_text(text)
    return [str(word) for word in line]


@contextlib.contextmanager
def proxy(name, upstreams, admins):
    """Runs a proxy before the services at `upstreams`, whose operators' ports are `admins`; its port."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, port = pathlib.Path(folder), free_port()
        os.chmod(home, 0o755)
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        # nginx and Apache give their workers' folders to another user when they are started by root.
        environment = {**os.environ, "PATH": path, "HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        line = line_and_file(name, home, port, upstreams, admins)
        with open(home / "output", "w") as output:
            process = subprocess.Popen(line, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            for _ in range(500):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                if process.poll() is not None:
                    raise SystemExit(f"{name} did not start: {(home / 'output').read_text()}")
                time.sleep(0.02)
            # A health check or two.
            time.sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait(20)
