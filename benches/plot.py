"""Draws how a cost grows, as a small SVG. Needs matplotlib."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# Letters stay letters, and the same figures give the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pick-regno", "font.size": 9})


def draw(path, x_label, y_label, x, lines, marks=()):
    """Both axes are logarithmic. `lines`: by name, a y for each x. `marks`: (x, what is so from there on)."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, y in lines.items():
        axes.plot(x, y, marker="o", markersize=3, linewidth=1.2, label=name)
    for at, what in marks:
        axes.axvline(at, color="grey", linewidth=0.8, linestyle=":")
        axes.text(at, 0.02, f" {what}", rotation=90, va="bottom", ha="right", color="grey", transform=axes.get_xaxis_transform())
    axes.set(xlabel=x_label, ylabel=y_label, xscale="log", yscale="log")
    axes.grid(True, which="major", linewidth=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
