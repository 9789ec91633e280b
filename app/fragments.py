"""Make pieces of HTML. Texts from visitors and files are escaped."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from pranc_codec import Analysis, Header

from .encoding import Told

CURVE_SIZE: Final = (240, 56)
GRID_WORDS: Final = (
    "Latents on a wavelet's grids say what is where; the network's coefficients, which change a "
    "trained prior, say how they become colours. In the pictures of latents, red is above zero and "
    "blue below."
)
MLP_WORDS: Final = (
    "All weights of the network are made from a seed and these coefficients. No bit belongs to a "
    "place: each coefficient shapes the whole picture."
)


def headline() -> str:
    """Return the page's headline, which explains the page in four steps."""
    steps = (
        ("Your picture", "pixels in"),
        ("A network is fitted to it", "watch it sharpen"),
        ("The network is the file", "a few kilobytes"),
        ("Beside JPEG, WebP, AVIF", "at the same bytes"),
    )
    items = "".join(
        f"<li><b>{number}</b><span>{what}<small>{how}</small></span></li>"
        for number, (what, how) in enumerate(steps, 1)
    )
    return (
        "<header class='story'><h1>See an image become a network</h1>"
        "<p><code>pranc_codec</code> fits a neural network to one picture, and the network is the "
        "file: a seed and a few kilobytes of numbers. Does it beat JPEG on yours?</p>"
        f"<ol>{items}</ol></header>"
    )


def invitation() -> str:
    """Return the text that is shown before there are any results."""
    return (
        "<div class='invitation'><b>Choose a picture, then press Encode.</b><span>It appears here "
        "as the network sees it and gets sharper; then its file is held against JPEG, WebP and "
        "AVIF of the same size.</span></div>"
    )


def status(told: Told) -> str:
    """Show the state of an encoding: a progress bar, numbers, and the loss so far."""
    p = told.progress
    if p is None:
        words, share = "Measuring the picture", None
        numbers = [("seconds", f"{told.seconds:.0f}")]
        if told.expected_s is not None:
            numbers.append(("expected", duration(told.expected_s)))
    else:
        words, share = (
            f"Fitting the network: iteration {p.iteration} of {p.iterations}",
            p.iteration / p.iterations,
        )
        numbers = [
            ("bits per pixel", f"{p.bpp_estimate:.3f}"),
            ("PSNR", f"{p.psnr_db_estimate:.2f} dB"),
            ("seconds", f"{told.seconds:.0f}"),
        ]
    value = "" if share is None else f" value='{share:.3f}'"
    return (
        f"<div class='status'><p>{words}</p><progress{value}></progress>"
        f"{facts(numbers)}{curve(told.losses)}</div>"
    )


def curve(values: Sequence[float]) -> str:
    """Draw a small curve of the loss over the iterations."""
    if len(values) < 2:
        return ""
    width, height = CURVE_SIZE
    low, high = min(values), max(values)
    span = high - low or 1.0
    points = " ".join(
        f"{width * n / (len(values) - 1):.1f},{2 + (height - 4) * (high - v) / span:.1f}"
        for n, v in enumerate(values)
    )
    return (
        f"<figure><svg viewBox='0 0 {width} {height}' preserveAspectRatio='none' role='img' "
        f"aria-label='loss so far'><polyline points='{points}'/></svg>"
        "<figcaption>loss</figcaption></figure>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of numbers with their names. pairs: (name, formatted number)."""
    return "".join(
        ["<dl class='facts'>"]
        + [f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in pairs]
        + ["</dl>"]
    )


def message(text: str) -> str:
    """Return a sentence that is shown in place of a result."""
    return f"<p class='message'>{escape(text)}</p>"


def note(lines: Sequence[str]) -> str:
    """Return a line of small print."""
    return f"<p class='note'>{escape('; '.join(lines))}</p>" if lines else ""


def ranking(rows: Sequence[tuple[str, int, float, float, bool]], notes: Sequence[str]) -> str:
    """Return a table of formats, sorted by PSNR. Bars begin 10 dB below the lowest PSNR.

    rows: name, bytes, bits per pixel, PSNR in dB, and whether the file is as small as wanted. Our
    format is the first row.
    """
    best, worst = max(row[3] for row in rows), min(row[3] for row in rows)
    ours = rows[0][0]
    lines = []
    for name, count, bpp, psnr, fits in sorted(rows, key=lambda row: -row[3]):
        width = 100.0 if psnr == best else 100 * (psnr - worst + 10) / (best - worst + 10)
        kind = "ours" if name == ours else "other"
        remark = "" if fits else "<small>cannot be smaller</small>"
        lines.append(
            f"<tr class='{kind}'><th>{escape(name)}</th>"
            f"<td class='bar'><i style='width:{width:.1f}%'></i><b>{psnr:.2f} dB</b></td>"
            f"<td>{count:,} bytes{remark}</td><td>{bpp:.3f} bpp</td></tr>"
        )
    return f"<table class='ranking'>{''.join(lines)}</table>{note(notes)}"


def parts_of(analysis: Analysis) -> dict[str, float]:
    """Return the bytes of a file's parts, in the order of the file.

    Latents are listed by level, and coefficients by layer.
    """
    fixed = {"header": float(analysis.part_bytes["header"] + analysis.part_bytes["framing"])}
    fine: dict[str, float] = defaultdict(float)
    for layer in analysis.layers:
        fine[f"coefficients: {layer.name}"] += layer.bits / 8
    for level in analysis.levels:
        fine[f"latents: {level.name}"] += level.bits / 8
    known = {"header", "framing", "symbols", "latents"}
    rest = {name: float(n) for name, n in analysis.part_bytes.items() if name not in known}
    return fixed | fine | rest


def bytes_bar(analysis: Analysis) -> str:
    """Show the parts of a file as one bar and as a list."""
    parts = [(name, count) for name, count in parts_of(analysis).items() if count >= 0.5]
    segments, items = [], []
    for number, (name, count) in enumerate(parts):
        words = f"{escape(name)}: {count:,.0f} bytes, {count / analysis.file_bytes:.1%}"
        style = f"--share: {count / analysis.file_bytes:.5f}; --shade: {number / len(parts):.3f}"
        kind = name.split(":")[0]
        segments.append(f"<i class='{kind}' style='{style}' title='{words}'></i>")
        items.append(f"<li><i class='{kind}' style='{style}'></i>{words}</li>")
    return (
        "<figure class='bytes'><figcaption>Where the bytes went</figcaption>"
        f"<div>{''.join(segments)}</div><ul>{''.join(items)}</ul></figure>"
    )


def inside(analysis: Analysis) -> str:
    """Show the main numbers of a file, and explain them."""
    coefficients = sum(layer.coefficients for layer in analysis.layers)
    symbols = [level.symbols for level in analysis.levels]
    latents = sum(s.size for s in symbols)
    nonzero = sum(int((s != 0).sum()) for s in symbols)
    numbers = [
        ("file", f"{analysis.file_bytes:,} bytes"),
        ("bits per pixel", f"{analysis.bpp:.3f}"),
        ("coefficients", f"{coefficients:,}"),
        ("seed", str(analysis.header.seed)),
    ]
    if latents:
        numbers += [("latents", f"{latents:,}"), ("not zero", f"{nonzero / latents:.1%}")]
    return facts(numbers) + message(GRID_WORDS if latents else MLP_WORDS)


def header_table(header: Header, file_bytes: int, seconds: float) -> str:
    """Return a table of a file's header. seconds: the time that decoding took."""
    rows = {
        "profile": header.profile,
        "picture": f"{header.width} x {header.height}, {header.mode}, {header.samples}",
        "file": f"{file_bytes:,} bytes, {8 * file_bytes / header.pixels:.4f} bits per pixel",
        "seed": str(header.seed),
        **HEADER_ROWS[header.profile](header),
        "decoded in": f"{seconds:.2f} s",
    }
    lines = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
    return f"<table class='header'>{lines}</table>"


def _mlp_rows(header: Header) -> dict[str, str]:
    p = header.mlp
    return {
        "network": f"{p.features} Fourier features, {p.depth} sine layers of {p.width}",
        "coefficients": f"{p.k:,} on a {p.basis} basis: all weights",
    }


def _grid_rows(header: Header) -> dict[str, str]:
    p = header.grid
    return {
        "prior": f"{p.prior:08x}",
        "step": f"{p.q_step:.5f}",
        "coefficients": f"{p.k:,}: biases of the network" if p.k else "none: the prior's network",
    }


HEADER_ROWS: Final = {"mlp": _mlp_rows, "grid": _grid_rows}
"""Functions that make the rows of the header's table, by profile."""


def duration(seconds: float) -> str:
    """Format a duration in seconds, or in minutes from 90 seconds on."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{seconds / 60:.0f} min"
