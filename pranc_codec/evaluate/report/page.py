"""Render an HTML page with curves, a table, and crops at equal bytes. It works offline."""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from pranc_codec.errors import PrancError
from pranc_codec.evaluate.report.crops import Comparison, Crop
from pranc_codec.evaluate.report.plot import CURVE_COLOURS
from pranc_codec.evaluate.report.report import Report
from pranc_codec.evaluate.report.tables import BdTable

TEMPLATE: Final = "page.html"
MEASURE_LABELS: Final = {  # key of the results: its name on the page
    "psnr-rgb": "PSNR of RGB, mean of dB (dB)",
    "psnr-of-mean-mse-rgb": "PSNR of RGB, of the mean MSE (dB)",
    "ms-ssim-rgb": "MS-SSIM of RGB, five scales (dB)",
    "ssimulacra2": "SSIMULACRA 2 (score)",
    "ssim-rgb": "SSIM of RGB, Gaussian 11x11 (dB)",
    "encoding_time": "encoding (s)",
    "decoding_time": "decoding (s)",
}


def render_page(
    reports: Sequence[Report],
    *,
    title: str,
    table: BdTable,
    comparisons: Sequence[Comparison] = (),
) -> str:
    """Return the page as text.

    Reports that have results of single images were measured and are drawn in colour; published
    ones are grey. Raises PrancError if plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise PrancError(
            f"{error}: the page needs pip install 'pranc-codec[html]' (plotly)"
        ) from error
    parts = {
        "title": html.escape(title),
        "table": _table(table),
        "crops": "".join(map(_comparison, comparisons)),
        "sources": "".join(map(_source, reports)),
        "data": _json({"curves": _curves(reports), "measures": MEASURE_LABELS}),
        "plotly": get_plotlyjs(),
    }
    page = files("pranc_codec.evaluate.report").joinpath(TEMPLATE).read_text()
    for name, text in parts.items():
        page = page.replace(f"[[{name}]]", text)
    return page


def _curves(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return the data that the page's script draws."""
    colours = iter(CURVE_COLOURS * len(reports))
    return [
        {
            "name": report.name,
            "colour": next(colours) if report.per_image else None,
            "parameter": report.parameter,
            "points": list(report.points),
            "mean": dict(report.results),
            "images": {image: dict(series) for image, series in report.per_image.items()},
        }
        for report in reports
    ]


def _json(document: dict[str, Any]) -> str:
    """Return JSON without `<`, so that it cannot close the script element around it."""
    return json.dumps(document, allow_nan=False).replace("<", "\\u003c")


def _table(table: BdTable) -> str:
    lines = [
        f"<tr><td>{html.escape(row.curve)}</td><td>{row.rate_text()}</td>"
        f"<td>{html.escape(row.interval_text())}</td></tr>"
        for row in table.rows
    ]
    return (
        f'<p class="hint">{html.escape(table.caption())}</p><div class="scroll"><table>'
        "<thead><tr><th>curve</th><th>BD-rate</th><th>interval</th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _comparison(comparison: Comparison) -> str:
    name = html.escape(comparison.image)
    figures = "".join(_figure(crop, name) for crop in comparison.crops)
    return f'<h3>{name} at {comparison.target_bpp:g} bpp</h3><div class="crops">{figures}</div>'


def _figure(crop: Crop, image: str) -> str:
    name = html.escape(crop.name)
    numbers = (
        f"<br>{crop.file_bytes:,} bytes, {crop.bpp:.3f} bpp<br>{crop.psnr_db:.2f} dB"
        if crop.file_bytes is not None
        else ""
    )
    return (
        f'<figure><img src="{crop.data_uri}" alt="middle of {image}, {name}">'
        f"<figcaption><b>{name}</b>{numbers}</figcaption></figure>"
    )


def _source(report: Report) -> str:
    """Say where a curve's numbers come from: its description, or codec and version."""
    text = f"{report.codec or ''} {report.version or ''}".strip()
    return f"<dt>{html.escape(report.name)}</dt><dd>{html.escape(report.description or text)}</dd>"
