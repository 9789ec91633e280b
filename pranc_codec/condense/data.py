"""Images with labels, from files that the user has: training, validation and test split."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pranc_codec.errors import InvalidArgument

VALIDATION: Final = 5000
SPLIT_SEED: Final = 0
IDX_NAMES: Final = (
    "train-images-idx3",
    "train-labels-idx1",
    "t10k-images-idx3",
    "t10k-labels-idx1",
)
ARRAYS: Final = ("x_train", "y_train", "x_test", "y_test")
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Images in [0, 1] and their classes."""

    images: Float[Tensor, "n channels h w"]
    labels: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Choices are made on `validation`; `test` is looked at once."""

    train: Labelled
    validation: Labelled
    test: Labelled


def load_mnist(path: Path, *, validation: int = VALIDATION) -> Splits:
    """MNIST from an .npz file (x_train, y_train, x_test, y_test) or from torchvision's folder.

    validation: training images that are set aside, drawn by a fixed seed.
    """
    x_train, y_train, x_test, y_test = _read_npz(path) if path.is_file() else _read_idx(path)
    if not 0 < validation < len(y_train):
        raise InvalidArgument(f"{validation} validation images of {len(y_train)}: use fewer")
    order = np.random.default_rng(SPLIT_SEED).permutation(len(y_train))
    held, kept = order[:validation], order[validation:]
    return Splits(
        train=_labelled(x_train[kept], y_train[kept]),
        validation=_labelled(x_train[held], y_train[held]),
        test=_labelled(x_test, y_test),
    )


def _labelled(images: Bytes, labels: Bytes) -> Labelled:
    return Labelled(
        images=torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1),
        labels=torch.from_numpy(labels.astype(np.int64)),
    )


def _read_npz(path: Path) -> list[Bytes]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in ARRAYS]
    except (KeyError, ValueError, OSError) as error:
        raise InvalidArgument(f"{path}: not an .npz file with {', '.join(ARRAYS)}") from error


def _read_idx(folder: Path) -> list[Bytes]:
    """The four files of LeCun's format, plain or gzipped, anywhere below a folder."""
    arrays = []
    for name in IDX_NAMES:
        found = sorted(folder.rglob(f"{name}-ubyte")) or sorted(folder.rglob(f"{name}-ubyte.gz"))
        if not found:
            raise InvalidArgument(
                f"{folder}: no {name}-ubyte here; give MNIST's folder or mnist.npz"
            )
        raw = found[0].read_bytes()
        arrays.append(
            _parse_idx(gzip.decompress(raw) if found[0].suffix == ".gz" else raw, found[0])
        )
    return arrays


def _parse_idx(raw: bytes, path: Path) -> Bytes:
    """uint8 array of the IDX format: 0 0 8 rank, sizes as big-endian 32 bits, elements."""
    rank = raw[3] if raw[:3] == b"\0\0\x08" and len(raw) > 3 else 0
    shape = np.frombuffer(raw[4 : 4 + 4 * rank], dtype=">u4").astype(int)
    if not rank or len(shape) < rank or len(raw) != 4 + 4 * rank + shape.prod():
        raise InvalidArgument(f"{path}: not a whole IDX file of bytes")
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
