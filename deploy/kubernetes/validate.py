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
WORKLOADS = ["Deployment", "StatefulSet"]


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
    """What does not fit, in documents in which no schema finds a fault."""
    yield from service_faults([document for document in documents if document["metadata"]["name"] == "pick-regno"], variables)
    for workload in documents:
        if workload["kind"] in WORKLOADS:
            yield from (f"{workload['kind']} {workload['metadata']['name']}: {fault}" for fault in workload_faults(workload, documents, variables))
    for document in documents:
        if document["kind"] == "HorizontalPodAutoscaler":
            target = document["spec"]["scaleTargetRef"]
            if not any((one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"]) for one in documents):
                yield f"HorizontalPodAutoscaler: there is no {target['kind']} {target['name']}"


def service_faults(documents, variables):
    """What does not fit around the service itself: a drain that is cut short, ports, labels."""
    of_kind = {document["kind"]: document for document in documents}
    kind = next(kind for kind in WORKLOADS if kind in of_kind)
    workload = of_kind[kind]
    pod = workload["spec"]["template"]["spec"]
    container = next(container for container in pod["containers"] if container["name"] == "pick-regno")
    env = environment(container)
    drain = seconds(env["PICK_REGNO_DRAIN_DELAY"]) + seconds(env["PICK_REGNO_DRAIN_TIMEOUT"])
    if pod["terminationGracePeriodSeconds"] < drain + 2:
        yield f"{kind}: terminationGracePeriodSeconds cuts a drain of {drain} s short"
    ready = container["readinessProbe"]
    if ready["periodSeconds"] * ready["failureThreshold"] > seconds(env["PICK_REGNO_DRAIN_DELAY"]):
        yield f"{kind}: the drain's delay ends before the readiness probe has noticed"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    exposed = re.search(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1].split()
    if sorted(map(str, ports.values())) != sorted(exposed):
        yield f"{kind}: ports {ports} are not those that the image exposes, {exposed}"
    used = [port["targetPort"] for port in of_kind["Service"]["spec"]["ports"]]
    used += [port["port"] for rule in of_kind["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    for name in set(used) - {port["name"] for one in containers(pod) for port in one.get("ports", [])}:
        yield f"no port is named {name}"
    ingress = of_kind["NetworkPolicy"]["spec"]["ingress"]
    clients = [peer for rule in ingress if {"port": "http"} in rule["ports"] for peer in rule["from"]]
    # A podSelector alone means the policy's own namespace, where the overlay has the service alone.
    if not any("namespaceSelector" in peer for peer in clients):
        yield "NetworkPolicy: lets in no client from another namespace"
    if of_kind["ServiceMonitor"]["spec"]["endpoints"][0]["port"] not in {p["name"] for p in of_kind["Service"]["spec"]["ports"]}:
        yield "ServiceMonitor: scrapes a port that the Service has not"
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    for name, selector in {
        "Service": of_kind["Service"]["spec"]["selector"],
        "PodDisruptionBudget": of_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    }.items():
        if not selector.items() <= labels:
            yield f"{name}: selects no pod of the {kind}"
    if not of_kind["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= of_kind["Service"]["metadata"].get("labels", {}).items():
        yield "ServiceMonitor: selects no Service"


def workload_faults(workload, documents, variables):
    """What does not fit within one workload: settings that a program has not, ports, labels, volumes, privileges."""
    spec = workload["spec"]
    pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"].items()
    if not spec["selector"]["matchLabels"].items() <= labels:
        yield "selects no pod of its own"
    policies = [document["spec"]["podSelector"]["matchLabels"] for document in documents if document["kind"] == "NetworkPolicy"]
    if not any(selector.items() <= labels for selector in policies):
        yield "no NetworkPolicy selects its pods"
    claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
    volumes = claims | {volume["name"] for volume in pod.get("volumes", [])}
    for container in containers(pod):
        name, env = container["name"], environment(container)
        if container in pod.get("initContainers", []) and container.get("restartPolicy") != "Always":
            yield f"{name} runs for ever before the others start: restartPolicy is not Always"
        if container["image"].split("@")[0].rpartition("/")[2].startswith("pick-regno"):
            yield from (f"{name} knows no variable {unknown}" for unknown in env.keys() - variables)
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container.get(probe, {}).get("httpGet", {}).get("port")
            if asked and asked not in ports:
                yield f"{name}: no port is named {asked}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{name}: there is no volume {mount['name']}"
        for variable in ("PICK_REGNO_RECORD", "PICK_REGNO_CONNECT_RECORDS"):
            mounted = [mount["name"] for mount in container.get("volumeMounts", []) if env.get(variable, "").startswith(mount["mountPath"] + "/")]
            if variable in env and not claims & set(mounted):
                yield f"{name}: {variable} is on no volume that outlives the pod"
        # Pod Security Standards, "restricted".
        restricted = {
            "runAsNonRoot": pod["securityContext"].get("runAsNonRoot") is True,
            "seccompProfile": pod["securityContext"].get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "allowPrivilegeEscalation": container["securityContext"].get("allowPrivilegeEscalation") is False,
            "capabilities": container["securityContext"].get("capabilities") == {"drop": ["ALL"]},
        }
        yield from (f"{name}: not restricted: {rule}" for rule, kept in restricted.items() if not kept)


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def environment(container):
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


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
    """A change of one place in one document, given as `Kind.a.b.0.c` or `Kind/name.a.b.0.c`; None takes the place away."""
    def apply(documents):
        which, *keys = path.split(".")
        kind, _, name = which.partition("/")
        place = next(document for document in documents if document["kind"] == kind and name in ("", document["metadata"]["name"]))
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
    (change("Deployment.spec.selector.matchLabels", {"app": "x"}), "selects no pod of its own"),
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
    (change("NetworkPolicy.spec.podSelector.matchLabels", {"app": "x"}), "no NetworkPolicy selects"),
    (change("HorizontalPodAutoscaler.spec.scaleTargetRef.name", "x"), "there is no Deployment x"),
]
RECORDING = "StatefulSet/pick-regno.spec"
BROKEN_CONNECTED = [
    (change("HorizontalPodAutoscaler.spec.scaleTargetRef.kind", "Deployment"), "there is no Deployment pick-regno"),
    (change(f"{RECORDING}.volumeClaimTemplates.0.metadata.name", "other"), "there is no volume records"),
    (change(f"{RECORDING}.template.spec.initContainers.0.env.0.value", "/tmp/records"), "outlives the pod"),
    (change(f"{RECORDING}.template.spec.initContainers.0.env.1.name", "PICK_REGNO_CONNECT_CLICKHOSE"), "no variable PICK_REGNO_CONNECT_CLICKHOSE"),
    (change(f"{RECORDING}.template.spec.initContainers.0.restartPolicy", None), "restartPolicy"),
    (change(f"{RECORDING}.template.spec.initContainers.0.livenessProbe.httpGet.port", "admin"), "no port is named admin"),
    (change("StatefulSet/clickhouse.spec.template.spec.securityContext.runAsNonRoot", None), "clickhouse: not restricted: runAsNonRoot"),
    (change("StatefulSet/rabbitmq.spec.template.spec.containers.0.securityContext.capabilities", None), "rabbitmq: not restricted: capabilities"),
    (change("Deployment/pick-regno-worker.spec.template.spec.containers.0.env.0.name", "PICK_REGNO_CONNECT_BROKE"), "PICK_REGNO_CONNECT_BROKE"),
]


def main():
    binary = sys.argv[1]
    told = subprocess.run([binary, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    variables = set(re.findall(r"PICK_REGNO_[A-Z_]+", told))
    # pick-regno-connect is not built for this: its settings are in its source.
    for source in (ROOT / "connect/src").rglob("*.rs"):
        variables |= set(re.findall(r'env = "(PICK_REGNO_CONNECT_[A-Z_0-9]+)"', source.read_text()))
    rule = HERE / "base/prometheusrule.yaml"
    if os.environ.get("BLESS"):
        rule.write_text(prometheus_rule())
    faults = []
    if rule.read_text() != prometheus_rule():
        faults.append(f"{rule}: differs from deploy/prometheus; BLESS=1 deploy/check.sh writes it anew")
    # The others are parts of overlays.
    built = {folder: build(folder) for folder in [HERE / "base", *sorted((HERE / "overlays").iterdir())]}
    for folder, documents in built.items():
        found = faults_of(documents, variables)
        faults += [f"{folder.relative_to(ROOT)}: {fault}" for fault in found]
        print(f"{folder.relative_to(ROOT)}: {len(documents)} documents, {len(found)} faults")
    broken = [(built[HERE / "base"], *one) for one in BROKEN] + [(built[HERE / "overlays/connected"], *one) for one in BROKEN_CONNECTED]
    for whole, break_it, fault in broken:
        documents = copy.deepcopy(whole)
        break_it(documents)
        found = faults_of(documents, variables)
        if not any(fault in line for line in found):
            faults.append(f"a manifest broken on purpose was not refused for {fault!r}, but {found}")
    print(f"{len(broken)} manifests broken on purpose: {'refused' if not faults else 'see below'}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
