"""Draw plotly figures, and arrays as pictures."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

from pranc_codec import Analysis, LevelInfo
from pranc_codec.evaluate import Curve

COLOURS: Final = (
    "#0f766e", "#d97706", "#4f46e5", "#be123c", "#0891b2", "#65a30d", "#9333ea", "#64748b",
    "#b45309", "#2563eb",
)  # fmt: skip
INK: Final = "#748094"
GRID: Final = "rgba(128, 128, 128, 0.25)"
"""A colour that is visible on a light and on a dark page."""
FINEST_SIDE: Final = 256
"""Pictures of latents are enlarged to about this many pixels on their longest side."""


def _styled(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Give a figure the page's look. It has no fixed width and adapts to a phone's."""
    return figure.update_layout(
        height=height, template="plotly_white", autosize=True, dragmode=False,
        margin=dict(l=8, r=8, t=36, b=8), paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font=dict(family="system-ui, sans-serif", size=13, color=INK),
        **layout,
    ).update_xaxes(gridcolor=GRID).update_yaxes(gridcolor=GRID)  # fmt: skip


def histogram(analysis: Analysis) -> go.Figure:
    """Histogram of the coefficients' symbols, stacked by layer."""
    figure = go.Figure()
    for layer, colour in zip(analysis.layers, _cycled(len(analysis.layers)), strict=True):
        values, counts = np.unique(layer.symbols, return_counts=True)
        figure.add_bar(
            x=values, y=counts, name=f"{layer.name}: {layer.coefficients:,}", marker_color=colour
        )
    return _styled(
        figure, 300, barmode="stack", bargap=0.05, xaxis_title="symbol (coefficient / step)",
        yaxis_title="coefficients",
        legend=dict(x=1, xanchor="right", y=1, font_size=11, bgcolor="rgba(0,0,0,0)"),
    )  # fmt: skip


def _cycled(count: int) -> list[str]:
    return [COLOURS[n % len(COLOURS)] for n in range(count)]


def rate_distortion(curves: Sequence[tuple[Curve, bool]], title: str) -> go.Figure:
    """Plot PSNR over rate.

    curves: pairs of a curve and whether it was measured with this package. Measured curves are
    thick, published ones are dotted.
    """
    figure = go.Figure()
    for (curve, measured), colour in zip(curves, _cycled(len(curves)), strict=True):
        figure.add_scatter(
            x=curve.bpp, y=curve.psnr_db, name=curve.name, mode="lines+markers",
            line=dict(width=3 if measured else 1.5, color=colour, dash=None if measured else "dot"),
            marker=dict(size=7 if measured else 4),
            hovertemplate=f"{curve.name}: %{{x:.3f}} bpp, %{{y:.2f}} dB<extra></extra>",
        )  # fmt: skip
    marks = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
    return _styled(
        figure, 600, title=dict(text=title, y=0.99, font_size=15),
        xaxis=dict(title="bits per pixel", type="log", range=[-1.4, 0.42], tickvals=marks),
        yaxis=dict(title="PSNR in dB", range=[20, 44]),
        legend=dict(orientation="h", y=-0.14, x=0), hovermode="closest",
    )  # fmt: skip


def coloured(values: np.ndarray, scale: str) -> np.ndarray:
    """Map values in [0, 1] to colours of a plotly scale, uint8 (h, w, 3)."""
    marks = np.linspace(0, 1, 65)
    table = np.array([unlabel_rgb(c) for c in sample_colorscale(scale, marks.tolist())])
    planes = [np.interp(values, marks, table[:, channel]) for channel in range(3)]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def heat_map(bits: np.ndarray) -> np.ndarray:
    """Draw bits per pixel from black (none) to white (most), uint8 (h, w, 3)."""
    most = float(np.quantile(bits, 0.995)) or 1.0
    return coloured(np.sqrt((bits / most).clip(0, 1)), "Inferno")


def latents_picture(level: LevelInfo) -> np.ndarray:
    """Draw a level's bands side by side, uint8 (h, w, 3).

    Positive values are red, negative ones blue, and zeros white.
    """
    largest = max(1, int(np.abs(level.symbols).max()))
    size = 0.4 + 0.6 * np.log1p(np.abs(level.symbols)) / np.log1p(largest)
    bands = coloured(0.5 - 0.5 * np.sign(level.symbols) * size, "RdBu")
    times = max(1, FINEST_SIDE // max(level.symbols.shape[1:]))
    gap = np.full((bands.shape[1] * times, 4, 3), 255, dtype=np.uint8)
    parts = [np.concatenate([b.repeat(times, 0).repeat(times, 1), gap], axis=1) for b in bands]
    return np.concatenate(parts, axis=1)[:, :-4]
