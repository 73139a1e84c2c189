#!/usr/bin/env python3
"""How the cost of a row grows with trees, with their depth, and with how many rows there are.

    benches/growth/run.py MODEL.cbm CASES

Prints three tables and draws docs/img/growth-….svg. The models of the first two have 30 numbers of 64 borders each; they are
made here with CatBoost, seeded, and kept in target/growth. For the third the first rows of CASES are evaluated by MODEL, as many as
a block has, over and over. All models are compiled into one program, held to CatBoost's bits on every row, and timed turn
by turn with CatBoost's predict on a ready Pool, on one thread; the least time counts. Needs catboost, numpy, matplotlib
and cargo.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "benches"), str(ROOT / "model")]
import catboost  # noqa: E402
import numpy as np  # noqa: E402
import pick_regno  # noqa: E402
from measure import Calls, Criterion, build, existing, table  # noqa: E402
from plot import draw  # noqa: E402

TREES = [10, 50, 200, 500, 1_000, 2_000, 5_000]
DEPTHS = [1, 2, 4, 6, 8, 9, 10, 12]
ROWS = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]
TIMED = 1_000
TURNS = 3
RAW = {"prediction_type": "RawFormulaVal", "thread_count": 1}
FOLDER = ROOT / "target/growth"


def numbers(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 30)).astype(np.float32)


def train(name, trees, depth):
    """A model, kept in a file of that name."""
    path = FOLDER / f"{name}.cbm"
    if not path.exists():
        rows = numbers(10_000, 1)
        target = np.sin(rows @ np.random.default_rng(2).normal(size=30)) + rows[:, 0] * rows[:, 1]
        model = catboost.CatBoostRegressor(
            iterations=trees, depth=depth, border_count=64, random_seed=1, thread_count=2, allow_writing_files=False,
            verbose=False,
        )
        model.fit(rows, target)
        model.save_model(str(path))
    return path


def shrink(name, path, trees):
    """The first trees of a model, in a file of that name."""
    model = catboost.CatBoost().load_model(str(path))
    model.shrink(trees)
    model.save_model(str(FOLDER / f"{name}.cbm"))
    return FOLDER / f"{name}.cbm"


def write_rows(name, model, rows):
    """What the benchmark reads: features by kind, and CatBoost's answers. `rows` are flat."""
    cats, texts = model.get_cat_feature_indices(), model.get_text_feature_indices()
    raws = ready(model, rows)()
    with (FOLDER / f"{name}.ndjson").open("w", encoding="utf-8") as file:
        for row, raw in zip(rows, raws):
            kinds = {"floats": [], "cats": [], "texts": [], "raw": [raw]}
            for index, value in enumerate(row):
                if index in cats or index in texts:
                    kinds["cats" if index in cats else "texts"].append(value)
                else:
                    # JSON has no infinite numbers; 1e39 is one of f32.
                    kinds["floats"].append(None if np.isnan(value) else float(np.clip(value, -1e39, 1e39)))
            file.write(json.dumps(kinds, ensure_ascii=False) + "\n")


def ready(model, rows):
    cats, texts = model.get_cat_feature_indices(), model.get_text_feature_indices()
    pool = catboost.Pool(rows, cat_features=cats, text_features=texts)
    return lambda: model.predict(pool, **RAW)


def show(name, label, sizes, found, models):
    """Trees or depth: a table and a picture."""
    lines = []
    for size, (ours, theirs), model in zip(sizes, found, models):
        leaves = len(model.get_leaf_values()) * 8 / 1024
        lines.append([
            f"{size:,}", f"{ours:,.0f}", f"{ours / model.tree_count_:.2f}", f"{theirs:,.0f}", f"{theirs / ours:.1f}×",
            f"{leaves:,.0f}",
        ])
    table([label, "ns a row", "ns a row and tree", "CatBoost, ns a row", "ours is faster", "leaves, KiB"], lines)
    ours, theirs = zip(*found)
    series = {"here": ours, "CatBoost, blocks of 1,000 on a ready Pool": theirs}
    draw(ROOT / f"docs/img/growth-{name}.svg", label, "ns a row", sizes, series)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=existing)
    parser.add_argument("cases", type=existing)
    args = parser.parse_args()
    own, given = args.model, catboost.CatBoostClassifier().load_model(str(args.model))
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = {f"depth {depth}": train(f"depth {depth}", 200, depth) for depth in DEPTHS}
    most = train("most", TREES[-1], 6)
    paths |= {f"trees {trees}": shrink(f"trees {trees}", most, trees) for trees in TREES}
    models = {name: catboost.CatBoost().load_model(str(path)) for name, path in paths.items()}
    rows = numbers(TIMED, 3).tolist()
    for name, model in models.items():
        write_rows(name, model, rows)
    theirs = {name: Calls([ready(model, rows)], TIMED, seconds=0.5) for name, model in models.items()}

    with args.cases.open(encoding="utf-8") as file:
        requests = [json.loads(line)["request"] for line in file]
    rows = [pick_regno.features(request, given.feature_names_) for request in requests]
    write_rows(own.stem, given, rows)
    blocks = {size: Calls([ready(given, (rows * (size // len(rows) + 1))[:size])], size, seconds=0.5) for size in ROWS}

    program = build("compiled", MODELS=":".join(map(str, [*paths.values(), own])))
    ours = Criterion(program, seconds=0.5, ROWS=str(FOLDER), BLOCKS=str(TIMED))
    sizes = ",".join(map(str, ROWS))
    growing = Criterion(program, seconds=0.5, only=f"{own.stem}/", ROWS=str(FOLDER), BLOCKS=sizes)
    for _ in range(TURNS):
        for timed in (ours, growing, *theirs.values(), *blocks.values()):
            timed.turn()

    def found(kind, sizes):
        names = [f"{kind} {size}" for size in sizes]
        figures = [(ours.nanoseconds()[f"{name}, {TIMED}"], theirs[name].nanoseconds()) for name in names]
        return sizes, figures, [models[name] for name in names]

    show("trees", "trees of depth 6", *found("trees", TREES))
    show("depth", "depth of 200 trees", *found("depth", DEPTHS))
    mine = [growing.nanoseconds()[f"{own.stem}, {size}"] for size in ROWS]
    others = [blocks[size].nanoseconds() for size in ROWS]
    table(["rows in a block", "ns a row", "CatBoost, ns a row"], [
        [f"{size:,}", f"{one:,.0f}", f"{other:,.0f}"] for size, one, other in zip(ROWS, mine, others)
    ])
    series = {"here": mine, "CatBoost, a ready Pool of so many": others}
    draw(ROOT / "docs/img/growth-rows.svg", "rows in a block", "ns a row", ROWS, series)


if __name__ == "__main__":
    main()
