"""Trains models of the shapes that people train, on made-up data: models.py FOLDER [NAME...]

Writes FOLDER/NAME.cbm, and FOLDER/NAME.ndjson: 1,000 rows with CatBoost's raw values. Takes about ten minutes on two cores; what is
there is kept. time.py times them. Needs catboost 1.2.10, numpy and pandas."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from catboost import CatBoost, Pool

ROWS = 20_000
WRITTEN = 1_000

# Name: numbers, categories, cardinalities of the categories in turn, what is learned, parameters.
SHAPES = {
    "default_1000": (30, 0, [], "number", dict(iterations=1000)),
    "big_5000": (30, 0, [], "number", dict(iterations=5000)),
    "wide_300": (300, 0, [], "two", dict(iterations=1000)),
    "cats_1000": (6, 8, [5, 16, 100, 3000], "two", dict(iterations=1000)),
    "multi_10": (64, 0, [], "ten", dict(iterations=500)),
    "multi_cats_3": (10, 4, [5, 40, 1000], "three", dict(iterations=300, depth=6)),
    "depthwise_500": (30, 0, [], "number", dict(iterations=500, grow_policy="Depthwise")),
    "lossguide_500": (30, 0, [], "number", dict(iterations=500, grow_policy="Lossguide", max_leaves=64)),
    "deep_10": (30, 0, [], "number", dict(iterations=300, depth=10)),
    "small_100": (10, 2, [5, 50], "two", dict(iterations=100, depth=6)),
}
LOSSES = {"number": "RMSE", "two": "Logloss", "three": "MultiClass", "ten": "MultiClass"}


def made_up(numbers, categories, cardinalities, seed):
    """Features, and a number that depends on them."""
    random = np.random.default_rng(seed)
    columns = {f"n{i}": random.normal(size=ROWS).astype(np.float32) for i in range(numbers)}
    for i in range(categories):
        values = random.zipf(1.4, size=ROWS) % cardinalities[i % len(cardinalities)]
        columns[f"c{i}"] = np.array([f"v{value}" for value in values])
    table = pd.DataFrame(columns)
    score = sum(np.sin(table[f"n{i}"] * (1 + i % 3)) for i in range(min(numbers, 12)))
    for i in range(categories):
        score = score + table[f"c{i}"].map(lambda value: int(value[1:]) * 2654435761 % 97 / 97) * 0.7
    return table, np.asarray(score + random.normal(size=ROWS) * 0.3, dtype=float)


def labels(score, kind):
    match kind:
        case "number":
            return score
        case "two":
            return (score > np.median(score)).astype(int)
        case "three":
            return pd.qcut(score, 3, labels=False)
        case "ten":
            return pd.qcut(score, 10, labels=False)


def train(folder, name):
    numbers, categories, cardinalities, kind, parameters = SHAPES[name]
    table, score = made_up(numbers, categories, cardinalities, seed=len(name))
    cats = [column for column in table.columns if column.startswith("c")]
    model = CatBoost(dict(loss_function=LOSSES[kind], random_seed=1, verbose=0, allow_writing_files=False, **parameters))
    model.fit(Pool(table, labels(score, kind), cat_features=cats))
    model.save_model(str(folder / f"{name}.cbm"))
    rows = table.iloc[:WRITTEN]
    raw = np.asarray(model.predict(Pool(rows, cat_features=cats), prediction_type="RawFormulaVal"))
    with open(folder / f"{name}.ndjson", "w", encoding="utf-8") as out:
        for row, values in zip(rows.itertuples(index=False), raw.reshape(len(rows), -1)):
            floats = [float(value) for value in row[:numbers]]
            line = {"floats": floats, "cats": list(row[numbers:]), "texts": [], "raw": values.tolist()}
            out.write(json.dumps(line) + "\n")
    print(name, model.tree_count_, "trees", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHAPES))
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.names or SHAPES:
        if not (given.folder / f"{name}.ndjson").exists():
            train(given.folder, name)


if __name__ == "__main__":
    main()
