#!/usr/bin/env python3
"""Another model against CatBoost: 500 trees of depth 6 on data of the shape of UCI Adult, 6 numbers and 8 categories.

    benches/adult/run.py [FOLDER]

Makes up the data (seeded), trains on it with CatBoost's defaults, compiles the model, holds every row to CatBoost's bits, and
times both turn by turn, on one thread; the least time counts. Model and rows stay in FOLDER (target/adult), and what is
there is taken. Needs catboost, numpy and cargo; times lignum as well, if it is there (`pip install pylignum==0.3.0`).
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "benches"))
import catboost  # noqa: E402
import numpy as np  # noqa: E402
from measure import Calls, Criterion, build, table  # noqa: E402

SEED = 14
TRAINED, TIMED = 32_561, 1_000
TURNS = 5
BLOCKS = [1, 128, 1000, 20_000]
RAW = {"prediction_type": "RawFormulaVal", "thread_count": 1}
# A category and how many values it has, of which the first are the commonest.
CATEGORIES = {
    "workclass": 9, "education": 16, "marital-status": 7, "occupation": 15, "relationship": 6, "race": 5, "sex": 2,
    "native-country": 42,
}
NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]


def make(count, seed):
    """Numbers, categories and targets of made-up people."""
    rng = np.random.default_rng(seed)
    cats = {}
    for name, values in CATEGORIES.items():
        shares = 1 / np.arange(1, values + 1) ** 1.3
        cats[name] = rng.choice(values, count, p=shares / shares.sum())
    # Wholly or partly told by others, as it is among people.
    cats["relationship"] = np.where(rng.random(count) < 0.7, cats["marital-status"] % 6, cats["relationship"])
    education = 16 - cats["education"]
    age = np.clip(rng.gamma(8, 4.8, count), 17, 90).astype(int)
    gain = np.where(rng.random(count) < 0.08, rng.lognormal(8.5, 1, count), 0).astype(int)
    loss = np.where(rng.random(count) < 0.05, rng.normal(1870, 370, count), 0).clip(0).astype(int)
    hours = np.clip(np.where(rng.random(count) < 0.45, 40, rng.normal(40, 14, count)), 1, 99).astype(int)
    weight = rng.lognormal(12, 0.5, count).astype(int)
    numbers = np.stack([age, weight, education, gain, loss, hours], axis=1).astype(np.float32)
    effects = sum(rng.normal(0, 0.5, values)[cats[name]] for name, values in CATEGORIES.items())
    pairs = rng.normal(0, 0.8, (15, 9))[cats["occupation"], cats["workclass"]]
    score = (
        effects + pairs + 0.25 * (education - 10) - ((age - 48) / 14) ** 2 + 0.02 * (hours - 40) + (gain > 5000) * 3
        + (loss > 1800) + rng.logistic(0, 1, count)
    )
    texts = [[f"{name} {value}" for value in values] for name, values in cats.items()]
    return numbers, list(zip(*texts)), (score > np.quantile(score, 0.76)).astype(int)


def rows(numbers, cats):
    return [[*map(float, number), *cat] for number, cat in zip(numbers, cats)]


def train(path):
    numbers, cats, targets = make(TRAINED, SEED)
    model = catboost.CatBoostClassifier(
        iterations=500, depth=6, random_seed=SEED, thread_count=2, allow_writing_files=False, verbose=100
    )
    names = [*NUMBERS, *CATEGORIES]
    model.fit(catboost.Pool(rows(numbers, cats), targets, cat_features=list(CATEGORIES), feature_names=names))
    model.save_model(str(path))


def ready(model, rows):
    pool = catboost.Pool(rows, cat_features=model.get_cat_feature_indices())
    return lambda: model.predict(pool, **RAW)


def lignum(model, folder, timed):
    """The fastest engine for CatBoost's models that we know of, its rows made ready, one thread; none if it is not here."""
    try:
        import lignum as engine
    except ImportError:
        return {}
    pool = catboost.Pool(timed, cat_features=model.get_cat_feature_indices())
    model.save_model(str(folder / "adult.json"), format="json", pool=pool)
    loaded = engine.load(str(folder / "adult.json"))
    # What `predict` does, in its two steps: to hash the categories belongs to making rows ready.
    matrix = loaded._catboost_matrix(timed)
    predict = loaded._c_model.predict
    assert list(predict(matrix, True, 1, "serial")) == list(ready(model, timed)()), "lignum answers as CatBoost does"
    one = [lambda row=row: predict(row, True, 1, "serial") for row in (matrix[at : at + 1] for at in range(100))]
    return {
        "lignum, 1 row, hashed": Calls(one, 100),
        "lignum, 1,000 rows, hashed": Calls([lambda: predict(matrix, True, 1, "serial")], TIMED),
    }


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/adult").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path, lines = folder / "adult.cbm", folder / "adult.ndjson"
    if not path.exists():
        train(path)
    model = catboost.CatBoostClassifier().load_model(str(path))
    # Others than those that it was trained on.
    numbers, cats, _ = make(TIMED, SEED + 1)
    timed = rows(numbers, cats)
    with lines.open("w") as file:
        for number, cat, raw in zip(numbers, cats, ready(model, timed)()):
            json.dump({"floats": list(map(float, number)), "cats": cat, "texts": [], "raw": [raw]}, file)
            file.write("\n")

    theirs = {}
    for size in BLOCKS:
        many = timed * (size // TIMED + 1)
        calls = [ready(model, many[at : at + size]) for at in range(0, max(size, 100), size)]
        theirs[f"CatBoost, predict of a ready Pool of {size:,} rows"] = Calls(calls, size * len(calls))
    theirs |= lignum(model, folder, timed)
    ours = Criterion(build("compiled", MODELS=str(path)), ROWS=str(folder), BLOCKS=str(TIMED))
    for _ in range(TURNS):
        for each in (*theirs.values(), ours):
            each.turn()
    found = {name: calls.nanoseconds() for name, calls in theirs.items()}
    one = ours.nanoseconds()[f"adult, {TIMED}"]
    found["here, row by row"] = one
    batch = found["CatBoost, predict of a ready Pool of 1,000 rows"]
    print(f"{model.tree_count_} trees; {TIMED:,} rows, all answered with CatBoost's bits; one thread, {TURNS} turns\n")
    table(["what", "ns a row", "of CatBoost's blocks of 1,000"], [
        [name, f"{each:,.0f}", f"{each / batch:.3f}"] for name, each in found.items()
    ])


if __name__ == "__main__":
    main()
