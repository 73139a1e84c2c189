"""Times explanations of one row and of a block of 10,000, beside CatBoost's: explain.py MODEL

Each on one thread, in turns, the least time per row: the run-time door (catboost-apply) with tables of all leaves and without, and CatBoost's
get_feature_importance(type="ShapValues") on a ready Pool. The rows are made up. Needs catboost 1.2.10 and numpy."""

import argparse
import json
import random
import subprocess

from catboost import CatBoost, Pool

from measure import ROOT, Calls, existing, table

TURNS = 3
BLOCK = 10_000


def build():
    command = ["cargo", "build", "--release", "--quiet", "--message-format", "json", "-p", "catboost-apply", "--example", "explain_cost"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "explain_cost")


class Ours:
    """The example `explain_cost`: least times and size of the tables, by whether there are tables."""

    def __init__(self, program, model):
        self.command, self.one, self.many, self.bytes = [program, model], {}, {}, {}

    def turn(self):
        done = subprocess.run(self.command, check=True, capture_output=True, text=True)
        for line in done.stdout.splitlines()[1:]:
            tables, one, many, _, size = line.split()
            self.one[tables] = min(float(one), self.one.get(tables, float("inf")))
            self.many[tables] = min(float(many), self.many.get(tables, float("inf")))
            self.bytes[tables] = int(size)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=existing)
    model = arguments.parse_args().model
    ours = Ours(build(), str(model))
    theirs = CatBoost().load_model(str(model))
    drawn = random.Random(1)
    cats, texts = theirs.get_cat_feature_indices(), theirs.get_text_feature_indices()
    words = set(cats) | set(texts)
    row = lambda: ["А 9 3 9" if index in words else drawn.random() for index in range(len(theirs.feature_names_))]
    rows = [row() for _ in range(BLOCK)]

    def of_catboost(rows):
        pool = Pool(rows, cat_features=cats, text_features=texts)
        call = lambda: theirs.get_feature_importance(pool, type="ShapValues", thread_count=1)
        return Calls([call], len(rows), seconds=0.5)

    one, many = of_catboost(rows[:1]), of_catboost(rows)
    for _ in range(TURNS):
        for engine in [ours, one, many]:
            engine.turn()
    one, many = one.nanoseconds(), many.nanoseconds()
    lines = []
    for name, tables in [("with tables", "true"), ("without", "false")]:
        alone, block = ours.one[tables], ours.many[tables]
        lines.append([name, f"{alone:,.0f}", f"{one / alone:,.0f}", f"{block:,.0f}", f"{many / block:,.0f}", f"{ours.bytes[tables]:,}"])
    lines.append(["CatBoost", f"{one:,.0f}", "1", f"{many:,.0f}", "1", "–"])
    table(["", "ns, one row", "× CatBoost", "ns, per row of 10,000", "× CatBoost", "bytes of tables"], lines)


if __name__ == "__main__":
    main()
