#!/usr/bin/env python3
"""What an answer costs here, against CatBoost's Python package and C++ library: `benches/peers/run.py MODEL CASES`.

MODEL is a .cbm, CASES a file of recorded cases (`fixtures/cases.ndjson`, or the customer's). Everything is built around the
model, and runs turn by turn, on one thread; the least time counts. Then the service and the one that most would write
(`service.py`: Flask, four workers of gunicorn) are asked by wrk, with all cores for each.

    --turns N      of each (default 5)
    --seconds S    that a service is asked in a turn (default 5; 0 leaves services out)
    CATBOOST_LIB   libcatboostmodel.so, if there is one; without it that is left out

Needs catboost (1.2.10 was used), cargo, and for the services wrk, flask and gunicorn (`requirements.txt`).
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "http"), str(HERE.parents[1] / "model")]
import catboost  # noqa: E402
import pick_regno  # noqa: E402
import wrk  # noqa: E402
from library import Library  # noqa: E402
from measure import ROOT, Calls, Criterion, build, existing, table  # noqa: E402

BLOCKS = [16, 128, 1000, 20000]
RAW = {"prediction_type": "RawFormulaVal", "thread_count": 1}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=existing)
    parser.add_argument("cases", type=existing)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    return parser.parse_args()


def peers(path, requests):
    """Calls of CatBoost's, by name."""
    model = catboost.CatBoostClassifier().load_model(path)
    cats, texts = model.get_cat_feature_indices(), model.get_text_feature_indices()
    rows = [pick_regno.features(request, model.feature_names_) for request in requests]

    def pool(rows):
        return catboost.Pool(rows, cat_features=cats, text_features=texts)

    def ready(rows):
        made = pool(rows)
        return lambda: model.predict(made, **RAW)

    def whole(request):
        return lambda: model.predict_proba(pick_regno.features(request, model.feature_names_))

    def blocks(size):
        """The rows as blocks of a size, over and over; the greatest is one block."""
        many = rows * (size // len(rows) + 1)
        return [many[at : at + size] for at in range(0, max(size, len(rows)), size)]

    few = rows[:20]
    calls = {
        "features and predict_proba of one row": Calls([whole(request) for request in requests[:20]], 20),
        "predict_proba of one row": Calls([lambda row=row: model.predict_proba(row) for row in few], len(few)),
        "predict of a ready Pool of 1 row": Calls([ready([row]) for row in rows[:100]], len(rows[:100])),
    }
    for size in BLOCKS:
        made = blocks(size)
        calls[f"predict of a ready Pool of {size:,} rows"] = Calls([ready(block) for block in made], size * len(made))
    block = blocks(1000)[0]
    calls["predict of 1,000 rows, Pool made in it"] = Calls([lambda: model.predict(pool(block), **RAW)], 1000)
    calls = {f"CatBoost, Python: {name}": call for name, call in calls.items()}
    if os.environ.get("CATBOOST_LIB"):
        library = Library(os.environ["CATBOOST_LIB"], path)
        for size in [1, *BLOCKS]:
            made = blocks(size)[:100]
            predictions = [library.predict(block, cats, texts) for block in made]
            expected = model.predict(pool(made[0]), **RAW)
            assert list(predictions[0]()) == list(expected), "the library answers as the Python package does"
            calls[f"CatBoost, C++ library: {size:,} rows a call"] = Calls(predictions, size * len(made))
    return calls


def rows(args, requests):
    """Times of a row, ours and theirs."""
    program = build("stages", PICK_REGNO_MODEL=args.model)
    ours = Criterion(program, CASES=args.cases)
    theirs = peers(str(args.model), requests)
    for _ in range(args.turns):
        for timed in (*theirs.values(), ours):
            timed.turn()
    found = {name: call.nanoseconds() for name, call in theirs.items()}
    mine = sorted(ours.nanoseconds().items(), key=lambda item: item[1])
    raw, whole = (ours.nanoseconds()[stage] for stage in ("features to raw", "request JSON to answer JSON"))
    print(f"{len(requests):,} rows of {args.cases}, one thread, {args.turns} turns\n")
    table(
        ["what", "ns a row", "against features to raw", "against JSON to JSON"],
        [[name, f"{each:,.0f}", f"{each / raw:.2f}×", f"{each / whole:.2f}×"] for name, each in [*found.items(), *mine]],
    )


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def memory(group):
    """The memory of the processes of a group in MiB; what they share counts once."""
    listed = subprocess.run(["pgrep", "--pgroup", str(group)], capture_output=True, text=True).stdout.split()
    kib = 0
    for pid in listed:
        kib += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
    return kib / 1024


def services(args, requests):
    """Requests a second, ours and theirs."""
    environment = {**os.environ, "PICK_REGNO_MODEL": args.model, "PICK_REGNO_API_KEYS": wrk.KEY, "MODEL": args.model}
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "pick-regno"], cwd=ROOT, env=environment, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    ports = {"pick-regno serve": free_port(), "Flask, 4 workers": free_port()}
    admin = f"127.0.0.1:{free_port()}"
    commands = {
        "pick-regno serve": [target / "release/pick-regno", "serve", "--admin", admin, "--listen"],
        "Flask, 4 workers": [sys.executable, "-m", "gunicorn", "--workers", "4", "--log-level", "error", "service:app", "--bind"],
    }
    cores = f"0-{os.cpu_count() - 1}"
    started, figures = {}, {name: [] for name in commands}
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(wrk.lua([json.dumps(request, ensure_ascii=False) for request in requests[:100]]))
        script.flush()
        try:
            for name, command in commands.items():
                command = [*command, f"127.0.0.1:{ports[name]}"]
                started[name] = subprocess.Popen(
                    command, cwd=HERE, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
                )
                wrk.wait(ports[name])
            for _ in range(args.turns):
                for name in commands:
                    figures[name].append(wrk.ask(ports[name], script.name, 16, args.seconds, cores))
            lines = []
            ours = statistics.median(asked.rate for asked in figures["pick-regno serve"])
            for name, found in figures.items():
                rate = statistics.median(asked.rate for asked in found)
                latency = statistics.median(asked.median for asked in found)
                used = memory(started[name].pid)
                lines.append([name, f"{rate:,.0f}", f"{ours / rate:.1f}×", f"{latency * 1e3:.2f}", f"{used:,.0f}"])
        finally:
            for process in started.values():
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    table(["service, 16 connections", "requests/s", "ours is", "median latency, ms", "memory, MiB"], lines)


def main():
    args = arguments()
    with open(args.cases, encoding="utf-8") as file:
        requests = [json.loads(line)["request"] for line in file]
    rows(args, requests)
    if args.seconds:
        services(args, requests)


if __name__ == "__main__":
    main()
