"""The Kodak tab, which plots the committed rate-distortion results, as a mean or by image."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

import gradio as gr
import plotly.graph_objects as go

from pranc_codec import PrancError
from pranc_codec.evaluate import Curve, load_curve

from . import charts, fragments

MEAN: Final = "mean of 24 images"
TITLES: Final = {
    "results/grid-effort-0": "pranc grid, no fit",
    "results/grid-effort-default": "pranc grid, default effort",
    "results/grid-effort-max": "pranc grid, effort max",
    "results/mlp-default": "pranc mlp, default effort (20 s)",
    "results/mlp-max-five-images": "pranc mlp, effort max (minutes)",
    "results/avif-444": "AVIF 4:4:4",
    "results/avif-420": "AVIF 4:2:0",
    "results/jpegxl": "JPEG XL",
    "results/webp": "WebP",
    "results/jpeg2000": "JPEG 2000",
    "results/jpeg-444": "JPEG 4:4:4",
    "results/jpeg-420": "JPEG 4:2:0",
}
"""Titles of our measurements by their path in the data set. Other curves have the name that their
file states."""
SHOWN: Final = (
    *("results/grid-effort-0", "results/grid-effort-default", "results/grid-effort-max"),
    *("results/mlp-default", "results/mlp-max-five-images", "results/avif-444", "results/jpeg-420"),
    *("baselines/bpg-444", "baselines/vtm", "baselines/coin"),
)
"""Curves that are drawn when the page is opened."""
WORDS: Final = (
    "PSNR of whole files on 8-bit RGB. Thick lines were measured with this package "
    "(datasets/kodak/results), dotted ones are published points (datasets/kodak/baselines)."
)


def build() -> None:
    """Lay out the tab and connect its events."""
    names = [(_title(path), _key(path)) for path in _paths()]
    shown = [key for _, key in names if key in SHOWN]
    image = gr.Dropdown([MEAN, *_images()], value=MEAN, label="Image", elem_id="kodak-image")
    plot = gr.Plot(_figure(MEAN, shown), show_label=False, elem_id="kodak-plot")
    gr.HTML(fragments.message(WORDS))
    codecs = gr.Dropdown(names, value=shown, label="Codecs", multiselect=True, elem_id="codecs")
    for control in (image, codecs):
        control.change(
            _figure, [image, codecs], plot, concurrency_limit=4, concurrency_id="kodak",
            show_progress="hidden",
            api_name="kodak" if control is image else None,
            api_visibility="public" if control is image else "private",
        )  # fmt: skip


def _folder() -> Path:
    """Return the folder of the Kodak data, in a wheel or in the source tree."""
    above = Path(__file__).parent.parent
    places = (above / "_datasets" / "kodak", above / "datasets" / "kodak")
    return next(place for place in places if place.is_dir())


def _paths() -> list[Path]:
    """Return the files of all curves.

    Those in `TITLES` come first, in that order, then other measurements, then published points.
    """
    order = list(TITLES)
    results = sorted(
        (_folder() / "results").glob("*.json"),
        key=lambda path: (
            order.index(_key(path)) if _key(path) in order else len(order),
            path.stem,
        ),
    )
    return results + sorted((_folder() / "baselines").glob("*.json"))


def _key(path: Path) -> str:
    """Return a file's path in the data set without its suffix, such as results/webp."""
    return f"{path.parent.name}/{path.stem}"


def _title(path: Path) -> str:
    return TITLES.get(_key(path)) or load_curve(path).name


@lru_cache
def _images_of(path: Path) -> tuple[str, ...]:
    """Return the names of the images for which a file has a curve."""
    return tuple(json.loads(path.read_bytes()).get("per_image", ()))


def _images() -> list[str]:
    return sorted({name for path in _paths() for name in _images_of(path)})


def _curve(path: Path, image: str) -> Curve | None:
    """Return a file's curve for an image or for the mean; None if it has none."""
    covered = _images_of(path)
    if image == MEAN and covered and len(covered) < len(_images()):
        return None  # a mean over fewer images cannot be compared
    try:
        curve = load_curve(path, image=None if image == MEAN else image)
    except PrancError:
        return None
    return Curve(name=_title(path), bpp=curve.bpp, psnr_db=curve.psnr_db)


def _figure(image: str, codecs: list[str]) -> go.Figure:
    """Draw the curves for an image. codecs: paths of files in the data set."""
    curves = [
        (curve, path.parent.name == "results")
        for path in _paths()
        if _key(path) in codecs and (curve := _curve(path, image)) is not None
    ]
    return charts.rate_distortion(curves, f"Kodak, {image}")
