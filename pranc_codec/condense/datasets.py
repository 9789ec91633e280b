"""Read MNIST and CIFAR-10 from a user's own copy, and split them into training and validation.

    mnist      mnist.npz (x_train, y_train, x_test, y_test), or torchvision's MNIST/raw with its
               idx files, compressed or not
    cifar10    a folder or .tar.gz of train|test/CLASS/NAME.jpg, or torchvision's
               cifar-10-batches-py

A path may name these files and folders or the folder that contains them. torchvision is not needed.
"""

import gzip
import io
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from pranc_codec.errors import InvalidArgument

VALIDATION_IMAGES: Final = 5000
READ_ERRORS: Final = (
    EOFError, IndexError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
"""Exceptions that the readers of NumPy, gzip, zip and pickle raise for damaged files."""
JPEG_NOTE: Final = "CIFAR-10 recompressed as JPEG"
Arrays = dict[str, npt.NDArray[Any]]
PICKLE_GLOBALS: Final = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""The functions and classes that a pickle of arrays may use."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and the class of each."""

    images: UInt8[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set in three parts.

    name: the name to quote with results. mean, deviation: mean and standard deviation of each
    channel of `train`.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    mean: Float[Tensor, "c 1 1"]
    deviation: Float[Tensor, "c 1 1"]

    def normalize(self, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return images as networks take them: float32, mean 0, deviation 1, channels last."""
        normalized = (images.float() - self.mean.to(images.device)) / self.deviation.to(
            images.device
        )
        return normalized.contiguous(memory_format=torch.channels_last)


def load_dataset(kind: str, path: Path) -> Dataset:
    """Read a data set.

    kind: "mnist" or "cifar10". path: one of the files or folders that this module's docstring
    lists.

    `VALIDATION_IMAGES` of the training images become validation images, always the same ones.
    Raises InvalidArgument if the files are missing or damaged.
    """
    readers = {"mnist": _read_mnist, "cifar10": _read_cifar10}
    if kind not in readers:
        raise InvalidArgument(f"unknown data set {kind!r}: use one of {', '.join(readers)}")
    try:
        name, arrays = readers[kind](path)
    except InvalidArgument:  # a ValueError too, but its message is complete
        raise
    except READ_ERRORS as error:
        raise InvalidArgument(
            f"{path} is damaged, or not a copy of {kind}: {type(error).__name__}: {error}"
        ) from error
    return split(name, arrays, validation=VALIDATION_IMAGES)


def split(name: str, arrays: Arrays, *, validation: int) -> Dataset:
    """Make a data set from arrays.

    arrays: x_train, y_train, x_test and y_test; images are uint8 of shape (n, h, w) or
    (n, h, w, 3), labels are (n,). validation: number of training images that become validation
    images.

    Raises InvalidArgument for missing arrays or too few training images.
    """
    for key in ("x_train", "y_train", "x_test", "y_test"):
        if key not in arrays:
            raise InvalidArgument(f"{name}: {key} is missing; there are {', '.join(arrays)}")
    if len(arrays["x_train"]) <= validation:
        raise InvalidArgument(
            f"{name}: {len(arrays['x_train'])} training images, of which {validation} are for "
            "validation: none would be left to train on"
        )
    order = np.random.default_rng(0).permutation(len(arrays["x_train"]))
    train, held_out = order[:-validation], order[-validation:]
    x, y = arrays["x_train"], arrays["y_train"]
    images = _split_of(x[train], y[train])
    pixels = images.images.double()
    return Dataset(
        name=name,
        train=images,
        validation=_split_of(x[held_out], y[held_out]),
        test=_split_of(arrays["x_test"], arrays["y_test"]),
        mean=pixels.mean((0, 2, 3)).float()[:, None, None],
        deviation=pixels.std((0, 2, 3)).float()[:, None, None],
    )


def _split_of(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    shaped = images[..., None] if images.ndim == 3 else images
    tensor = torch.from_numpy(shaped).permute(0, 3, 1, 2)
    return Split(images=tensor.contiguous(), labels=torch.from_numpy(labels.astype(np.int64)))


def _find(path: Path, names: tuple[str, ...]) -> Path | None:
    """Return `path` if it has one of the names, else a file or folder in it that has one."""
    candidates = [path, *(path / name for name in names)]
    return next((c for c in candidates if c.exists() and c.name in {Path(n).name for n in names}),
                None)  # fmt: skip


def _read_mnist(path: Path) -> tuple[str, Arrays]:
    if archive := _find(path, ("mnist.npz",)):
        with np.load(archive, allow_pickle=False) as loaded:
            return "MNIST", {name: loaded[name] for name in loaded.files}
    if raw := _find(path, ("raw", "MNIST/raw")):
        names = {"x_train": "train-images-idx3", "y_train": "train-labels-idx1",
                 "x_test": "t10k-images-idx3", "y_test": "t10k-labels-idx1"}  # fmt: skip
        return "MNIST", {key: _read_idx(raw, name) for key, name in names.items()}
    raise InvalidArgument(f"{path} contains neither mnist.npz nor torchvision's MNIST/raw")


def _read_idx(folder: Path, name: str) -> npt.NDArray[np.uint8]:
    """Read an idx file of bytes: 0, 0, type 8, number of dimensions, big-endian sizes, values."""
    plain = folder / f"{name}-ubyte"
    data = plain.read_bytes() if plain.exists() else gzip.decompress(
        plain.with_name(plain.name + ".gz").read_bytes()
    )  # fmt: skip
    sizes = np.frombuffer(data, dtype=">u4", count=data[3], offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(sizes).copy()


def _read_cifar10(path: Path) -> tuple[str, Arrays]:
    if folder := _find(path, ("cifar-10-batches-py",)):
        return "CIFAR-10", _read_batches(folder)
    archive = _find(path, ("cifar10_jpeg.tar.gz",)) or path
    files = _files_of_archive(archive) if archive.is_file() else _files_of_folder(archive)
    found: dict[str, list[tuple[str, npt.NDArray[np.uint8]]]] = {"train": [], "test": []}
    for part, label, data in files:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        found[part].append((label, np.asarray(image)))
    classes = sorted({label for label, _ in found["train"]})
    if len(classes) != 10 or not found["test"]:
        raise InvalidArgument(f"{path} does not contain train|test/CLASS/*.jpg of ten classes")
    arrays = {f"x_{part}": np.stack([image for _, image in found[part]]) for part in found}
    labels = {
        f"y_{part}": np.array([classes.index(label) for label, _ in found[part]]) for part in found
    }
    return JPEG_NOTE, arrays | labels


def _files_of_archive(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield ("train" or "test", class, bytes) of each JPEG in a .tar.gz archive."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                parts = Path(member.name).parts
                file = archive.extractfile(member) if member.name.endswith(".jpg") else None
                if file and len(parts) >= 3 and parts[-3] in ("train", "test"):
                    yield parts[-3], parts[-2], file.read()
    except tarfile.TarError as error:
        raise InvalidArgument(f"{path} is not a readable tar archive: {error}") from error


def _files_of_folder(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield ("train" or "test", class, bytes) of each JPEG in a folder."""
    for part in ("train", "test"):
        for file in sorted(path.glob(f"{part}/*/*.jpg")):
            yield part, file.parent.name, file.read_bytes()


class _ArrayUnpickler(pickle.Unpickler):
    """Reads torchvision's batches, which are pickles, and allows only NumPy arrays in them."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PICKLE_GLOBALS:
            return super().find_class(module, name)
        raise InvalidArgument(
            f"a batch of CIFAR-10 uses {module}.{name}: it is not read, because only arrays are "
            "allowed"
        )


def _read_batches(folder: Path) -> Arrays:
    """Read torchvision's cifar-10-batches-py; a row is 3072 bytes: red, then green, then blue."""

    def read(names: list[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        images, labels = [], []
        for name in names:
            with (folder / name).open("rb") as file:
                batch = _ArrayUnpickler(file, encoding="bytes").load()
            images.append(batch[b"data"])
            labels.extend(batch[b"labels"])
        pixels = np.concatenate(images).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pixels, np.array(labels)

    x_train, y_train = read([f"data_batch_{n}" for n in range(1, 6)])
    x_test, y_test = read(["test_batch"])
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
