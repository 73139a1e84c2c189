"""Times one row and blocks of 1,000 rows of the models that models.py made: time.py FOLDER [NAME...]

Each on one thread, in turns, the least time per row: ours through the run-time door (catboost-apply, with all vector instructions,
with AVX2 alone, with none beyond the compiler's), CatBoost's predict on a ready Pool, and lignum (PyPI: pylignum) where it is
installed and reads the model. Every engine must give CatBoost's bits, or it is not timed. Needs catboost 1.2.10, numpy and pandas."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from catboost import CatBoost, Pool

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measure import ROOT, Calls, table

try:
    import lignum
except ImportError:
    lignum = None

TURNS = 3
BLOCK = 1_000


def build():
    command = ["cargo", "build", "--release", "--quiet", "--message-format", "json", "-p", "catboost-apply", "--example", "blocks"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "blocks")


class Ours:
    """The example `blocks`: least times by instructions and size of block."""

    def __init__(self, program, model, rows):
        self.command, self.least = [program, model, rows, f"1,{BLOCK}"], {}

    def turn(self):
        for instructions in ["all", "avx2", "portable"]:
            done = subprocess.run([*self.command, instructions], check=True, capture_output=True, text=True)
            for line in done.stdout.splitlines():
                size, time = line.split()
                key = instructions, int(size)
                self.least[key] = min(float(time), self.least.get(key, float("inf")))


def of_lignum(model, X, has_cats, raw):
    """What times lignum; None if it does not read the model, or answers otherwise."""
    if lignum is None:
        return None
    try:
        peer = lignum.load(str(model))
        rows = X if has_cats else np.ascontiguousarray(X.to_numpy(dtype=np.float32))
        predict = lambda: peer.predict(rows, raw_score=True, n_jobs=1)
        found = np.asarray(predict(), dtype=float).reshape(raw.shape)
    except Exception as error:  # It has no class of its own for what it does not support.
        print(f"lignum: {model.name}: {error}", file=sys.stderr)
        return None
    return Calls([predict], len(X), seconds=0.4) if (found.view("u8") == raw.view("u8")).all() else None


def prepare(program, folder, name):
    model = folder / f"{name}.cbm"
    theirs = CatBoost().load_model(str(model))
    rows = [json.loads(line) for line in open(folder / f"{name}.ndjson", encoding="utf-8")]
    X = pd.DataFrame([row["floats"] + row["cats"] for row in rows], columns=theirs.feature_names_)
    cats = theirs.get_cat_feature_indices()
    raw = np.array([row["raw"] for row in rows])

    def of_catboost(rows):
        pool = Pool(rows, cat_features=cats)
        call = lambda: theirs.predict(pool, prediction_type="RawFormulaVal", thread_count=1)
        return Calls([call], len(rows), seconds=0.4)

    return [Ours(program, str(model), str(folder / f"{name}.ndjson")), of_catboost(X.iloc[:1]), of_catboost(X), of_lignum(model, X, bool(cats), raw)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    given = arguments.parse_args()
    names = given.names or sorted(path.stem for path in given.folder.glob("*.cbm"))
    program = build()
    engines = {name: prepare(program, given.folder, name) for name in names}
    for _ in range(TURNS):
        for each in engines.values():
            for engine in each:
                if engine:
                    engine.turn()
    lines = []
    for name, (ours, one, many, peer) in engines.items():
        block = {kind: ours.least[kind, BLOCK] for kind in ["all", "avx2", "portable"]}
        one, many, peer = (engine.nanoseconds() if engine else None for engine in (one, many, peer))
        row = [name, *(f"{time:,.0f}" for time in block.values()), f"{many:,.0f}", f"{peer:,.0f}" if peer else "–"]
        row += [f"{many / time:.2f}" for time in block.values()] + [f"{peer / block['all']:.2f}" if peer else "–"]
        row += [f"{ours.least['all', 1]:,.0f}", f"{one:,.0f}"]
        lines.append(row)
    head = ["shape", "ours", "AVX2", "portable", "CatBoost", "lignum", "× CatBoost", "AVX2", "portable", "× lignum", "ours, one row", "CatBoost, one row"]
    table(head, lines)


if __name__ == "__main__":
    main()
