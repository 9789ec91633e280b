"""Pictures to begin with: what scikit-image ships."""

from pathlib import Path
from typing import Final

import skimage.data

NAMES: Final = {
    "astronaut": "astronaut.png", "coffee": "coffee.png", "cat": "chelsea.png",
    "rocket": "rocket.jpg", "coins": "coins.png", "galaxies": "hubble_deep_field.jpg",
}  # fmt: skip


def example_paths() -> list[str]:
    """Where they lie, those that this release of scikit-image has in its wheel."""
    folder = Path(skimage.data.__file__).parent
    return [str(folder / name) for name in NAMES.values() if (folder / name).is_file()]
