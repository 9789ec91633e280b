"""What is shown of an encoded picture: the file beside other formats of its size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

import pranc_codec
from pranc_codec.evaluate import psnr_db

from . import fragments
from .files import outgoing
from .pictures import Picture, rgb_pixels
from .rivals import FORMATS, Rival, rival

OURS: Final = "pranc"
ORIGINAL: Final = "Original"
RULE: Final = "others at the highest quality that is not above our bytes"
Update = dict[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Results:
    """The components at the right of the Encode tab, from top to bottom."""

    status: gr.HTML
    preview: gr.Image
    group: gr.Column
    ranking: gr.HTML
    against: gr.Radio
    slider: gr.ImageSlider
    file: gr.DownloadButton
    inside: gr.Button
    decode: gr.Button
    parts: gr.HTML
    gallery: gr.Gallery

    @property
    def outputs(self) -> list[Any]:
        return list(vars(self).values())


def layout() -> Results:
    """Place the components; all but the status are hidden until there is something to see."""
    status = gr.HTML(fragments.invitation(), elem_id="status")
    preview = gr.Image(label="The network so far", format="png", visible=False, height=420,
                       buttons=[], elem_id="preview")  # fmt: skip
    with gr.Column(visible=False) as group:
        ranking = gr.HTML(elem_id="ranking")
        against = gr.Radio([ORIGINAL, *FORMATS], value=ORIGINAL, label="Compare with",
                           elem_id="against")  # fmt: skip
        slider = gr.ImageSlider(
            label="Right: pranc", format="png", max_height=560, interactive=False,
            elem_id="slider",
        )  # fmt: skip
        with gr.Row(elem_id="actions"):
            file = gr.DownloadButton("Download", variant="primary", min_width=90, size="md",
                                     elem_id="download")  # fmt: skip
            inside = gr.Button("Look inside", min_width=90, size="md")
            decode = gr.Button("Decode", min_width=90, size="md")
        parts = gr.HTML(elem_id="parts")
        gallery = gr.Gallery(
            label="All at the same bytes", format="png", columns=3, height="auto",
            object_fit="contain", interactive=False, elem_id="gallery", buttons=["fullscreen"],
        )  # fmt: skip
    return Results(
        status=status, preview=preview, group=group, ranking=ranking, against=against,
        slider=slider, file=file, inside=inside, decode=decode, parts=parts, gallery=gallery,
    )  # fmt: skip


def present(r: Results, picture: Picture, data: bytes, seconds: float) -> Iterator[Update]:
    """The file first; other formats follow one by one. The last update is what a program that
    calls this page gets."""
    analysis = pranc_codec.analyze(data)
    decoded = rgb_pixels(pranc_codec.decode(data))
    ours = Rival(
        name=OURS, file_bytes=len(data), pixels=decoded, fits=True,
        psnr_db=psnr_db(picture.pixels, decoded),
    )  # fmt: skip
    numbers = [
        ("file", f"{len(data):,} bytes"), ("bits per pixel", f"{analysis.bpp:.3f}"),
        ("PSNR", f"{ours.psnr_db:.2f} dB"), ("encoded in", f"{seconds:.1f} s"),
    ]  # fmt: skip
    with outgoing() as files:
        original, shown = (
            files.write_png(pixels, name)
            for pixels, name in ((picture.pixels, ORIGINAL), (decoded, OURS))
        )
        result: Update = {
            r.status: fragments.facts(numbers), r.slider: (original, shown), r.against: ORIGINAL,
            r.parts: fragments.bytes_bar(analysis),
            r.file: files.write(data, f"{picture.name}.pranc"),
            r.preview: gr.update(visible=False), r.group: gr.update(visible=True),
        }  # fmt: skip
        rivals, gallery = [ours], [(original, ORIGINAL), (shown, _caption(ours))]
        yield result | {r.ranking: _ranking(picture, rivals), r.gallery: gallery}
        for name in FORMATS:
            rivals.append(rival(picture.image, name, len(data)))
            gallery.append((files.write_png(rivals[-1].pixels, name), _caption(rivals[-1])))
            # All of `result` again: the page draws the last of updates that come close together,
            # and a component that it leaves out has neither this one's value nor its visibility.
            yield result | {r.ranking: _ranking(picture, rivals), r.gallery: gallery}


def _caption(v: Rival) -> str:
    return f"{v.name}: {v.psnr_db:.2f} dB"


def _ranking(picture: Picture, rivals: list[Rival]) -> str:
    """The table of ours and of the formats so far."""
    rows = [
        (v.name, v.file_bytes, 8 * v.file_bytes / picture.pixel_count, v.psnr_db, v.fits)
        for v in rivals
    ]
    return fragments.ranking(rows, (RULE, *picture.notes))


def compare(left: str, gallery: list[tuple[str, str]] | None) -> tuple[str, str]:
    """Another picture at the left of the slider, from those of the gallery."""
    found = {caption.split(":")[0]: path for path, caption in gallery or []}
    if left not in found:
        raise gr.Error(f"{left} is still being made", print_exception=False)
    return found[left], found[OURS]
