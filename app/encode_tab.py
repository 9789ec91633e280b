"""The Encode tab, which fits a network to a picture live, and compares its file with others."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import gradio as gr

from pranc_codec import InvalidArgument

from . import examples, fragments, results
from .calls import LIGHT, LOOK, Server
from .encoding import Told, encode_live
from .errors import told
from .pictures import SIDES
from .results import Results, Update

RATES: Final = {"quality": "Quality", "bpp": "bpp", "kB": "kB", "psnr": "PSNR"}
LATEST: Final = 1.5
"""An encoding is stopped after this many times the longest expected duration."""
SCROLL: Final = """() => {
  document.getElementById("status").scrollIntoView({behavior: "smooth", block: "center"});
  return [];
}"""
"""A script that scrolls to the results, because a phone shows them below the settings."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The controls on the left."""

    picture: gr.Image
    profile: gr.Radio
    rate_by: gr.Radio
    rates: dict[str, gr.Slider | gr.Number]
    effort: gr.Slider
    side: gr.Radio
    estimate: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """The inputs, in the order of `_encode`'s arguments."""
        rates = self.rates.values()
        return [self.picture, self.profile, self.rate_by, *rates, self.effort, self.side]


def build(server: Server) -> Results:
    """Lay out the tab and connect its events; return the components of the results."""
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            settings = _settings(server)
            with gr.Row():
                run = gr.Button("Encode", variant="primary", min_width=120, elem_id="encode")
                cancel = gr.Button("Cancel", min_width=120, interactive=False,
                                   elem_id="cancel")  # fmt: skip
        with gr.Column(scale=7, min_width=320):
            shown = results.layout()
    _wire(server, settings, shown, run, cancel)
    return shown


def _settings(server: Server) -> Settings:
    paths = examples.published_examples(server.vault)
    picture = gr.Image(
        paths[0], label="Your picture", type="filepath", image_mode=None, format="png",
        height=280, sources=["upload", "clipboard"], elem_id="picture",
    )  # fmt: skip
    examples.build(paths, picture)
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
                           info="0: no fit. Higher efforts fit longer")  # fmt: skip
        side = gr.Radio(list(SIDES), value=next(iter(SIDES)), label="Longest side", elem_id="side")
    estimate = gr.HTML(elem_id="estimate")
    return Settings(
        picture=picture, profile=profile, rate_by=rate_by, rates=rates, effort=effort, side=side,
        estimate=estimate,
    )  # fmt: skip


def _wire(server: Server, s: Settings, r: Results, run: gr.Button, cancel: gr.Button) -> None:
    s.rate_by.change(
        lambda chosen: [gr.update(visible=key == chosen) for key in RATES],
        s.rate_by, list(s.rates.values()), **LIGHT,
    )  # fmt: skip
    gr.on(  # at each change of these, and when the page is loaded
        None, partial(_estimate, server), s.inputs, s.estimate, trigger_mode="always_last", **LOOK
    )
    buttons = [run, cancel]
    running = run.click(lambda: _buttons(True), None, buttons, js=SCROLL, **LIGHT).then(
        partial(_encode, server, r), s.inputs, r.outputs, show_progress_on=r.status,
        concurrency_limit=server.allowance.jobs, concurrency_id="encode",
        trigger_mode="multiple", api_name="encode",
    )  # fmt: skip
    running.then(lambda: _buttons(False), None, buttons, **LIGHT)
    cancel.click(None, cancels=running).then(
        lambda: [*_buttons(False), fragments.message("Cancelled."), gr.update(visible=False)],
        None, [*buttons, r.status, r.preview], **LIGHT,
    )  # fmt: skip
    r.against.input(results.compare, [r.against, r.pictures], r.slider, **LIGHT)


def _buttons(running: bool) -> list[Any]:
    return [gr.update(interactive=not running), gr.update(interactive=running)]


def _estimate(
    server: Server, picture: Path | None, profile: str, rate_by: str, quality: float, bpp: float,
    kilobytes: float, psnr: float, effort: float, side: str,
) -> Iterator[Any]:  # fmt: skip
    """Show how long the encoding will take."""
    if picture is None:
        yield fragments.message("Choose a picture.")
        return
    wish = _wish(profile, rate_by, (quality, bpp, kilobytes, psnr), effort)
    with told():
        width, height, seconds = yield from server.result("estimate", picture, side, wish)
    yield fragments.message(
        f"{width} x {height} pixels: about {fragments.duration(seconds)} on two cores"
    )


def _wish(profile: str, rate_by: str, rates: tuple[float, ...], effort: float) -> dict[str, Any]:
    """Collect the settings of an encoding, from which `tasks.options_of` makes arguments."""
    rate = dict(zip(RATES, rates, strict=True))[rate_by]
    return {"profile": profile, "rate_by": rate_by, "rate": rate, "effort": effort}


def _encode(
    server: Server, r: Results, picture: Path | None, profile: str, rate_by: str, quality: float,
    bpp: float, kilobytes: float, psnr: float, effort: float, side: str,
) -> Iterator[Update]:  # fmt: skip
    """Encode a picture; yield live updates of the page, then the results."""
    wish = _wish(profile, rate_by, (quality, bpp, kilobytes, psnr), effort)
    longest_s = server.allowance.encode_seconds
    with told():
        if picture is None:
            raise InvalidArgument("choose a picture first: upload one, or take an example")
        steps = encode_live(
            server.pool, "encode", picture, picture.stem, side, wish, longest_s,
            seconds=LATEST * longest_s,
        )  # fmt: skip
        yield from _followed(server, r, steps)


def _followed(server: Server, r: Results, steps: Iterator[Told]) -> Iterator[Update]:
    shown: results.Shown | None = None
    for step in steps:
        if step.result is None:
            yield gr.skip() if shown else _live(server, r, step)
        elif shown is None:
            shown = results.Shown(server=server, components=r, found=step.result)
            yield shown.update()
        else:
            shown.add(step.result["rival"])
            yield shown.update()


def _live(server: Server, r: Results, step: Told) -> Update:
    update: Update = {r.status: fragments.status(step), r.group: gr.update(visible=False)}
    if step.preview is not None:
        preview = server.file(step.preview, "preview.png")
        update[r.preview] = gr.update(value=preview, visible=True)
    return update
