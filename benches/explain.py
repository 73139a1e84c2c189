"""Times explanations of one row and of a block of 10,000, beside CatBoost's: explain.py MODEL [--program]

Each on one thread, in turns, the least time per row: the run-time door (catboost-apply) with tables of all leaves and without, and CatBoost's
get_feature_importance(type="ShapValues") on a ready Pool. The rows are made up. Needs catboost 1.2.10 and numpy.

--program builds pick-regno around the model, with tables and without, prints the sizes, and times requests from JSON to JSON in process. Each
build takes minutes."""

import argparse
import json
import os
import random
import subprocess

from catboost import CatBoost, Pool

from measure import ROOT, Calls, Criterion, build as build_bench, existing, table

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


def of_program(model):
    """Lines of the table: what pick-regno built around the model costs, with tables and without."""
    lines = []
    for name, explain in [("with tables", "tables"), ("without", "computed")]:
        # A folder each, so that a second run builds nothing.
        folder = ROOT / "target" / "explain" / explain
        environment = {"PICK_REGNO_MODEL": str(model), "PICK_REGNO_EXPLAIN": explain, "CARGO_TARGET_DIR": str(folder)}
        command = ["cargo", "build", "--release", "--quiet", "--message-format", "json", "--bin", "pick-regno"]
        out = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE).stdout
        program = next(m["executable"] for m in map(json.loads, out.splitlines()) if m.get("executable"))
        size = os.path.getsize(program)
        bench = Criterion(build_bench("stages", **environment), only="^row/request JSON to answer JSON")
        for _ in range(TURNS):
            bench.turn()
        times = bench.nanoseconds()
        plain, explained = times["request JSON to answer JSON"], times["request JSON to answer JSON, explained"]
        lines.append([name, f"{size:,}", f"{plain:,.0f}", f"{explained:,.0f}"])
    return lines


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=existing)
    arguments.add_argument("--program", action="store_true")
    arguments = arguments.parse_args()
    model = arguments.model
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
    if arguments.program:
        print()
        table(["program", "bytes", "ns, JSON to JSON", "explained"], of_program(model))


if __name__ == "__main__":
    main()
