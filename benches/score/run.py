"""`score` of a million rows, from a CSV to a file of answers, against CatBoost's batch predict alone, turn by turn.

    python3 benches/score/run.py MODEL.cbm target/release/pick-regno

The program must be built around the same model. The opponent is `predict` of CatBoost's Python package on a ready Pool,
in batches, on one thread: neither reading nor features nor writing are counted for it, all of them for `score`. Both
are counted in CPU time, which other work on the machine does not add to, as it does to wall time.
"""

import argparse
import csv
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import catboost

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "model"))
import pick_regno  # noqa: E402

BATCH = 20_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT / "fixtures/test_data.csv", help="rows that are repeated")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def repeat(data, rows, target):
    """Writes the rows of `data` over and over, so that there are `rows` of them."""
    header, *lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    with target.open("w", encoding="utf-8") as file:
        file.write(header)
        for start in range(0, rows, len(lines)):
            file.writelines(lines[: rows - start])


def pool(model, data):
    """A ready Pool of one batch."""
    with data.open(newline="", encoding="utf-8") as file:
        features = [pick_regno.features(row, model.feature_names_) for row in csv.DictReader(file)]
    batch = [features[nth % len(features)] for nth in range(BATCH)]
    return catboost.Pool(
        batch, cat_features=model.get_cat_feature_indices(), text_features=model.get_text_feature_indices()
    )


def predict(model, ready, rows):
    """CPU seconds a row."""
    batches = max(1, rows // 10 // BATCH)
    start = time.process_time()
    for _ in range(batches):
        model.predict(ready, prediction_type="RawFormulaVal", thread_count=1)
    return (time.process_time() - start) / (batches * BATCH)


def score(binary, source, target, threads, rows):
    """CPU seconds a row, wall seconds, and greatest memory in KiB."""
    start = time.perf_counter()
    with target.open("wb") as out:
        command = [binary, "score", source, "--threads", str(threads)]
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
    # The greatest memory that `wait4` reports would be Python's own, from which the child began.
    memory = 0
    while (ended := os.wait4(child.pid, os.WNOHANG))[0] == 0:
        memory = max(memory, peak(child.pid))
        time.sleep(0.02)
    _, status, usage = ended
    wall = time.perf_counter() - start
    assert status == 0, f"score ended with {status}"
    return (usage.ru_utime + usage.ru_stime) / rows, wall, memory


def peak(pid):
    """The greatest memory of a process so far, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), 0))


def check_model(binary, model):
    """Ends the script if the program was built around another model: then the two do not do the same work."""
    try:
        own = json.loads(subprocess.run([binary, "model"], check=True, capture_output=True).stdout)["sha256"]
        given = hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as why:
        sys.exit(f"score/run.py: {why}")
    if own != given:
        sys.exit(f"{binary} is not built around {model}: PICK_REGNO_MODEL={model} cargo build --release")


def main():
    args = arguments()
    check_model(args.binary, args.model)
    model = catboost.CatBoost().load_model(args.model)
    ready = pool(model, args.data)
    predict(model, ready, args.rows)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "rows.csv"), Path(folder, "answers.ndjson")
        repeat(args.data, args.rows, source)
        size = source.stat().st_size
        figures = []
        print("round  catboost µs/row  score µs/row  ratio  wall s  MiB")
        for nth in range(args.rounds):
            opponent = predict(model, ready, args.rows)
            own, wall, memory = score(args.binary, source, target, args.threads, args.rows)
            figures.append((opponent, own, opponent / own, wall, memory))
            print(
                f"{nth + 1:5}  {opponent * 1e6:15.3f}  {own * 1e6:12.3f}  {opponent / own:5.2f}"
                f"  {wall:6.2f}  {memory / 1024:3.1f}",
                flush=True,
            )
        with target.open("rb") as answers:
            written = sum(1 for _ in answers)
        assert written == args.rows, f"{written} answers"
    opponent, own, ratio, wall, memory = (statistics.median(column) for column in zip(*figures))
    print(
        f"{args.rows:,} rows ({size / 2**20:.0f} MiB), {args.threads} threads, medians of {args.rounds}: "
        f"{own * 1e6:.3f} µs of CPU a row, CatBoost {opponent * 1e6:.3f}: {ratio:.2f} times its rows a second a core; "
        f"{args.rows / wall:,.0f} rows a second; {memory / 1024:.1f} MiB at most"
    )


if __name__ == "__main__":
    main()
