"""A small condensed network, its file, and files with other fields but right checksums."""

from dataclasses import replace

import torch
from torch import nn

from pranc_codec import Pranc
from pranc_codec.format.sections import pack_sections
from pranc_codec.pranc import file_format

INPUTS = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
    )


def condensed(module: nn.Module | None = None, **options) -> Pranc:
    """A network with some coefficients and used running statistics."""
    torch.manual_seed(0)
    options = dict(coefficients=90, exclude=["1"], seed=2**40 + 5) | options
    network = Pranc(module or build(), **options)
    network.set_coefficients(torch.randn(options["coefficients"]))
    network(INPUTS)
    return network.eval()


DATA = condensed().to_bytes()


def parts(data: bytes):
    header = file_format.unpack_header(data)
    return header, file_format.unpack_sections(data, header)


def rewrite(data: bytes, payloads=None, **changes) -> bytes:
    """The same file with other header fields or sections, and right checksums."""
    header, old = parts(data)
    return file_format.pack_header(replace(header, **changes)) + pack_sections(payloads or old)
