"""The Kodak tab: the committed rate-distortion results, mean and image by image."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import gradio as gr
import plotly.graph_objects as go

from pranc_codec import PrancError
from pranc_codec.evaluate import Curve, load_curve

from . import charts, fragments

MEAN: Final = "mean of 24 images"
TITLES: Final = {
    "grid-effort-0": "this codec: grid, no fit (1 s)",
    "grid-effort-default": "this codec: grid, default effort (24 s)",
    "mlp-default": "this codec: mlp, default effort (11 to 24 s)",
    "mlp-max-five-images": "this codec: mlp, effort max (minutes)",
    "avif-444": "AVIF 4:4:4",
}
SHOWN: Final = {
    *TITLES, "jpeg-420", "bpg-444", "vtm", "coin", "cool-chic-5.0.1", "jpeg2000",
}  # fmt: skip
"""Curves that are drawn at once; the others wait in the legend."""
WORDS: Final = (
    "PSNR of whole files on 8-bit RGB. Thick lines were measured with this package "
    "(datasets/kodak/results), dotted ones are published points (datasets/kodak/baselines). "
    "Tap a name to show or hide its curve."
)


def build() -> None:
    """Lay out the tab and wire it."""
    image = gr.Dropdown([MEAN, *_images()], value=MEAN, label="Image", elem_id="kodak-image")
    plot = gr.Plot(_figure(MEAN), show_label=False, elem_id="kodak-plot")
    gr.HTML(fragments.message(WORDS))
    image.change(_figure, image, plot, api_name="kodak", concurrency_limit=4)


def _folder() -> Path:
    """The wheel's data sets, or those of the source tree."""
    above = Path(__file__).parent.parent
    places = (above / "_datasets" / "kodak", above / "datasets" / "kodak")
    return next(place for place in places if place.is_dir())


def _paths() -> list[Path]:
    results = sorted((_folder() / "results").glob("*.json"))
    results.sort(key=lambda path: (path.stem not in TITLES, path.stem))
    return results + sorted((_folder() / "baselines").glob("*.json"))


@lru_cache
def _images_of(path: Path) -> tuple[str, ...]:
    """Images whose own curves a file has."""
    return tuple(json.loads(path.read_bytes()).get("per_image", ()))


def _images() -> list[str]:
    return sorted({name for path in _paths() for name in _images_of(path)})


def _curve(path: Path, image: str) -> Curve | None:
    """A file's curve of an image, or its mean; None where it has none."""
    covered = _images_of(path)
    if image == MEAN and covered and len(covered) < len(_images()):
        return None  # the mean of a part is another thing
    try:
        curve = load_curve(path, image=None if image == MEAN else image)
    except PrancError:
        return None
    return Curve(name=TITLES.get(path.stem, curve.name), bpp=curve.bpp, psnr_db=curve.psnr_db)


def _figure(image: str) -> go.Figure:
    """All curves of an image."""
    curves: list[Any] = [
        (curve, path.parent.name == "results", path.stem in SHOWN)
        for path in _paths()
        if (curve := _curve(path, image)) is not None
    ]
    return charts.rate_distortion(curves, f"Kodak, {image}")
