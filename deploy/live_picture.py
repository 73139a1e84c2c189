"""Draws the answers to a dashboard's queries where the dashboard has its panels: a picture without Grafana."""

import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

COLUMN, ROW = 0.75, 0.34  # inches of a grid cell
FACTORS = {"percentunit": (100, "%"), "s": (1e3, "ms"), "bytes": (2**-20, "MiB"), "Bps": (2**-10, "KiB/s"), "reqps": (1, "/s"),
           "rowsps": (1, "rows/s"), "ops": (1, "/s"), "none": (1, "")}
LONG = {"Age": (1, "s"), "Certificate expires in": (1 / 86400, "days")}


def label(legend, metric):
    for name, value in metric.items():
        legend = legend.replace("{{" + name + "}}", value)
    return re.sub(r"\{\{\w+\}\} ?", "", legend)


def scale(panel):
    return LONG.get(panel["title"]) or FACTORS[panel["fieldConfig"]["defaults"]["unit"]]


def stat(axes, panel, found):
    factor, unit = scale(panel)
    value = found[0][0][2][-1] * factor
    axes.text(0.5, 0.42, f"{value:,.3g} {unit}".strip(), ha="center", va="center", fontsize=22, color="#1f60c4")
    axes.axis("off")


def graph(axes, panel, found, begin):
    factor, unit = scale(panel)
    defaults = panel["fieldConfig"]["defaults"]
    names, lines = [], []
    for target, series in zip(panel["targets"], found):
        for metric, times, values in sorted(series, key=lambda one: label(target["legendFormat"], one[0])):
            names.append(label(target["legendFormat"], metric) or panel["title"])
            lines.append((np.array(times) - begin, np.array(values) * factor))
    if "stacking" in defaults["custom"]:
        times = sorted({time for each, _ in lines for time in each})
        heights = [np.interp(times, each, values, left=0, right=0) for each, values in lines]
        axes.stackplot(times, heights, labels=names, alpha=0.8)
        lines = [(times, np.sum(heights, axis=0))]
    else:
        for name, (times, values) in zip(names, lines):
            axes.plot(times, values, label=name, linewidth=1.3)
    if defaults.get("min") == 0:
        axes.set_ylim(0, 1.3 * max((values.max() for _, values in lines), default=0) or 1)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_ylabel(unit, fontsize=8)
    axes.grid(alpha=0.25)
    if len(names) > 1 or panel["targets"][0]["legendFormat"]:
        axes.legend(fontsize=7, loc="upper left", ncol=2 if len(names) > 6 else 1, framealpha=0.7)


def heatmap(axes, found, begin):
    series = sorted(found[0], key=lambda one: float(one[0]["le"]))
    times = sorted({time for _, each, _ in series for time in each})
    below = np.array([np.interp(times, each, values) for _, each, values in series])
    counts = np.diff(below, axis=0, prepend=0)
    keep = [row for row, one in enumerate(series) if one[0]["le"] != "+Inf"]
    axes.imshow(counts[keep], origin="lower", aspect="auto", cmap="Blues",
                extent=(times[0] - begin, times[-1] - begin, -0.5, len(keep) - 0.5), interpolation="nearest")
    axes.set_yticks(range(len(keep)), [f"≤ {float(series[row][0]['le']) * 100:g} %" for row in keep], fontsize=7)


def table(axes, found):
    axes.axis("off")
    for line, (metric, _, _) in enumerate(found[0]):
        for at, (name, value) in enumerate(pair for pair in metric.items() if pair[0] not in ("__name__", "job")):
            value = value if len(value) < 40 else value[:32] + "…"
            axes.text(0, 0.9 - 0.12 * (at + 5 * line), f"{name}: {value}", fontsize=8, family="monospace", va="top")


def draw(dashboard, answers, begin, path):
    """`answers`: for each query, by the name that `live.py` gives it, its series: labels, times, values."""
    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(24 * COLUMN, height * ROW + 0.5), dpi=80)
    for panel in panels:
        place = panel["gridPos"]
        top = 1 - (place["y"] + 1) * ROW / (height * ROW + 0.5)
        if panel["type"] == "row":
            figure.text(0.01, top - 0.001, panel["title"], fontsize=13, weight="bold", va="top")
            continue
        pad_x, pad_top, pad_bottom = 0.8 / 24, 0.95, 0.75
        axes = figure.add_axes((
            place["x"] / 24 + pad_x, top - (place["h"] - pad_bottom) / (height + 0.5 / ROW),
            place["w"] / 24 - pad_x - 0.008, (place["h"] - pad_top - pad_bottom) / (height + 0.5 / ROW),
        ))
        axes.set_title(panel["title"], fontsize=10, loc="left")
        axes.tick_params(labelsize=7)
        found = [answers[f"dashboard, {panel['title']}, {target['refId']}"] for target in panel["targets"]]
        match panel["type"]:
            case "stat":
                stat(axes, panel, found)
            case "heatmap":
                heatmap(axes, found, begin)
            case "table":
                table(axes, found)
            case _:
                graph(axes, panel, found, begin)
    figure.text(0.99, 0.997, "seconds from the start of the load", fontsize=9, ha="right", va="top", color="gray")
    figure.savefig(path)
    print(f"drawn: {path}")
