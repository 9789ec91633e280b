"""Draw rate-distortion curves with matplotlib."""

import io
import math
import os
from collections.abc import Collection, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Final

import numpy as np

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.report.curves import Curve
from pranc_codec.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE_COLOURS: Final = (
    "#d1495b", "#00798c", "#e3962b", "#30638e", "#6a994e", "#7b4ea3",
    "#8c5a3c", "#17becf", "#e377c2", "#556b2f", "#5c6bc0", "#9e9d24",
)  # fmt: skip
WIDTH_PX, HEIGHT_PX, DPI = 900, 600, 100
LEFT_PX, BOTTOM_PX, TOP_PX, RIGHT_PX = 62, 54, 44, 22  # margins around the axes, without labels
GAP_PX, LINE_PX, LETTER_PX = 10, 14, 7  # labels: distance from the axes, height, width of a letter
FIRST_TICK_BPP: Final = 0.0125  # each further tick is at twice the rate


def plot_curves(
    curves: Sequence[Curve],
    path: str | os.PathLike[str],
    *,
    title: str,
    measured: Collection[str] = frozenset(),
) -> None:
    """Write a plot of PSNR over the logarithm of the rate as a PNG file; see `plot_png`."""
    png = plot_png(curves, title=title, measured=measured)
    with write_atomically(path) as file:
        file.write(png)


def plot_png(
    curves: Sequence[Curve], *, title: str, measured: Collection[str] = frozenset()
) -> bytes:
    """Return a plot of PSNR over the logarithm of the rate, as a PNG file of 900x600 pixels.

    Curves whose names are in `measured` are drawn bold and determine the ranges of the axes. All
    others, which are published points, are thin and grey with a label at the right. Raises
    InvalidArgument without any curve, or if `measured` names a curve that does not exist.
    """
    from matplotlib.figure import Figure

    unknown = sorted(set(measured) - {curve.name for curve in curves})
    if unknown or not curves:
        raise InvalidArgument(
            f"measured curves {unknown} are not among {[curve.name for curve in curves]}"
        )
    bold = [curve for curve in curves if curve.name in measured]
    thin = [curve for curve in curves if curve.name not in measured]
    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI)
    axes = figure.add_axes(_place_for_axes([curve.name for curve in thin]))
    _set_up(axes, bold or thin, title)
    _draw_measured(axes, bold)
    _draw_published(axes, thin)
    _label(axes, thin)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _place_for_axes(labels: Sequence[str]) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height as fractions of the figure, beside the labels."""
    column_px = GAP_PX + LETTER_PX * max((len(label) for label in labels), default=0)
    width_px = WIDTH_PX - LEFT_PX - max(RIGHT_PX, column_px)
    height_px = HEIGHT_PX - BOTTOM_PX - TOP_PX
    return (
        LEFT_PX / WIDTH_PX,
        BOTTOM_PX / HEIGHT_PX,
        width_px / WIDTH_PX,
        height_px / HEIGHT_PX,
    )


def _set_up(axes: "Axes", leading: Sequence[Curve], title: str) -> None:
    """Set scales, ranges with room for the legend, ticks at doubled rates, and the grid."""
    low, high = min(c.bpp[0] for c in leading), max(c.bpp[-1] for c in leading)
    bottom = min(min(c.psnr_db) for c in leading)
    top = max(max(c.psnr_db) for c in leading)
    margin_db = max(0.5, 0.06 * (top - bottom))
    axes.set_xscale("log", base=2)
    axes.set_xlim(low / 1.25, high * 1.25)
    axes.set_ylim(bottom - margin_db, top + 2 * margin_db)
    first = math.ceil(math.log2(low / 1.25 / FIRST_TICK_BPP))
    last = math.floor(math.log2(high * 1.25 / FIRST_TICK_BPP))
    ticks = [FIRST_TICK_BPP * 2.0**k for k in range(first, last + 1)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel("PSNR (dB)")
    axes.set_title(title, loc="left", fontweight="bold")


def _draw_measured(axes: "Axes", curves: Sequence[Curve]) -> None:
    for curve, colour in zip(curves, cycle(CURVE_COLOURS), strict=False):
        axes.plot(
            curve.bpp,
            curve.psnr_db,
            color=colour,
            linewidth=2.6,
            marker="o",
            markersize=5,
            label=curve.name,
            zorder=3,
        )
    if curves:
        axes.legend(loc="upper left", frameon=False)


def _draw_published(axes: "Axes", curves: Sequence[Curve]) -> None:
    for curve, dashes in zip(curves, cycle([(5, 2), (1.5, 1.5), (7, 2, 1.5, 2)]), strict=False):
        axes.plot(curve.bpp, curve.psnr_db, color="#8a8a8a", linewidth=1, dashes=dashes, zorder=2)


def _label(axes: "Axes", curves: Sequence[Curve]) -> None:
    """Write the names of curves in a column beside the axes, in the order of their ends."""
    ends = [(*end, curve.name) for curve in curves if (end := _visible_end(axes, curve))]
    ends.sort(key=lambda end: (end[1], -end[0]))
    column = float(axes.get_window_extent().x1) + GAP_PX
    heights = _spread([y for _, y, _ in ends], float(axes.get_window_extent().y1))
    for (x, y, name), height in zip(ends, heights, strict=True):
        axes.annotate(
            name,
            (x, y),
            xycoords="figure pixels",
            xytext=(column, height),
            textcoords="figure pixels",
            fontsize=8,
            color="#6f6f6f",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": "#cfcfcf",
                "linewidth": 0.7,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
            zorder=1,
        )


def _spread(heights: Sequence[float], top: float) -> list[float]:
    """Move rising heights apart by at least one line and below `top`, as little as needed."""
    out: list[float] = []
    for height in heights:
        out.append(max(height, out[-1] + LINE_PX) if out else height)
    for i in reversed(range(len(out))):
        out[i] = min(out[i], out[i + 1] - LINE_PX if i + 1 < len(out) else top)
    return out


def _visible_end(axes: "Axes", curve: Curve) -> tuple[float, float] | None:
    """Return the pixel position where the curve ends or leaves the axes; None if it is outside."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    log_rate = np.linspace(math.log(curve.bpp[0]), math.log(curve.bpp[-1]), 1000)
    psnr_db = np.interp(log_rate, np.log(curve.bpp), curve.psnr_db)
    inside = (left <= np.exp(log_rate)) & (np.exp(log_rate) <= right)
    inside &= (bottom <= psnr_db) & (psnr_db <= top)
    if not inside.any():
        return None
    last = int(np.flatnonzero(inside)[-1])
    leaves = psnr_db[last + 1 : last + 2].max(initial=bottom) > top
    x, y = axes.transData.transform((math.exp(log_rate[last]), top if leaves else psnr_db[last]))
    return float(x), float(y)
