#!/usr/bin/env python3
"""Guards speed: `benches/guard.py` counts instructions per row and fails when a stage needs over 3 % more than recorded.

Runs each stage of `benches/stages.rs`, built around the repository's own model, under callgrind. Counts do not depend on what
else the machine does, only on the compiler, whose version is recorded beside them. `BLESS=1` records new numbers in
`benches/guard.json`, so that a change shows in review. Needs valgrind.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from instructions import FEW, MANY, STAGES, callgrind
from measure import ROOT, build

RECORD = ROOT / "benches/guard.json"
CASES = ROOT / "fixtures/test_data.expected.ndjson"
LIMIT = 1.03


def count():
    """Instructions per row of each stage."""
    program = build("stages", PICK_REGNO_MODEL="")
    environment = {**os.environ, "CASES": str(CASES)}
    rows = sum(1 for _ in CASES.open(encoding="utf-8"))
    counts = {}
    for stage in STAGES:
        few, many = (callgrind(program, stage, rounds, environment).total() for rounds in (FEW, MANY))
        counts[stage] = round((many - few) / ((MANY - FEW) * rows))
    return counts


def main():
    compiler = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    counts = count()
    if os.environ.get("BLESS") == "1":
        record = {"compiler": compiler, "instructions per row": counts}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    recorded = record["instructions per row"]
    grown = []
    for stage in sorted({*counts, *recorded}):
        now, then = counts.get(stage), recorded.get(stage)
        print(f"{stage}: {now} instructions per row, {then} recorded")
        if now is None or then is None or now > then * LIMIT:
            grown.append(stage)
    if grown:
        print(
            f"over 3 % more than {Path(RECORD).name} records (with {record['compiler']}; this is {compiler}): {', '.join(grown)}.\n"
            "Make them cheaper, or record the new numbers with BLESS=1 benches/guard.py and say why in the commit.",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
