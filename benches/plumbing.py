#!/usr/bin/env python3
"""Instructions a row of the service's own readers, beside libraries that do the same: `benches/plumbing.py`.

Runs each task of `benches/plumbing.rs` under callgrind for 1 and for 11 rounds over the fixtures' 100 rows; the difference,
divided, is a row. Needs valgrind.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from measure import ROOT, build, table

FEW, MANY = 1, 11
ROWS = 100
PAIRS = [
    ("a JSON object, its numbers and score lists", "JSON", "JSON, serde_json"),
    ("a row of CSV, cut and read", "CSV", "CSV, csv"),
    ("ten texts, the time in the notation of nearly all requests or in another", "ten texts",
     "ten texts, other notation of the time"),
]


def instructions(program, task):
    def total(rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, "--rounds", str(rounds), task]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            return int(re.search(r"^totals: (\d+)", out.read_text(), re.M)[1])

    return (total(MANY) - total(FEW)) / (MANY - FEW) / ROWS


def main():
    program = build("plumbing")
    rows = []
    for what, own, other in PAIRS:
        counts = instructions(program, own), instructions(program, other)
        rows.append([what, *(f"{count:,.0f}" for count in counts), f"{counts[1] / counts[0]:.1f} ×"])
    table(["what is read", "own", "library", "ratio"], rows)


if __name__ == "__main__":
    main()
