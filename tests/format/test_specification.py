"""The examples and tables in the text of `bitstream` are those of the code."""

import re

import numpy as np
import pytest
import torch

import pranc_codec
from pranc_codec.entropy import mixture_coder, range_coder
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import GridParameters, LayerCode, MlpParameters
from pranc_codec.format.sections import pack_sections
from pranc_codec.grid import context_int, latent_stream, prior as priors

TEXT = bitstream.__doc__ or ""


def section_of_the_text(title: str) -> list[str]:
    """Lines of a part of the text, from its title to the next empty line."""
    return TEXT.split(title, 1)[1].split("\n\n")[0].splitlines()[1:]


def example(profile: str) -> bytes:
    """The bytes that the text explains: two digits each, in the first columns."""
    lines = section_of_the_text(f"Example of the {profile} profile")
    return bytes.fromhex("".join(line[4:30] for line in lines))


def made_grid_file() -> bytes:
    prior = priors.load(0x8493E3F4)
    parameters = GridParameters(prior=prior.number, q_step_code=-256, approximation_rows=(16,))
    approximation = np.array([[[3, 2, 2, 1], [2, 2, 1, 0]]], dtype=np.int32)
    encoder = range_coder.Encoder()
    latent_stream.pack_approximation(encoder, approximation, parameters.approximation_rows)

    def code(d: mixture_coder.Distributions, key: tuple[int, ...]) -> np.ndarray:
        symbols = np.array([key[2] - 1, 0, 0, 0, 0, 0], dtype=np.int32)
        mixture_coder.encode_phase(encoder, symbols, d)
        return symbols

    planes = torch.zeros(1, 3, 2, 4, dtype=torch.int32)
    planes[0, :1] = torch.from_numpy(approximation)
    context = prior.context(torch.device("cpu"))
    context_int.code_bands(context, planes, (4, 8), parameters.q_step_code, code, colours=1)
    header = Header(
        profile="grid", mode="L", samples="uint8", width=8, height=4, seed=0, sections=1,
        parameters=parameters,
    )  # fmt: skip
    return bitstream.pack_header(header) + pack_sections({bitstream.LATENTS: encoder.finish()})


def made_mlp_file() -> bytes:
    rows = (8, 12)
    symbols = [np.array([1, 0], dtype=np.int32), np.array([-2], dtype=np.int32)]
    parameters = MlpParameters(
        prior=0, basis="hash", features=2, bandwidth=40, width=2, depth=1, k=3,
        layers=tuple(LayerCode(q_step_code=68, row=row) for row in rows),
    )  # fmt: skip
    stream = range_coder.encode_symbols(zip(symbols, rows, strict=True))
    header = Header(
        profile="mlp", mode="L", samples="uint8", width=300, height=200, seed=7, sections=1,
        parameters=parameters,
    )  # fmt: skip
    return bitstream.pack_header(header) + pack_sections({bitstream.SYMBOLS: stream})


@pytest.mark.parametrize(
    ("profile", "made", "size"),
    [("grid", made_grid_file, (8, 4)), ("mlp", made_mlp_file, (300, 200))],
)
def test_examples_are_real_files(profile, made, size):
    data = example(profile)
    assert data == made()
    assert f"Example of the {profile} profile, {len(data)} bytes" in TEXT
    assert pranc_codec.decode(data).size == size


def test_the_table_lists_the_versions_that_are_read():
    rows = [line.split() for line in section_of_the_text("Versions")[1:]]
    assert [int(row[0]) for row in rows] == sorted(bitstream.READERS)
    assert int(rows[-1][0]) == bitstream.VERSION


def test_modules_that_the_text_names_exist():
    """`a.b` is a module of the package or an attribute of one."""
    named = re.findall(r"`((?:basis|entropy|grid|mlp|pranc)\.[\w.]+)`", TEXT)
    assert len(named) > 8
    for name in named:
        parts = name.split(".")
        try:
            __import__(f"pranc_codec.{name}")
        except ModuleNotFoundError:
            module = __import__(f"pranc_codec.{'.'.join(parts[:-1])}", fromlist=["_"])
            assert hasattr(module, parts[-1]), name


def test_the_header_knows_its_version(encoded):
    header = bitstream.unpack_header(encoded)
    assert header.version == bitstream.VERSION
    other = Header(**{**vars(header), "version": 0})
    assert other != header
    with pytest.raises(pranc_codec.InvalidArgument, match="version 0"):
        bitstream.pack_header(other)
