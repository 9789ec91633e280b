"""The example in the specification of the .prw format is a file that is written like that today."""

import re

import torch
from torch import nn

from pranc_codec import Pranc
from pranc_codec.format.sections import inflate, pack_sections
from pranc_codec.pranc import file_format
from tests.pranc.condensed import parts

DUMP = re.compile(r"^    ([0-9A-F]{2})?  *((?:[0-9A-F]{2} )*[0-9A-F]{2})   +\S", re.MULTILINE)


def example() -> bytes:
    """The bytes of the dump; the offsets beside them must be right."""
    text = file_format.__doc__.partition("byte by byte")[2]
    data = b""
    for offset, octets in DUMP.findall(text):
        assert not offset or int(offset, 16) == len(data)
        data += bytes.fromhex(octets)
    return data


def module() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def test_the_dump_is_what_its_model_is_written_as():
    """zlib's output differs between its implementations: of that, what is inside is compared."""
    network = Pranc(module(), coefficients=5, exclude=["1"], seed=7)
    network.set_coefficients(torch.tensor([1, -0.5, 0, 2.5, 0]))
    (header, sections), (wanted, other) = (
        parts(data) for data in (network.to_bytes(q_step=0.5), example())
    )
    assert header == wanted
    assert sections[1] == other[1]
    assert inflate(sections[2], 1000, "tensors") == inflate(other[2], 1000, "tensors")


def test_the_dump_is_one_whole_file():
    data = example()
    assert len(data) == 0x42
    header, sections = parts(data)
    assert file_format.pack_header(header) + pack_sections(sections) == data
    network = Pranc.from_bytes(data, module())
    assert network.coefficients().tolist() == [1, -0.5, 0, 2.5, 0]
    assert torch.equal(network.module[1].running_var, torch.ones(3))


def test_every_normative_module_exists():
    names = re.findall(
        r"^    ((?:\w+\.)*\w+)   +\w", file_format.__doc__.partition("\nConv")[0], re.M
    )
    assert len(names) == 7
    for name in names:
        __import__(f"pranc_codec.{name}")
