#!/usr/bin/env python3
"""What an answer costs here, against CatBoost's Python package: `benches/peers/run.py MODEL CASES`.

MODEL is a .cbm, CASES a file of recorded cases (`fixtures/cases.ndjson`, or the customer's). `stages` is built around
the model; then it and CatBoost are measured turn by turn on one thread, in blocks of rows, and the least time of each
block over all turns counts. Needs catboost (1.2.10 was used), and cargo.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import catboost

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "model"))
import pick_regno  # noqa: E402

TURNS = 5
# How long CatBoost is measured in a turn, in seconds, each way.
PATIENCE = 3.0
BLOCKS = [16, 128, 1000, 20000]
RAW = {"prediction_type": "RawFormulaVal", "thread_count": 1}


class Timer:
    """The least time of each of a few calls, over all turns."""

    def __init__(self, calls, rows):
        self.calls, self.rows = calls, rows
        self.least = [float("inf")] * len(calls)

    def turn(self):
        end = time.perf_counter() + PATIENCE
        while True:
            for index, call in enumerate(self.calls):
                begun = time.perf_counter()
                call()
                self.least[index] = min(self.least[index], time.perf_counter() - begun)
            if time.perf_counter() > end:
                return

    def nanoseconds(self):
        return sum(self.least) * 1e9 / self.rows


def main():
    model_path, cases_path = sys.argv[1], sys.argv[2]
    environment = dict(os.environ, PICK_REGNO_MODEL=os.path.abspath(model_path))
    build = ["cargo", "build", "--release", "--quiet", "--example", "stages"]
    subprocess.run(build, cwd=ROOT, env=environment, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    stages = [str(target / "release/examples/stages"), cases_path]

    model = catboost.CatBoostClassifier()
    model.load_model(model_path)
    with open(cases_path, encoding="utf-8") as file:
        requests = [json.loads(line)["request"] for line in file]
    rows = [pick_regno.features(request, model.feature_names_) for request in requests]

    def pool(rows):
        return catboost.Pool(
            rows, cat_features=model.get_cat_feature_indices(), text_features=model.get_text_feature_indices()
        )

    def predict(rows):
        ready = pool(rows)
        return lambda: model.predict(ready, **RAW)

    timers = {
        "CatBoost, predict_proba of one row": Timer([lambda row=row: model.predict_proba([row]) for row in rows[:20]], 20),
        "CatBoost, predict of a ready Pool of 1 row": Timer([predict([row]) for row in rows[:100]], len(rows[:100])),
    }
    for block in BLOCKS:
        many = (rows * (block // len(rows) + 1))[: max(block, len(rows) // block * block)]
        calls = [predict(many[at : at + block]) for at in range(0, len(many), block)]
        timers[f"CatBoost, predict of a ready Pool of {block:,} rows"] = Timer(calls, len(many))

    ours = {}
    for _ in range(TURNS):
        for timer in timers.values():
            timer.turn()
        for stage, nanoseconds in json.loads(subprocess.check_output(stages)).items():
            ours[stage] = min(nanoseconds, ours.get(stage, float("inf")))

    theirs = {name: timer.nanoseconds() for name, timer in timers.items()}
    raw, whole = ours["features to raw"], ours["request JSON to answer JSON"]
    print(f"{len(rows):,} rows of {cases_path}, ns a row\n")
    print("| what | ns a row | against features to raw | against JSON to JSON |\n| --- | ---: | ---: | ---: |")
    for name, nanoseconds in [*theirs.items(), *sorted(ours.items(), key=lambda item: item[1])]:
        print(f"| {name} | {nanoseconds:,.0f} | {nanoseconds / raw:.2f}× | {nanoseconds / whole:.2f}× |")


if __name__ == "__main__":
    main()
