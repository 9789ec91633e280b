"""Example pictures, which come with scikit-image."""

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
    """Copy the example pictures that this release of scikit-image has to the vault.

    Returns the paths of the copies.
    """
    folder = Path(skimage.data.__file__).parent
    return [vault.publish(folder / name) for name in NAMES if (folder / name).is_file()]


def build(paths: list[str], picture: gr.Image) -> None:
    """Lay out the examples. A click on one makes it the picture to encode."""
    shown = gr.Dataset(
        components=[picture], samples=[[path] for path in paths], type="index",
        label="or one of these", samples_per_page=12, elem_id="examples",
    )  # fmt: skip
    shown.click(lambda index: paths[index], shown, picture, **LIGHT)
