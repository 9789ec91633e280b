"""Show the results of an encoding: the file, compared with other formats of its size."""

from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr

from . import fragments
from .calls import Server
from .rivals import FORMATS

OURS: Final = "pranc"
ORIGINAL: Final = "Original"
RULE: Final = "others at the highest quality that is not above our bytes"
Update = dict[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Results:
    """The components on the right of the Encode tab, from top to bottom."""

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
    made: gr.State
    """The path of the session's file."""
    pictures: gr.State
    """Paths of the session's pictures, by the names of the formats that are compared."""

    @property
    def outputs(self) -> list[Any]:
        return list(vars(self).values())


def layout() -> Results:
    """Lay out the components. All but the status are hidden until there is something to see."""
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
        made=gr.State(None), pictures=gr.State({}),
    )  # fmt: skip


@dataclass(kw_only=True)
class Shown:
    """The results of one encoding as they become known. found: the first result of the encoding.

    Each update contains everything: of updates that arrive close together, the page draws only the
    last, and components missing from that one would lose the values of the earlier ones.
    """

    server: Server
    components: Results
    found: dict[str, Any]
    rivals: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    gallery: list[tuple[str, str]] = field(default_factory=list)
    file: str = ""

    def __post_init__(self) -> None:
        self.file = self.server.file(self.found["data"], f"{self.found['name']}.pranc")
        self._picture(ORIGINAL, self.found["original"], ORIGINAL)
        self.add(self.found["rival"])

    def add(self, rival: dict[str, Any]) -> None:
        """Add the file of another format."""
        self.rivals.append(rival)
        self._picture(rival["name"], rival["png"], f"{rival['name']}: {rival['psnr_db']:.2f} dB")

    def _picture(self, name: str, png: bytes, caption: str) -> None:
        self.pictures[name] = self.server.file(png, f"{name}.png")
        self.gallery.append((self.pictures[name], caption))

    def update(self) -> Update:
        """Return all results so far. A program that calls this page gets the last update."""
        r = self.components
        return {
            r.status: self.found["facts"], r.parts: self.found["parts"], r.against: ORIGINAL,
            r.slider: (self.pictures[ORIGINAL], self.pictures[OURS]),
            r.preview: gr.update(visible=False), r.group: gr.update(visible=True),
            r.ranking: self._ranking(), r.gallery: list(self.gallery), r.file: self.file,
            r.made: self.file, r.pictures: dict(self.pictures),
        }  # fmt: skip

    def _ranking(self) -> str:
        """Return the table of our format and of the others so far."""
        rows = [
            (v["name"], v["bytes"], 8 * v["bytes"] / self.found["pixels"], v["psnr_db"], v["fits"])
            for v in self.rivals
        ]
        return fragments.ranking(rows, (RULE, *self.found["notes"]))


def compare(left: str, pictures: dict[str, str]) -> tuple[str, str]:
    """Show another picture on the left of the slider. pictures: this session's, by name."""
    if left not in pictures:
        raise gr.Error(f"{left} is still being made", print_exception=False)
    return pictures[left], pictures[OURS]
