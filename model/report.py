"""Says what changes with a new model: `adopt.sh` runs it.

    report.py SCRATCH OUTPUT REQUESTS

SCRATCH holds, of the model that is served now and of the new one, the service (`before`; the new one is
OUTPUT/pick-regno), its card (`before.json`, `after.json`) and its answers to REQUESTS (`before.ndjson`, `after.ndjson`), and
what `cbm diff` says (`diff`) and `pick-regno check` (`parity`). Writes OUTPUT/report.md and OUTPUT/scores.png.
"""

import csv
import http.client
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

STRAYS = ["unseen_values", "unknown_templates", "unknown_characters", "missing_numbers"]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_requests(path):
    if path.read_bytes().startswith(b"{"):
        return [case.get("request", case) for case in lines(path)]
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def strays(binary, requests):
    """How often the requests have what the model was not trained on, by kind and feature: the service's own counts."""
    serve = [binary, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]
    service = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
    try:
        serving = next(line for line in map(json.loads, service.stderr) if line["message"] == "serving")
        asked = http.client.HTTPConnection(serving["address"], timeout=10)
        for request in requests:
            body = json.dumps(request, ensure_ascii=False).encode()
            asked.request("POST", "/reg/", body, {"content-type": "application/json"})
            asked.getresponse().read()
        asked.close()
        time.sleep(0.1)
        told = http.client.HTTPConnection(serving["admin"], timeout=10)
        told.request("GET", "/metrics")
        text = told.getresponse().read().decode()
    finally:
        service.terminate()
        service.communicate()
    samples = re.findall(r'^pick_regno_(\w+)_total\{feature="([^"]*)"\} (\d+)$', text, re.MULTILINE)
    return {(kind, feature): int(count) for kind, feature, count in samples if kind in STRAYS}


def table(head, rows):
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in cells) + "\n"


def cards(before, after):
    names = ["file", "sha256", "trained", "catboost_version", "trees", "depth", "leaves", "splits"]
    rows = [[name, before.get(name), after.get(name)] for name in names]
    used = [{feature["name"] for feature in card["features"] if feature["used"]} for card in (before, after)]
    rows.append(["features used", len(used[0]), len(used[1])])
    rows.append(["used only here", *(", ".join(sorted(one - other)) or "–" for one, other in (used, used[::-1]))])
    return table(["", "before", "after"], rows)


def moves(pairs):
    """How the probabilities moved, as rows of a table; `pairs` are before and after."""
    changes = [after - before for before, after in pairs]
    sizes = sorted(abs(change) for change in changes)
    flips = sum((before >= 0.5) != (after >= 0.5) for before, after in pairs)
    yield ["requests answered by both", len(pairs)]
    yield ["equal to the bit", sum(before == after for before, after in pairs)]
    yield ["mean before", f"{statistics.fmean(before for before, _ in pairs):.6f}"]
    yield ["mean after", f"{statistics.fmean(after for _, after in pairs):.6f}"]
    yield ["mean change", f"{statistics.fmean(changes):+.6f}"]
    for share in (0.5, 0.9, 1):
        yield [f"{share:.0%} of changes are at most", f"{sizes[min(len(sizes) - 1, int(share * len(sizes)))]:.6f}"]
    yield ["on the other side of 0.5", flips]


def plot(pairs, path):
    figure, (points, counts) = plt.subplots(1, 2, figsize=(11, 5))
    befores, afters = zip(*pairs)
    points.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    points.scatter(befores, afters, s=14, alpha=0.6)
    points.set(xlabel="probability before", ylabel="probability after", xlim=(0, 1), ylim=(0, 1), title="Each request")
    counts.hist([befores, afters], bins=20, range=(0, 1), label=["before", "after"])
    counts.set(xlabel="probability", ylabel="requests", title="How many requests get which probability")
    counts.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main():
    scratch, output, source = map(Path, sys.argv[1:])
    before, after = (json.loads((scratch / f"{name}.json").read_text()) for name in ("before", "after"))
    answers = [lines(scratch / f"{name}.ndjson") for name in ("before", "after")]
    pairs = [(one["positive"], other["positive"]) for one, other in zip(*answers) if "error" not in one and "error" not in other]
    refused = [sum("error" in answer for answer in each) for each in answers]
    requests = read_requests(source)
    counts = [strays(binary, requests) for binary in (scratch / "before", output / "pick-regno")]
    rows = [
        [kind.replace("_", " "), feature, *(each.get((kind, feature), 0) for each in counts)]
        for kind, feature in sorted(set(counts[0]) | set(counts[1]))
        if feature != "foreign_sym" and any(each.get((kind, feature), 0) for each in counts)
    ]
    report = [
        f"# {after['file']}: what changes\n",
        cards(before, after),
        f"Parity with CatBoost, on the fixtures: {(scratch / 'parity').read_text().strip()}.\n",
        f"## Answers to {source.name}\n",
        table(["", ""], [*moves(pairs), ["refused before, after", f"{refused[0]}, {refused[1]}"]]),
        "![probabilities before and after](scores.png)\n",
        f"## What {source.name} has that the models were not trained on\n",
        table(["", "feature", "before", "after"], rows) if rows else "Nothing.\n",
        "## The models\n",
        "```\n" + (scratch / "diff").read_text() + "```\n",
    ]
    (output / "report.md").write_text("\n".join(report), encoding="utf-8")
    plot(pairs, output / "scores.png")
    print("\n".join(report[1:5]))
    print(f"{output / 'report.md'}, {output / 'scores.png'}")


if __name__ == "__main__":
    main()
