"""The Encode tab: a picture in; live, a network; then its file beside others of its size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import gradio as gr

import pranc_codec
from pranc_codec import InvalidArgument, Metadata

from . import fragments, results
from .encoding import Told, encode_live
from .errors import told
from .examples import example_paths
from .pictures import SIDES, open_picture, size_of
from .results import Results, Update

RATES: Final = {"quality": "Quality", "bpp": "bpp", "kB": "kB", "psnr": "PSNR"}
LONGEST_S: Final = 600.0
SCROLL: Final = """() => {
  document.getElementById("status").scrollIntoView({behavior: "smooth", block: "center"});
  return [];
}"""
"""A phone shows the results under the settings."""


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
        """In the order of `_encode`'s arguments."""
        rates = self.rates.values()
        return [self.picture, self.profile, self.rate_by, *rates, self.effort, self.side]


def build(jobs: int) -> Results:
    """Lay out the tab and wire it. jobs: encodings at the same time."""
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            settings = _settings()
            with gr.Row():
                run = gr.Button("Encode", variant="primary", min_width=120, elem_id="encode")
                cancel = gr.Button("Cancel", min_width=120, interactive=False,
                                   elem_id="cancel")  # fmt: skip
        with gr.Column(scale=7, min_width=320):
            shown = results.layout()
    _wire(settings, shown, run, cancel, jobs)
    return shown


def _settings() -> Settings:
    examples = example_paths()
    picture = gr.Image(
        examples[0], label="Your picture", type="filepath", image_mode=None, format="png",
        height=280, sources=["upload", "clipboard"], elem_id="picture",
    )  # fmt: skip
    # What is wrong with an upload is for `open_picture` to say, so it comes unopened.
    picture.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    gr.Examples([[path] for path in examples], picture, label="or one of these",
                examples_per_page=12, elem_id="examples")  # fmt: skip
    with gr.Group():
        profile = gr.Radio(["grid", "mlp"], value="grid", label="Profile", elem_id="profile",
                           info="grid: best quality. mlp: one coordinate network")  # fmt: skip
        rate_by = gr.Radio([(text, key) for key, text in RATES.items()], value="quality",
                           label="Rate by", elem_id="rate-by")  # fmt: skip
        rates: dict[str, gr.Slider | gr.Number] = {
            "quality": gr.Slider(1, 100, 25, step=1, label="Quality", elem_id="quality"),
            "bpp": gr.Slider(0.02, 4, 0.3, step=0.01, label="Bits per pixel", visible=False),
            "kB": gr.Number(12, label="Size of the file in kB (1000 bytes)", minimum=0.1,
                            maximum=20000, visible=False),
            "psnr": gr.Slider(18, 50, 33, step=0.1, label="PSNR in dB", visible=False),
        }  # fmt: skip
        effort = gr.Slider(0, 7, 2, step=1, label="Effort", elem_id="effort",
                           info="0: no fit. Each step doubles the fit")  # fmt: skip
        side = gr.Radio(list(SIDES), value=next(iter(SIDES)), label="Longest side", elem_id="side")
    estimate = gr.HTML(elem_id="estimate")
    return Settings(
        picture=picture, profile=profile, rate_by=rate_by, rates=rates, effort=effort, side=side,
        estimate=estimate,
    )  # fmt: skip


def _wire(s: Settings, r: Results, run: gr.Button, cancel: gr.Button, jobs: int) -> None:
    quiet: dict[str, Any] = dict(queue=False, show_progress="hidden", api_visibility="private")
    light: dict[str, Any] = dict(
        concurrency_limit=4, show_progress="hidden", api_visibility="private"
    )
    s.rate_by.change(
        lambda chosen: [gr.update(visible=key == chosen) for key in RATES],
        s.rate_by, list(s.rates.values()), **quiet,
    )  # fmt: skip
    gr.on(None, _estimate, s.inputs, s.estimate, trigger_mode="always_last", **light)
    buttons = [run, cancel]
    running = run.click(lambda: _buttons(True), None, buttons, js=SCROLL, **quiet).then(
        partial(_encode, r), s.inputs, r.outputs, concurrency_limit=jobs, concurrency_id="encode",
        show_progress_on=r.status, trigger_mode="multiple", api_name="encode",
    )  # fmt: skip
    running.then(lambda: _buttons(False), None, buttons, **quiet)
    cancel.click(None, cancels=running).then(
        lambda: [*_buttons(False), fragments.message("Cancelled."), gr.update(visible=False)],
        None, [*buttons, r.status, r.preview], **quiet,
    )  # fmt: skip
    r.against.input(results.compare, [r.against, r.gallery], r.slider, **light)


def _buttons(running: bool) -> list[Any]:
    return [gr.update(interactive=not running), gr.update(interactive=running)]


def _estimate(
    picture: str | None, profile: str, rate_by: str, quality: float, bpp: float,
    kilobytes: float, psnr: float, effort: float, side: str,
) -> str:  # fmt: skip
    """What the button will cost."""
    if not picture:
        return fragments.message("Choose a picture.")
    with told():
        width, height = size_of(picture, side)
    values = {"quality": quality, "bpp": bpp, "kB": kilobytes, "psnr": psnr}
    seconds = _seconds(width * height, _options(width * height, profile, rate_by, values, effort))
    return fragments.message(
        f"{width} x {height} pixels: about {fragments.duration(seconds)} on two cores"
    )


def _encode(
    r: Results, picture: str | None, profile: str, rate_by: str, quality: float, bpp: float,
    kilobytes: float, psnr: float, effort: float, side: str,
) -> Iterator[Update]:  # fmt: skip
    """Live updates of the page, then the results."""
    values = {"quality": quality, "bpp": bpp, "kB": kilobytes, "psnr": psnr}
    with told():
        source = open_picture(picture, side)
        options = _options(source.pixel_count, profile, rate_by, values, effort)
        expected_s = _seconds(source.pixel_count, options)
        _check_duration(expected_s)
        for step in encode_live(source.image, options | {"metadata": Metadata()}):
            if step.data is None:
                yield _live(r, step, expected_s)
            else:
                yield from results.present(r, source, step.data, step.seconds)


def _options(
    pixels: int, profile: str, rate_by: str, values: dict[str, float], effort: float
) -> dict[str, Any]:
    """Arguments of `pranc_codec.encode`."""
    if values[rate_by] is None:
        raise InvalidArgument(f"{rate_by} is empty: type a number")
    rate = {rate_by: values[rate_by]}
    if rate_by == "kB":
        rate = {"bpp": 8000 * values["kB"] / pixels}
    return {"profile": profile, "effort": int(effort), **rate}


def _seconds(pixels: int, options: dict[str, Any]) -> float:
    known = {name: value for name, value in options.items() if name != "psnr"}
    return pranc_codec.estimate_seconds(pixels, **known)


def _check_duration(seconds: float) -> None:
    """One visitor does not hold the others up for longer than this."""
    if seconds > LONGEST_S:
        raise InvalidArgument(
            f"this would take about {fragments.duration(seconds)}, and this page gives "
            f"{fragments.duration(LONGEST_S)}: lower the effort or the longest side, or use "
            "`pranc encode`"
        )


def _live(r: Results, step: Told, expected_s: float) -> Update:
    update: Update = {
        r.status: fragments.status(step, expected_s), r.group: gr.update(visible=False),
    }  # fmt: skip
    if step.preview is not None:
        drawn = step.preview if step.preview.shape[2] == 3 else step.preview[:, :, 0]
        update[r.preview] = gr.update(value=drawn, visible=True)
    return update
