#!/usr/bin/env python3
"""Draws the table of docs/blocks.md: time per row of ours, CatBoost and lignum, one row at a time and in blocks of 1,000.

    benches/shapes/plot.py [TABLE.md [PICTURE.svg]]      default: docs/blocks.md docs/img/shapes.svg

TABLE.md is any file with the table that `time.py` prints. Needs matplotlib.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pick-regno", "font.size": 9})
PANELS = {
    "Blocks of 1,000 rows": {"ours": "pick-regno", "CatBoost": "CatBoost 1.2.10", "lignum": "lignum 0.3.0"},
    "One row at a time": {"ours, one row": "pick-regno", "CatBoost, one row": "CatBoost 1.2.10"},
}
COLOURS = {"pick-regno": "#c2410c", "CatBoost 1.2.10": "#475569", "lignum 0.3.0": "#94a3b8"}


def read(path):
    """Columns of the table by name; a dash is None."""
    lines = [line.strip().strip("|").split("|") for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [[cell.strip() for cell in line] for line in lines]
    start = next(at for at, line in enumerate(lines) if line[0] == "shape")
    rows = []
    for line in lines[start + 2 :]:
        if len(line) != len(lines[start]):
            break
        rows.append(line)
    columns = dict(zip(lines[start], zip(*rows)))
    return {
        name: list(cells) if name == "shape" else [None if cell == "–" else float(cell.replace(",", "")) for cell in cells]
        for name, cells in columns.items()
    }


def main():
    table = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "blocks.md"
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "img" / "shapes.svg"
    columns = read(table)
    shapes = columns["shape"]
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8), layout="constrained", sharey=True)
    for axis, (title, engines) in zip(axes, PANELS.items()):
        height = 0.8 / len(engines)
        for number, (column, engine) in enumerate(engines.items()):
            present = [(at, value) for at, value in enumerate(columns[column]) if value is not None]
            axis.barh(
                [at + (number - (len(engines) - 1) / 2) * height for at, _ in present],
                [value for _, value in present],
                height=height,
                color=COLOURS[engine],
                label=engine,
            )
        axis.set(title=title, xlabel="ns per row, one thread (logarithmic; less is better)", xscale="log")
        axis.set_xlim(left=10)
        axis.set_yticks(range(len(shapes)), shapes)
        axis.grid(True, axis="x", which="major", linewidth=0.3)
        axis.set_axisbelow(True)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, ncols=3, loc="outside lower center")
    figure.savefig(picture, metadata={"Date": None})
    print(picture)


main()
