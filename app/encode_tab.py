"""The Encode tab: a picture in; live, a network; then its file beside others of its size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import gradio as gr

import pranc_codec
from pranc_codec import Metadata
from pranc_codec.evaluate import psnr_db

from . import charts, fragments
from .encoding import Told, encode_live
from .errors import told
from .examples import example_paths
from .files import LIMITS, download
from .pictures import SIDES, Picture, open_picture, rgb_pixels, size_of
from .rivals import FORMATS, Rival, rival

OURS: Final = "this codec"
ORIGINAL: Final = "Original"
RATES: Final = {"quality": "Quality", "bpp": "Bits per pixel", "kB": "Size in kB", "psnr": "PSNR"}
PROFILES: Final = {"grid: best quality per byte": "grid", "mlp: a coordinate network only": "mlp"}
Update = dict[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The controls at the left."""

    picture: gr.Image
    profile: gr.Radio
    rate_by: gr.Radio
    rates: dict[str, gr.Slider | gr.Number]
    effort: gr.Slider
    side: gr.Radio
    estimate: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """In the order of `encode`'s arguments."""
        rates = self.rates.values()
        return [self.picture, self.profile, self.rate_by, *rates, self.effort, self.side]


@dataclass(frozen=True, kw_only=True)
class Results:
    """What appears at the right."""

    status: gr.HTML
    preview: gr.Image
    slider: gr.ImageSlider
    against: gr.Radio
    ranking: gr.HTML
    gallery: gr.Gallery
    parts: gr.Plot
    file: gr.DownloadButton
    inside: gr.Button
    decode: gr.Button
    group: gr.Column


def build(jobs: int) -> Results:
    """Lay out the tab and wire it. jobs: encodings at the same time."""
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            settings = _settings()
            with gr.Row():
                run = gr.Button("Encode", variant="primary", elem_id="encode")
                cancel = gr.Button("Cancel", variant="stop", interactive=False, elem_id="cancel")
        with gr.Column(scale=7, min_width=320):
            results = _results()
    _wire(settings, results, run, cancel, jobs)
    return results


def _settings() -> Settings:
    picture = gr.Image(
        label="Your picture", type="filepath", image_mode=None, format="png", height=260,
        sources=["upload", "clipboard"], elem_id="picture",
    )  # fmt: skip
    # What is wrong with an upload is for `open_picture` to say, so it comes unopened.
    picture.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    gr.Examples([[path] for path in example_paths()], picture, label="or one of these",
                examples_per_page=12, elem_id="examples")  # fmt: skip
    profile = gr.Radio(list(PROFILES.items()), value="grid", label="Profile")
    rate_by = gr.Radio([(text, key) for key, text in RATES.items()], value="quality", label="Rate")
    rates: dict[str, gr.Slider | gr.Number] = {
        "quality": gr.Slider(1, 100, 25, step=1, label="Quality", info="1 smallest, 100 best"),
        "bpp": gr.Slider(0.02, 4, 0.3, step=0.01, label="Bits per pixel", visible=False),
        "kB": gr.Number(12, label="Size of the file in kB (1000 bytes)", minimum=0.1,
                        maximum=20000, visible=False),
        "psnr": gr.Slider(18, 50, 33, step=0.1, label="PSNR in dB", visible=False),
    }  # fmt: skip
    effort = gr.Slider(0, 7, 2, step=1, label="Effort",
                       info="0: no fit, a second. 7: minutes.", elem_id="effort")  # fmt: skip
    side = gr.Radio(list(SIDES), value="768 px", label="Longest side", elem_id="side")
    return Settings(
        picture=picture, profile=profile, rate_by=rate_by, rates=rates, effort=effort, side=side,
        estimate=gr.HTML(fragments.message("Choose a picture."), elem_id="estimate"),
    )  # fmt: skip


def _results() -> Results:
    status = gr.HTML(
        fragments.message("The picture appears here as a network, and gets sharper."),
        elem_id="status", min_height=120,
    )  # fmt: skip
    preview = gr.Image(label="The network so far", format="png", visible=False, height=420,
                       buttons=[], elem_id="preview")  # fmt: skip
    with gr.Column(visible=False) as group:
        ranking = gr.HTML(label="At the same bytes", elem_id="ranking")
        against = gr.Radio([ORIGINAL, *FORMATS], value=ORIGINAL, label="Left of the slider",
                           elem_id="against")  # fmt: skip
        slider = gr.ImageSlider(
            label="Right: this codec", format="png", max_height=560,
            elem_id="slider", interactive=False,
        )  # fmt: skip
        with gr.Row():
            file = gr.DownloadButton("Download the file", variant="primary", elem_id="download")
            inside = gr.Button("Look inside")
            decode = gr.Button("Decode it")
        parts = gr.Plot(label="Where the bytes went", elem_id="parts")
        gallery = gr.Gallery(
            label="All at the same bytes", format="png", columns=2, height="auto",
            object_fit="contain", interactive=False, elem_id="gallery", buttons=["fullscreen"],
        )  # fmt: skip
    return Results(
        status=status, preview=preview, slider=slider, against=against, ranking=ranking,
        gallery=gallery, parts=parts, file=file, inside=inside, decode=decode, group=group,
    )  # fmt: skip


def _wire(s: Settings, r: Results, run: gr.Button, cancel: gr.Button, jobs: int) -> None:
    quiet: dict[str, Any] = dict(queue=False, show_progress="hidden", api_visibility="private")
    s.rate_by.change(
        lambda chosen: [gr.update(visible=key == chosen) for key in RATES],
        s.rate_by, list(s.rates.values()), **quiet,
    )  # fmt: skip
    costs: list[Any] = [s.picture, s.profile, s.effort, s.side]
    for control in costs:
        control.change(
            _estimate, costs, s.estimate, trigger_mode="always_last", concurrency_limit=4,
            show_progress="hidden", api_visibility="private",
        )  # fmt: skip

    outputs = list(vars(r).values())
    buttons = [run, cancel]
    running = run.click(lambda: _buttons(True), None, buttons, **quiet).then(
        partial(_encode, r), s.inputs, outputs, concurrency_limit=jobs, concurrency_id="encode",
        show_progress_on=r.status, api_name="encode",
    )  # fmt: skip
    running.then(lambda: _buttons(False), None, buttons, **quiet)
    cancel.click(None, cancels=running).then(
        lambda: [*_buttons(False), fragments.message("Cancelled."), gr.update(visible=False)],
        None, [*buttons, r.status, r.preview], **quiet,
    )  # fmt: skip
    r.against.input(_compare, [r.against, r.gallery], r.slider, api_visibility="private",
                    show_progress="hidden", concurrency_limit=4)  # fmt: skip


def _buttons(running: bool) -> list[Any]:
    return [gr.update(interactive=not running), gr.update(interactive=running)]


def _options(picture: Picture, profile: str, rate_by: str, rates: dict[str, float]) -> Update:
    """Arguments of `pranc_codec.encode`."""
    value = rates[rate_by]
    if rate_by == "kB":
        rate_by, value = "bpp", 8000 * value / (picture.image.width * picture.image.height)
    return {"profile": profile, rate_by: value, "metadata": Metadata()}


def _estimate(path: str | None, profile: str, effort: float, side: str) -> str:
    """What the button will cost."""
    if not path:
        return fragments.message("Choose a picture.")
    with told():
        width, height = size_of(path, side)
    seconds = pranc_codec.estimate_seconds(width * height, profile=profile, effort=int(effort))
    return fragments.message(
        f"{width} x {height} pixels: about {fragments.duration(seconds)} on two cores"
    )


def _encode(
    r: Results, picture: str | None, profile: str, rate_by: str, quality: float, bpp: float,
    kilobytes: float, psnr: float, effort: float, side: str,
) -> Iterator[Update]:  # fmt: skip
    """Live updates of the page, then the results."""
    with told():
        source = open_picture(picture, side)
        rates = {"quality": quality, "bpp": bpp, "kB": kilobytes, "psnr": psnr}
        options = _options(source, profile, rate_by, rates) | {"effort": int(effort)}
        pixels = source.image.width * source.image.height
        expected_s = pranc_codec.estimate_seconds(pixels, profile=profile, effort=int(effort))
        yield {r.group: gr.update(visible=False)}
        for step in encode_live(source.image, options):
            if step.data is None:
                yield _live(r, step, expected_s)
            else:
                yield from _finished(r, source, step.data, step.seconds)


def _live(r: Results, step: Told, expected_s: float) -> Update:
    update: Update = {r.status: fragments.status(step, expected_s)}
    if step.preview is not None:
        drawn = step.preview if step.preview.shape[2] == 3 else step.preview[:, :, 0]
        update[r.preview] = gr.update(value=drawn, visible=True)
    return update


def _finished(r: Results, picture: Picture, data: bytes, seconds: float) -> Iterator[Update]:
    """The file first; other formats follow one by one; everything again at the end, which is what
    a program that calls this page gets."""
    analysis = pranc_codec.analyze(data)
    decoded = rgb_pixels(pranc_codec.decode(data, limits=LIMITS))
    ours = Rival(
        name=OURS, file_bytes=len(data), pixels=decoded, fits=True,
        psnr_db=psnr_db(picture.pixels, decoded),
    )  # fmt: skip
    numbers = [
        ("file", f"{len(data):,} bytes"), ("bits per pixel", f"{analysis.bpp:.3f}"),
        ("PSNR", f"{ours.psnr_db:.2f} dB"), ("seconds", f"{seconds:.1f}"),
    ]  # fmt: skip
    with download(data, f"{picture.name}.pranc") as path:
        result: Update = {
            r.status: fragments.facts(numbers), r.slider: (picture.pixels, decoded),
            r.against: ORIGINAL, r.parts: charts.bytes_bar(analysis), r.file: str(path),
        }  # fmt: skip
        shown = {r.preview: gr.update(visible=False), r.group: gr.update(visible=True)}
        rivals = [ours]
        yield result | shown | _standing(r, picture, rivals)
        for name in FORMATS:
            rivals.append(rival(picture.image, name, len(data)))
            yield _standing(r, picture, rivals)
        yield result | _standing(r, picture, rivals)


def _standing(r: Results, picture: Picture, rivals: list[Rival]) -> Update:
    """Table and pictures of ours and of the formats so far."""
    pixels = picture.image.width * picture.image.height
    rows = [(v.name, v.file_bytes, 8 * v.file_bytes / pixels, v.psnr_db, v.fits) for v in rivals]
    captions = [(v.pixels, f"{v.name}: {v.psnr_db:.2f} dB, {v.file_bytes:,} B") for v in rivals]
    return {
        r.ranking: fragments.ranking(rows, picture.notes),
        r.gallery: [(picture.pixels, ORIGINAL), *captions],
    }


def _compare(left: str, gallery: list[tuple[str, str]] | None) -> tuple[str, str]:
    """Another picture at the left of the slider, from those of the gallery."""
    found = {caption.split(":")[0]: path for path, caption in gallery or []}
    if left not in found:
        raise gr.Error(f"{left} is still being made", print_exception=False)
    return found[left], found[OURS]
