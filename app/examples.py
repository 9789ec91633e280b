"""Pictures to begin with, which scikit-image ships."""

from pathlib import Path
from typing import Final

import gradio as gr
import skimage.data

from .calls import LIGHT
from .vault import Vault

NAMES: Final = (
    "astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "coins.png",
    "hubble_deep_field.jpg",
)  # fmt: skip


def published_examples(vault: Vault) -> list[str]:
    """Paths of copies in the vault of those pictures that this release of scikit-image has."""
    folder = Path(skimage.data.__file__).parent
    return [vault.publish(folder / name) for name in NAMES if (folder / name).is_file()]


def build(paths: list[str], picture: gr.Image) -> None:
    """Lay out the examples; a click puts one into the picture."""
    shown = gr.Dataset(
        components=[picture], samples=[[path] for path in paths], type="index",
        label="or one of these", samples_per_page=12, elem_id="examples",
    )  # fmt: skip
    shown.click(lambda index: paths[range(len(paths))[index]], shown, picture, **LIGHT)
