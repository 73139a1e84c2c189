#!/usr/bin/env python3
"""Instructions a row, stage by stage and part by part: `benches/instructions.py [MODEL [CASES]]`.

Runs each stage of `benches/stages.rs`, built around MODEL, under callgrind, for 1 and for 11 rounds over the rows of CASES; the
difference, divided, is a row. Counts do not depend on what else the machine does.

What a stage is made of is told by the source: an instruction belongs to the part whose file is the outermost among those
that it was inlined from, and what a function without a part of its own costs (sorting, copying) to where it is called.
Needs valgrind and binutils.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from measure import ROOT, build, existing, table

FEW, MANY = 1, 11
STAGES = [
    "request JSON to request", "ten texts to request", "request to features", "features to raw", "features to raw, loaded", "answer to JSON",
    "request JSON to answer JSON",
]
# What a file's instructions count as.
PARTS = {
    "src/request/json.rs": "JSON",
    "src/request/scores.rs": "score lists",
    "src/request/number.rs": "numbers and time",
    "src/request/time.rs": "numbers and time",
    "src/features.rs": "features",
    "src/plate.rs": "features",
    "src/python_sort.rs": "features",
    "catboost-runtime/src/compiled/bins.rs": "model: quantization",
    "catboost-runtime/src/compiled/bayes.rs": "model: texts",
    "catboost-runtime/src/compiled/letters.rs": "model: texts",
    "catboost-runtime/src/compiled/texts.rs": "model: texts",
    "catboost-runtime/src/compiled/tokens.rs": "model: texts",
    "catboost-runtime/src/compiled/categories.rs": "model: categories and CTRs",
    "catboost-runtime/src/compiled/crosses.rs": "model: categories and CTRs",
    "catboost-runtime/src/hash.rs": "model: categories and CTRs",
    "catboost-runtime/src/compiled/answers.rs": "model: trees",
    "catboost-runtime/src/compiled/trees.rs": "model: trees",
    "catboost-runtime/src/math.rs": "sigmoid",
    "src/answer.rs": "answer text",
}
REST = "all else"


class Profile:
    """What callgrind counted: by function, its own instructions by address, and its calls."""

    def __init__(self, text):
        self.own = defaultdict(lambda: defaultdict(int))
        self.calls = defaultdict(lambda: defaultdict(int))
        called = is_call = None
        object_file = called_object = ""
        for line in text.splitlines():
            if match := re.match(r"(ob|fn|cob|cfn)=(.*)", line):
                kind, name = match.groups()
                if kind == "ob":
                    object_file = name
                elif kind == "fn":
                    function = (object_file, name)
                    called_object = object_file
                elif kind == "cob":
                    called_object = name
                else:
                    called, called_object = (called_object, name), object_file
            elif line.startswith("calls="):
                is_call = True
            elif match := re.match(r"0x([0-9a-f]+) \d+ (\d+)", line):
                address, count = int(match[1], 16), int(match[2])
                if is_call:
                    self.calls[function][address, called] += count
                else:
                    self.own[function][address] += count
                is_call = False

    def less(self, other):
        """What this one has more than another."""
        for mine, others in ((self.own, other.own), (self.calls, other.calls)):
            for function, counts in mine.items():
                for key in counts:
                    counts[key] -= others[function][key]
        return self

    def total(self):
        return sum(sum(counts.values()) for counts in self.own.values())

    def parts(self, part_of):
        """Instructions by part. `part_of` an address is None where its source belongs to none."""
        # A function that has a part of its own accounts for itself; of others, whoever calls them does.
        owns = {function for function, counts in self.own.items() if any(map(part_of, counts))}
        shares = {}

        def share(function):
            """How much of what a call of a function costs is to be accounted for where it is called."""
            if function in owns:
                return 0
            if function not in shares:
                shares[function] = 1
                own = sum(self.own[function].values())
                calls = [(count, callee) for (_, callee), count in self.calls[function].items()]
                whole = own + sum(count for count, _ in calls)
                passed = own + sum(count * share(callee) for count, callee in calls)
                shares[function] = passed / whole if whole else 0
            return shares[function]

        parts = defaultdict(float)
        for function in owns:
            for address, count in self.own[function].items():
                parts[part_of(address) or REST] += count
            for (address, callee), count in self.calls[function].items():
                parts[part_of(address) or REST] += count * share(callee)
        parts[REST] += self.total() - sum(parts.values())
        return parts


def callgrind(program, stage, rounds, environment):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = [
            "valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--compress-strings=no",
            f"--callgrind-out-file={out}", program, "--rounds", str(rounds), stage,
        ]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        return Profile(out.read_text())


def locate(program, addresses):
    """By address, the part that its source belongs to, if any."""
    command = ["addr2line", "--addresses", "--inlines", "--exe", program]
    asked = "\n".join(f"{address:x}" for address in addresses)
    told = subprocess.run(command, input=asked, check=True, capture_output=True, text=True).stdout
    found, address = {}, None
    for line in told.splitlines():
        if line.startswith("0x"):
            address = int(line, 16)
            found[address] = None
            continue
        # The outermost comes last.
        path = line.rsplit(":", 1)[0]
        part = next((part for end, part in PARTS.items() if path.endswith(end)), None)
        found[address] = part or found[address]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=existing, nargs="?")
    parser.add_argument("cases", type=existing, nargs="?", default=ROOT / "fixtures/test_data.expected.ndjson")
    args = parser.parse_args()
    model, cases = str(args.model or ""), str(args.cases)
    with open(cases, encoding="utf-8") as file:
        rows = sum(1 for _ in file)
    # Lines are told, and nothing else changes: the program is that of `cargo bench`.
    program = build(
        "stages", PICK_REGNO_MODEL=model, CARGO_PROFILE_BENCH_DEBUG="line-tables-only", CARGO_PROFILE_BENCH_STRIP="none"
    )
    environment = {**os.environ, "CASES": cases}
    lines, parts = [], {}
    for stage in STAGES:
        few, many = (callgrind(program, stage, rounds, environment) for rounds in (FEW, MANY))
        profile = many.less(few)
        each = (MANY - FEW) * rows
        lines.append([stage, f"{profile.total() / each:,.0f}"])
        if stage == STAGES[-1]:
            addresses = {address for counts in profile.own.values() for address in counts}
            addresses |= {address for counts in profile.calls.values() for address, _ in counts}
            parts = profile.parts(locate(program, sorted(addresses)).get)
    print(f"{rows:,} rows of {cases}\n")
    table(["stage", "instructions a row"], lines)
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    whole = sum(parts.values())
    table(
        [f"of «{STAGES[-1]}»", "instructions a row", "share"],
        [[part, f"{count / each:,.0f}", f"{count / whole:.1%}"] for part, count in ordered],
    )


if __name__ == "__main__":
    main()
