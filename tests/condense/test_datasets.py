"""Readers of MNIST and CIFAR-10 in every layout, and what they refuse."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from pranc_codec.condense.datasets import load_dataset, split
from pranc_codec.condense.tasks import task_of
from pranc_codec.errors import InvalidArgument


def write_idx(path, array, compressed):
    data = bytes([0, 0, 8, array.ndim])
    data += b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    if compressed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


@pytest.mark.parametrize("compressed", [True, False])
def test_mnist_in_both_layouts(tmp_path, compressed):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (5010, 28, 28), dtype=np.uint8), np.arange(5010) % 10
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    raw = tmp_path / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 5010), ("t10k", 7)):
        write_idx(raw / f"{name}-images-idx3-ubyte", x[:count], compressed)
        write_idx(raw / f"{name}-labels-idx1-ubyte", y[:count].astype(np.uint8), compressed)
    one, two = load_dataset("mnist", tmp_path), load_dataset("mnist", tmp_path / "torchvision")
    assert one.train.images.shape == (10, 1, 28, 28)
    assert torch.equal(one.validation.images, two.validation.images)
    assert torch.equal(one.test.labels, two.test.labels)


def jpeg(colour) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "JPEG")
    return file.getvalue()


def test_cifar10_as_folder_and_archive(tmp_path, monkeypatch):
    monkeypatch.setattr("pranc_codec.condense.datasets.VALIDATION_IMAGES", 5)
    with tarfile.open(tmp_path / "cifar10_jpeg.tar.gz", "w:gz") as archive:
        for part, count in (("train", 1), ("test", 1)):
            for label in range(10):
                path = tmp_path / "folder" / part / f"class{label}" / f"{count:04}.jpg"
                path.parent.mkdir(parents=True)
                path.write_bytes(jpeg((20 * label, 0, 0)))
                archive.add(path, arcname=path.relative_to(tmp_path / "folder"))
    for place in (tmp_path / "folder", tmp_path / "cifar10_jpeg.tar.gz", tmp_path):
        dataset = load_dataset("cifar10", place)
        assert dataset.name == "CIFAR-10 recompressed as JPEG"
        assert dataset.test.images.shape == (10, 3, 32, 32)
        red = dataset.test.images[:, 0].float().mean((1, 2))
        assert torch.equal(dataset.test.labels, (red / 20).round().long())


def test_cifar10_batches_are_read_without_running_them(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (1100, 3072), dtype=np.uint8)
        batch = {b"data": rows, b"labels": [n % 10 for n in range(1100)]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    dataset = load_dataset("cifar10", tmp_path)
    assert dataset.name == "CIFAR-10"
    assert torch.equal(dataset.test.images[0].flatten(), torch.from_numpy(rows[0]))
    (folder / "test_batch").write_bytes(pickle.dumps(print))
    with pytest.raises(InvalidArgument, match="print"):
        load_dataset("cifar10", tmp_path)


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "cifar10_jpeg.tar.gz"
    path.write_bytes(b"no archive at all")
    with pytest.raises(InvalidArgument, match="not a readable tar archive"):
        load_dataset("cifar10", path)


def test_too_few_images_are_refused():
    images = np.zeros((20, 8, 8), np.uint8)
    arrays = dict(x_train=images, y_train=images[:, 0, 0], x_test=images, y_test=images[:, 0, 0])
    with pytest.raises(InvalidArgument, match="20 training images, of which 20 are for validation"):
        split("few", arrays, validation=20)
    with pytest.raises(InvalidArgument, match="y_test is missing"):
        split("few", {n: a for n, a in arrays.items() if n != "y_test"}, validation=5)


def test_damaged_data_is_named(tmp_path):
    colours = {f"train/c{n}": (n, n, n) for n in range(10)} | {"test/c0": (0, 0, 0)}
    archive = tmp_path / "cifar10_jpeg.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for folder, colour in colours.items():
            data = jpeg(colour)
            entry = tarfile.TarInfo(f"{folder}/a.jpg")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(InvalidArgument, match=r"cifar10_jpeg\.tar\.gz is damaged"):
        load_dataset("cifar10", archive)
    (tmp_path / "mnist.npz").write_bytes(b"no arrays")
    with pytest.raises(InvalidArgument, match=r"mnist\.npz is damaged"):
        load_dataset("mnist", tmp_path / "mnist.npz")


def test_missing_data_is_named(tmp_path):
    for kind in ("mnist", "cifar10"):
        with pytest.raises(InvalidArgument, match=str(tmp_path)) as refused:
            load_dataset(kind, tmp_path)
        assert "damaged" not in str(refused.value)  # it is not there
    with pytest.raises(InvalidArgument, match="mnist, cifar10"):
        load_dataset("svhn", tmp_path)
    with pytest.raises(InvalidArgument, match="mnist, cifar10"):
        task_of("svhn")
