#!/usr/bin/env python3
"""What it costs to load a model with tables of counts of hundreds of megabytes, which is honest: CatBoost trains it.

    benches/large/run.py MODEL.cbm [--rows N] [--values N] [--features N]

Trains the model unless it is there, lets CatBoost answer 200 rows, and holds `cbm eval` against the answers, to the bit, with the engine and
with the interpreter. Prints docs/compiler-cost.md's table of loading: seconds and memory at most, as the system counts it for the process, beside
the file's length. Needs catboost, numpy and pandas; `CBM` names the tool, built for release, or cargo builds it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = 200


def data(rows, values, features):
    """Categories of many values each, and a class that depends on all of them."""
    import numpy as np
    import pandas as pd
    rng = np.random.default_rng(1)
    columns = {f"c{index}": rng.integers(0, values, rows) for index in range(features)}
    effect = sum((column * 2654435761 % 1000) / 1000 for column in columns.values()) / features
    return pd.DataFrame(columns), (effect + rng.normal(0, 0.1, rows) > 0.5).astype(int)


def train(path, frame, target):
    from catboost import CatBoostClassifier, Pool
    model = CatBoostClassifier(
        iterations=40, learning_rate=0.3, max_ctr_complexity=1, rsm=0.4, boosting_type="Plain", random_seed=1, verbose=False,
        simple_ctr=["Borders:Prior=0/1:Prior=0.5/1:Prior=1/1"], allow_writing_files=False, thread_count=2)
    model.fit(Pool(frame, target, cat_features=list(frame)))
    model.save_model(str(path))


def answers(path, rows):
    """CatBoost's raw values, in a process of its own, whose memory is free again afterwards."""
    code = "import sys, json, catboost; model = catboost.CatBoost().load_model(sys.argv[1]); rows = json.load(sys.stdin); " \
        "print(json.dumps(model.predict([list(row.values()) for row in rows]).tolist()))"
    done = subprocess.run([sys.executable, "-c", code, path], input=json.dumps(rows), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(command):
    """Seconds, memory at most in bytes, and what the command wrote."""
    with tempfile.TemporaryFile("w+") as out:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        if status:
            raise SystemExit(f"{command}: status {status}")
        out.seek(0)
        return seconds, usage.ru_maxrss * 1024, out.read()


def tool():
    if "CBM" in os.environ:
        return os.environ["CBM"]
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "cbm"], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/cbm")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of training")
    parser.add_argument("--values", type=int, default=500_000, help="values of a feature")
    parser.add_argument("--features", type=int, default=2)
    args = parser.parse_args()
    frame, target = data(args.rows, args.values, args.features)
    if not args.model.exists():
        train(args.model, frame, target)
    rows = [{name: str(value) for name, value in row.items()} for row in frame.head(CASES).to_dict("records")]
    del frame, target
    expected = answers(args.model, rows)
    cbm, length = tool(), args.model.stat().st_size
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        print("| command | file, MB | seconds | memory, MB | memory / file |\n|---|---:|---:|---:|---:|")
        for name, command in [
            ("inspect", ["inspect", args.model]),
            ("eval", ["eval", args.model, file.name]),
            ("eval --interpreter", ["eval", args.model, file.name, "--interpreter"]),
        ]:
            seconds, memory, out = measure([cbm, *command])
            if name != "inspect" and [json.loads(line) for line in out.splitlines()] != [[raw] for raw in expected]:
                raise SystemExit(f"cbm {name}: other answers than CatBoost's")
            print(f"| `cbm {name}` | {length / 1e6:,.0f} | {seconds:.1f} | {memory / 1e6:,.0f} | {memory / length:.2f} |", flush=True)
            if name == "inspect":
                print(out, file=sys.stderr)


main()
