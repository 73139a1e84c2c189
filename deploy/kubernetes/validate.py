"""Checks the manifests, offline, and that the check can fail: `deploy/check.sh` runs it.

Every kustomization is built, and each document held against Kubernetes' strict schemas (of the oldest version that is
promised and of the newest known) or the types of Prometheus' operator. Then what no schema says: that numbers here and
in the service fit together. Last, manifests broken on purpose must be refused, each for its own fault.
"""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / "target" / "deploy-tools"
VERSIONS = ["1.31", "1.37"]


def build(folder):
    """The documents that a kustomization makes."""
    command = [TOOLS / "bin/kubectl", "kustomize", folder]
    return list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def schema_faults(documents):
    operators = [document for document in documents if document["apiVersion"].startswith("monitoring.coreos.com/")]
    for document in documents:
        if document in operators:
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as fault:
                path = ".".join(str(part) for part in fault.absolute_path)
                yield f"{document['kind']} {document['metadata']['name']}, Kubernetes {version}: {path}: {fault.message}"
            except kubernetes_validate.SchemaNotFoundError as fault:
                yield fault.message
    command = ["node", HERE / "validate.mjs", TOOLS]
    told = subprocess.run(command, input=json.dumps(operators), capture_output=True, text=True)
    yield from told.stdout.splitlines()
    if told.returncode != 0 and not told.stdout:
        yield "validate.mjs: " + told.stderr.strip().splitlines()[-1]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def fit_faults(documents, variables):
    """What does not fit: settings that the service has not, a drain that is cut short, ports, labels, privileges. The
    documents are ones in which no schema finds a fault."""
    of_kind = {document["kind"]: document for document in documents}
    pod = of_kind["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    for name in env.keys() - variables:
        yield f"Deployment: the service knows no variable {name}"
    drain = seconds(env["PICK_REGNO_DRAIN_DELAY"]) + seconds(env["PICK_REGNO_DRAIN_TIMEOUT"])
    if pod["terminationGracePeriodSeconds"] < drain + 2:
        yield f"Deployment: terminationGracePeriodSeconds cuts a drain of {drain} s short"
    ready = container["readinessProbe"]
    if ready["periodSeconds"] * ready["failureThreshold"] > seconds(env["PICK_REGNO_DRAIN_DELAY"]):
        yield "Deployment: the drain's delay ends before the readiness probe has noticed"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    exposed = re.search(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1].split()
    if sorted(map(str, ports.values())) != sorted(exposed):
        yield f"Deployment: ports {ports} are not those that the image exposes, {exposed}"
    used = [container["readinessProbe"]["httpGet"]["port"], container["livenessProbe"]["httpGet"]["port"]]
    used += [port["targetPort"] for port in of_kind["Service"]["spec"]["ports"]]
    used += [port["port"] for rule in of_kind["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    for name in set(used) - ports.keys():
        yield f"no port is named {name}"
    ingress = of_kind["NetworkPolicy"]["spec"]["ingress"]
    clients = [peer for rule in ingress if {"port": "http"} in rule["ports"] for peer in rule["from"]]
    # A podSelector alone means the policy's own namespace, where the overlay has the service alone.
    if not any("namespaceSelector" in peer for peer in clients):
        yield "NetworkPolicy: lets in no client from another namespace"
    if of_kind["ServiceMonitor"]["spec"]["endpoints"][0]["port"] not in {p["name"] for p in of_kind["Service"]["spec"]["ports"]}:
        yield "ServiceMonitor: scrapes a port that the Service has not"
    labels = of_kind["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    for name, selector in {
        "Deployment": of_kind["Deployment"]["spec"]["selector"]["matchLabels"],
        "Service": of_kind["Service"]["spec"]["selector"],
        "PodDisruptionBudget": of_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": of_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    }.items():
        if not selector.items() <= labels:
            yield f"{name}: selects no pod of the Deployment"
    if not of_kind["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= of_kind["Service"]["metadata"].get("labels", {}).items():
        yield "ServiceMonitor: selects no Service"
    # Pod Security Standards, "restricted".
    restricted = {
        "runAsNonRoot": pod["securityContext"].get("runAsNonRoot") is True,
        "seccompProfile": pod["securityContext"].get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "allowPrivilegeEscalation": container["securityContext"].get("allowPrivilegeEscalation") is False,
        "capabilities": container["securityContext"].get("capabilities") == {"drop": ["ALL"]},
    }
    yield from (f"Deployment: not restricted: {name}" for name, kept in restricted.items() if not kept)


def faults_of(documents, variables):
    return list(schema_faults(documents)) or list(fit_faults(documents, variables))


def prometheus_rule():
    """The PrometheusRule, made from the files that `promtool` tests."""
    groups = "".join(
        re.sub(r"^(?=.)", "  ", (ROOT / "deploy/prometheus" / name).read_text().split("groups:\n", 1)[1], flags=re.MULTILINE)
        for name in ("rules.yml", "alerts.yml")
    )
    return (
        "# Made from deploy/prometheus/{rules,alerts}.yml, where it is tested: BLESS=1 deploy/check.sh writes it anew.\n"
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: pick-regno\nspec:\n  groups:\n" + groups
    )


def change(path, value):
    """A change of one place in one kind of document, given as `Kind.a.b.0.c`; None takes the place away."""
    def apply(documents):
        kind, *keys = path.split(".")
        place = next(document for document in documents if document["kind"] == kind)
        keys = [int(key) if key.isdigit() else key for key in keys]
        for key in keys[:-1]:
            place = place[key]
        if value is None:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value
    return apply


POD = "Deployment.spec.template.spec"
BROKEN = [
    (change(f"{POD}.containers.0.imagee", "x"), "imagee"),
    (change(f"{POD}.containers.0.ports.0.containerPort", "5000"), "containerPort"),
    (change("Deployment.spec.selector", None), "selector"),
    (change("HorizontalPodAutoscaler.spec.maxReplicas", None), "maxReplicas"),
    (change("NetworkPolicy.spec.policyTypes", "Ingress"), "policyTypes"),
    (change("NetworkPolicy.spec.ingress.0.from.1", None), "no client from another namespace"),
    (change("PodDisruptionBudget.apiVersion", "policy/v1beta1"), "policy/v1beta1"),
    (change("ServiceMonitor.spec.endpoints.0.port", 9464), "endpoints/0/port"),
    (change("PrometheusRule.spec.groups.0.rules.0.expr", []), "expr"),
    (change(f"{POD}.terminationGracePeriodSeconds", 15), "cuts a drain"),
    (change(f"{POD}.containers.0.readinessProbe.periodSeconds", 10), "readiness probe"),
    (change(f"{POD}.containers.0.env.0.name", "PICK_REGNO_WORKER"), "no variable PICK_REGNO_WORKER"),
    (change("Service.spec.ports.1.targetPort", "metrics"), "no port is named metrics"),
    (change("Service.spec.selector", {"app": "x"}), "Service: selects no pod"),
    (change(f"{POD}.securityContext.runAsNonRoot", None), "runAsNonRoot"),
]


def main():
    binary = sys.argv[1]
    told = subprocess.run([binary, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    variables = set(re.findall(r"PICK_REGNO_[A-Z_]+", told))
    rule = HERE / "base/prometheusrule.yaml"
    if os.environ.get("BLESS"):
        rule.write_text(prometheus_rule())
    faults = []
    if rule.read_text() != prometheus_rule():
        faults.append(f"{rule}: differs from deploy/prometheus; BLESS=1 deploy/check.sh writes it anew")
    folders = sorted(path.parent for path in HERE.rglob("kustomization.yaml"))
    for folder in folders:
        documents = build(folder)
        found = faults_of(documents, variables)
        faults += [f"{folder.relative_to(ROOT)}: {fault}" for fault in found]
        print(f"{folder.relative_to(ROOT)}: {len(documents)} documents, {len(found)} faults")
    base = build(HERE / "base")
    for break_it, fault in BROKEN:
        documents = copy.deepcopy(base)
        break_it(documents)
        found = faults_of(documents, variables)
        if not any(fault in line for line in found):
            faults.append(f"a manifest broken on purpose was not refused for {fault!r}, but {found}")
    print(f"{len(BROKEN)} manifests broken on purpose: {'refused' if not faults else 'see below'}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
