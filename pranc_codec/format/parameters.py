"""The profiles' parts of the header, as `bitstream` specifies them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pranc_codec.entropy.tables import ROWS
from pranc_codec.errors import CorruptBitstream, renamed_attribute
from pranc_codec.format.fields import Reader, pack_varint

BASES: Final = ("hash", "dense")
Q_STEP_OFFSET: Final = 1024
Q_STEP_CODES: Final = (384, 1280)


@dataclass(frozen=True, kw_only=True)
class LayerCode:
    """How the symbols of one layer are coded.

    q_step_code: 0 .. 255, from a coarse to a fine quantization step. row: index in `tables.rows`.
    """

    q_step_code: int
    row: int

    @property
    def q_step(self) -> float:
        """Quantization step, in units of the layer's PRANC scale."""
        return q_step_of_code(self.q_step_code)

    step = renamed_attribute("step", "q_step")
    step_code = renamed_attribute("step_code", "q_step_code")


def q_step_of_code(code: int) -> float:
    """Return the quantization step of a code in the header: 2**(2 - code / 16)."""
    return float(2.0 ** (2 - code / 16))


def grid_q_step_of_code(code: int) -> float:
    """Return the quantization step of the latents of a code in the header: 2**(code / 64)."""
    return float(2.0 ** (code / 64))


@dataclass(frozen=True, kw_only=True)
class MlpParameters:
    """The mlp profile's part of the header: the network and how its coefficients are coded.

    prior: 0 for initialization from the seed. basis: "hash" or "dense". features: number of Fourier
    features. bandwidth: code of their largest frequency, 2**(bandwidth / 16) radians. width:
    channels of a sine layer. depth: number of sine layers. k: coefficients of all layers. layers:
    how the symbols of each are coded, the linear output layer last.
    """

    prior: int
    basis: str
    features: int
    bandwidth: int
    width: int
    depth: int
    k: int
    layers: tuple[LayerCode, ...]


@dataclass(frozen=True, kw_only=True)
class GridParameters:
    """The grid profile's part of the header.

    prior: number that identifies the trained networks. q_step_code: 64 log2 of the quantization
    step, without the format's offset. approximation_rows: for each colour, the index of the row of
    `tables.rows` that codes the coarsest approximation. k: number of PRANC coefficients of the
    enhancement network's biases. layer: how these are coded; None if there are none.
    """

    prior: int
    q_step_code: int
    approximation_rows: tuple[int, ...]
    k: int = 0
    layer: LayerCode | None = None

    @property
    def q_step(self) -> float:
        """Quantization step of the wavelet coefficients, in units of samples in [0, 1]."""
        return grid_q_step_of_code(self.q_step_code)

    step = renamed_attribute("step", "q_step")
    step_code = renamed_attribute("step_code", "q_step_code")
    low_rows = renamed_attribute("low_rows", "approximation_rows")


Parameters = MlpParameters | GridParameters


@dataclass(frozen=True, kw_only=True)
class ParametersFormat:
    """Functions that read and write a profile's part of the header.

    pack: parameters -> bytes. unpack: the inverse; a reader and the number of colours ->
    parameters. check: raises CorruptBitstream for illegal values. has_latents: whether a file of
    the profile has the section `latents`.
    """

    pack: Callable[[Any], bytes]
    unpack: Callable[[Reader, int], Parameters]
    check: Callable[[Any], None]
    has_latents: bool


def pack_mlp(parameters: MlpParameters) -> bytes:
    """Pack the parameters of the mlp profile; `unpack_mlp` is the inverse."""
    p = parameters
    out = bytes([BASES.index(p.basis) | p.prior << 1])
    out += pack_varint(p.features) + bytes([p.bandwidth])
    out += pack_varint(p.width) + bytes([p.depth]) + pack_varint(p.k)
    return out + b"".join(_pack_layer(layer) for layer in p.layers)


def unpack_mlp(reader: Reader, _colours: int) -> MlpParameters:
    """Read the parameters of the mlp profile, unchecked (`check_mlp`); inverse of `pack_mlp`."""
    weights = reader.u8()
    features, bandwidth = reader.varint(), reader.u8()
    width, depth, k = reader.varint(), reader.u8(), reader.varint()
    layers = tuple(_unpack_layer(reader) for _ in range(depth + 1))
    return MlpParameters(
        prior=weights >> 1,
        basis=BASES[weights & 1],
        features=features,
        bandwidth=bandwidth,
        width=width,
        depth=depth,
        k=k,
        layers=layers,
    )


def check_mlp(p: MlpParameters) -> None:
    """Raise CorruptBitstream for values that the format does not allow."""
    check(1 <= p.features < 65536, "features", p.features)
    check(p.bandwidth >= 1, "bandwidth", p.bandwidth)
    check(1 <= p.width < 65536, "network width", p.width)
    check(1 <= p.depth <= 32, "depth", p.depth)
    largest_row = max(layer.row for layer in p.layers)
    check(largest_row < ROWS, "table row", largest_row)


def pack_grid(parameters: GridParameters) -> bytes:
    """Pack the parameters of the grid profile; `unpack_grid` is the inverse."""
    p = parameters
    out = p.prior.to_bytes(4, "little") + pack_varint(p.q_step_code + Q_STEP_OFFSET)
    out += bytes(p.approximation_rows) + pack_varint(p.k)
    return out + (_pack_layer(p.layer) if p.layer else b"")


def unpack_grid(reader: Reader, colours: int) -> GridParameters:
    """Read the parameters of the grid profile, unchecked (`check_grid`); inverse of `pack_grid`.

    colours: 1 or 3.
    """
    prior, q_step_code = reader.u32(), reader.varint() - Q_STEP_OFFSET
    approximation_rows = tuple(reader.u8() for _ in range(colours))
    k = reader.varint()
    layer = _unpack_layer(reader) if k else None
    return GridParameters(
        prior=prior,
        q_step_code=q_step_code,
        approximation_rows=approximation_rows,
        k=k,
        layer=layer,
    )


def check_grid(p: GridParameters) -> None:
    """Raise CorruptBitstream for values that the format does not allow."""
    code = p.q_step_code + Q_STEP_OFFSET
    check(Q_STEP_CODES[0] <= code <= Q_STEP_CODES[1], "q_step", code)
    largest_row = max(*p.approximation_rows, p.layer.row if p.layer else 0)
    check(largest_row < ROWS, "table row", largest_row)


FORMATS: Final[dict[str, ParametersFormat]] = {
    "mlp": ParametersFormat(pack=pack_mlp, unpack=unpack_mlp, check=check_mlp, has_latents=False),
    "grid": ParametersFormat(
        pack=pack_grid, unpack=unpack_grid, check=check_grid, has_latents=True
    ),
}
"""Format of the parameters of each profile."""


def check(legal: bool, name: str, value: int) -> None:
    """Raise CorruptBitstream for the header's field `name` unless its value is legal."""
    if not legal:
        raise CorruptBitstream(f"the header's {name} has the illegal value {value}")


def _pack_layer(layer: LayerCode) -> bytes:
    return bytes([layer.q_step_code, layer.row])


def _unpack_layer(reader: Reader) -> LayerCode:
    return LayerCode(q_step_code=reader.u8(), row=reader.u8())
