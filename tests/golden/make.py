"""Write golden files of the current format version. Never overwrites one.

    python tests/golden/make.py

Run it when the format gets a new version or the encoder a new prior, and add to the list; files
that exist are a promise.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as skimage_data

import pranc_codec
from pranc_codec.format.bitstream import VERSION
from tests.golden.check import FOLDER, symbols_sha256


def cases() -> dict[str, tuple[np.ndarray, dict]]:
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
        "rgb": (photo, dict(bpp=2)),
        "rgb-hash-3": (photo, dict(bpp=1, rule=hashed, seed=2**32 - 1)),
        "rgb-dense": (photo, dict(bpp=1, rule=dense, seed=5)),
        "rgba-metadata": (alpha, dict(quality=60, metadata=metadata)),
        "la": (alpha[:, :, 2:], dict(quality=60)),
        "grey16": (grey16, dict(bpp=3)),
        "float": (photo[::-1].astype(np.float32) / 255, dict(bpp=2)),
        "pixel": (photo[:1, :1], dict()),
    }
    grid = {
        "grid-rgb": (photo, dict(quality=50)),
        "grid-fitted": (larger, dict(quality=60, effort=5, seed=7)),
        "grid-rgba-metadata": (alpha, dict(quality=40, metadata=metadata)),
        "grid-grey16": (grey16, dict(quality=90)),
        "grid-float": (photo[::-1].astype(np.float32) / 255, dict(bpp=2)),
        "grid-line": (photo[:1], dict(quality=50)),
        "grid-pixel": (photo[:1, :1], dict()),
        "grid-4": (photo, dict(quality=45, effort=1, seed=8)),
        "grid-4-fitted": (larger, dict(quality=60, effort=4, seed=9)),
        "grid-5": (photo, dict(quality=35, effort=1, seed=10)),
        "grid-5-fitted": (larger, dict(quality=55, effort=4, seed=11)),
        "grid-5-coefficients": (coffee, dict(quality=60, effort=2, seed=12)),
        "grid-6": (photo, dict(quality=35, effort=1, seed=13)),
        "grid-6-fitted": (larger, dict(quality=55, effort=4, seed=14)),
        "grid-6-coefficients": (coffee, dict(quality=45, effort=2, seed=15)),
    }
    return {
        name: (image, dict(profile=profile, effort=2) | options)
        for profile, group in (("mlp", mlp), ("grid", grid))
        for name, (image, options) in group.items()
    }


def main(folder: Path = FOLDER) -> None:
    expected_path = folder / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    for name, (image, options) in cases().items():
        path = folder / f"v{VERSION}-{name}.pranc"
        if path.exists():
            continue
        path.write_bytes(pranc_codec.encode(image, **options))
        pixels = pranc_codec.decode_array(path.read_bytes(), device="cpu")
        if pixels.dtype == np.uint8:
            Image.fromarray(pixels).save(path.with_suffix(".png"))
        else:
            np.save(path.with_suffix(".npy"), pixels)
        expected[path.name] = symbols_sha256(path.read_bytes())
    expected_path.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
