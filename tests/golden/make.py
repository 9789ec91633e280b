"""Write the golden files that do not exist yet; files that exist are never changed.

    python -m tests.golden.make

A golden file is a promise that later releases decode it as the release did that wrote it. Its name
starts with the format version that it was written with and is never changed. When the format gets
a new version or the encoder a new prior, add cases to the list and run this.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.format.bitstream import VERSION
from tests.golden.check import FOLDER, symbols_sha256
from tests.golden.versions import check_version


def cases() -> dict[str, tuple[np.ndarray, dict]]:
    """Image and options of `encode` for each golden file, by its name without the suffix."""
    photo = np.asarray(Image.fromarray(skimage_data.chelsea()).resize((60, 40)))
    larger = np.asarray(Image.fromarray(skimage_data.chelsea()).resize((191, 127)))
    coffee = np.asarray(Image.fromarray(skimage_data.coffee()).resize((300, 200)))
    rng = np.random.default_rng(0)
    grey16 = (photo[:, :, 1].astype(np.uint16) * 257)[:, :33]
    alpha = np.concatenate([photo, rng.integers(0, 256, (40, 60, 1), dtype=np.uint8)], axis=2)
    metadata = pranc_codec.Metadata(icc_profile=b"icc", exif=b"Exif\0\0", xmp=b"<xmp/>")
    dense = pranc_codec.MlpRule(basis="dense", weights_per_coefficient=2)
    hashed = pranc_codec.MlpRule(weights_per_coefficient=3)
    mlp = {
        "v1-rgb": (photo, dict(bpp=2)),
        "v1-rgb-hash-3": (photo, dict(bpp=1, rule=hashed, seed=2**32 - 1)),
        "v1-rgb-dense": (photo, dict(bpp=1, rule=dense, seed=5)),
        "v1-rgba-metadata": (alpha, dict(quality=60, metadata=metadata)),
        "v1-la": (alpha[:, :, 2:], dict(quality=60)),
        "v1-grey16": (grey16, dict(bpp=3)),
        "v1-float": (photo[::-1].astype(np.float32) / 255, dict(bpp=2)),
        "v1-pixel": (photo[:1, :1], dict()),
    }
    grid = {
        "v1-grid-rgb": (photo, dict(quality=50)),
        "v1-grid-fitted": (larger, dict(quality=60, effort=5, seed=7)),
        "v1-grid-rgba-metadata": (alpha, dict(quality=40, metadata=metadata)),
        "v1-grid-grey16": (grey16, dict(quality=90)),
        "v1-grid-float": (photo[::-1].astype(np.float32) / 255, dict(bpp=2)),
        "v1-grid-line": (photo[:1], dict(quality=50)),
        "v1-grid-pixel": (photo[:1, :1], dict()),
        "v1-grid-4": (photo, dict(quality=45, effort=1, seed=8)),
        "v1-grid-4-fitted": (larger, dict(quality=60, effort=4, seed=9)),
        "v1-grid-5": (photo, dict(quality=35, effort=1, seed=10)),
        "v1-grid-5-fitted": (larger, dict(quality=55, effort=4, seed=11)),
        "v1-grid-5-coefficients": (coffee, dict(quality=60, effort=2, seed=12)),
        "v1-grid-6": (photo, dict(quality=35, effort=1, seed=13)),
        "v1-grid-6-fitted": (larger, dict(quality=55, effort=4, seed=14)),
        "v1-grid-6-coefficients": (coffee, dict(quality=45, effort=2, seed=15)),
    }
    return {
        name: (image, dict(profile=profile, effort=2) | options)
        for profile, group in (("mlp", mlp), ("grid", grid))
        for name, (image, options) in group.items()
    }


def main(folder: Path = FOLDER) -> None:
    """Write what is missing in `folder`: file, reference pixels, and the hash of the symbols."""
    expected_path = folder / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    missing = {
        name: case for name, case in cases().items() if not (folder / f"{name}.pranc").exists()
    }
    for name in missing:
        check_version(name, VERSION)
    for name, (image, options) in missing.items():
        path = folder / f"{name}.pranc"
        path.write_bytes(pranc_codec.encode(image, **options))
        pixels = pranc_codec.decode_array(path.read_bytes(), device="cpu")
        if pixels.dtype == np.uint8:
            Image.fromarray(pixels).save(path.with_suffix(".png"))
        else:
            np.save(path.with_suffix(".npy"), pixels)
        expected[path.name] = symbols_sha256(path.read_bytes())
    if missing:
        expected_path.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
