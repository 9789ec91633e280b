"""The rule that maps a rate to a network: its width, depth and number of coefficients.

A fitted coefficient costs about `BITS_PER_COEFFICIENT` bits, so a rate of b bits per pixel pays for

    k = b * pixels / BITS_PER_COEFFICIENT

coefficients. The depth is constant. The width is the smallest with which the network has at least
`weights_per_coefficient * k` weights. One weight per coefficient is best at equal encoding time
(`benchmarks/ablation_basis.py`); more weights are for research. A network is never so large that
decoding the image would exceed the default `Limits`. Wider networks get more Fourier features with
higher frequencies:

    features  = min(3 * width, 127)
    bandwidth = 3.5 * sqrt(width) radians

    quality 1 .. 100     b = 0.02 * 64**((quality - 1) / 99)      0.02 .. 1.28 bpp
    lmbda                b = 0.1 * (lmbda / 0.004)**(-2/3)

`quality` and `lmbda` fix the lambda of the fit, so images that are easy to code take fewer bits
than b.
"""

import math
from dataclasses import dataclass
from typing import Final

from pranc_codec.errors import InvalidArgument
from pranc_codec.format.parameters import BASES
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.mlp.coordinate_network import Shape, layer_sizes
from pranc_codec.mlp.decode import bandwidth_of_code, multiplications

BITS_PER_COEFFICIENT: Final = 6.0
LARGEST_WIDTH: Final = 256
MOST_FEATURES: Final = 127


@dataclass(frozen=True, kw_only=True)
class MlpRule:
    """Parameters of the rule that maps a rate to a network, for research.

    basis: "hash" or "dense". weights_per_coefficient: 1 .. 1000. depth: number of sine layers.
    prior: its number in the format; only 0 exists. features: number of Fourier features; None to
    derive it from the width, as above. bandwidth_code: the header's byte for their largest
    frequency; None to derive it from the width, as above.
    """

    basis: str = "hash"
    weights_per_coefficient: float = 1.0
    depth: int = 4
    prior: int = 0
    features: int | None = None
    bandwidth_code: int | None = None

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("weights_per_coefficient", self.weights_per_coefficient, 1, 1000),
            ("depth", self.depth, 1, 32),
            ("prior", self.prior, 0, 0),
            ("features", 1 if self.features is None else self.features, 1, 65535),
            ("bandwidth_code", 1 if self.bandwidth_code is None else self.bandwidth_code, 1, 255),
        ):
            if not low <= value <= high:
                raise InvalidArgument(f"{name} {value} is not in {low} .. {high}")
        if self.basis not in BASES:
            raise InvalidArgument(f"basis {self.basis!r} is unknown: use {' or '.join(BASES)}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network to fit: its shape, its number of coefficients k, and the rule that it follows."""

    shape: Shape
    k: int
    rule: MlpRule

    @property
    def bandwidth_code(self) -> int:
        """The header's byte for the shape's bandwidth."""
        return bandwidth_code_of(self.rule, self.shape.width)


def plan_for(bpp: float, pixels: int, colours: int, rule: MlpRule) -> Plan:
    """Plan the network for a rate. If this would be too large, plan the largest allowed one."""
    wanted = max(rule.depth + 1, round(bpp * pixels / BITS_PER_COEFFICIENT))
    width = 1
    while (
        shape_of(rule, width, colours).weights < rule.weights_per_coefficient * wanted
        and _decodable(shape_of(rule, width + 1, colours), wanted, rule, pixels)
        and width < LARGEST_WIDTH
    ):
        width += 1
    shape = shape_of(rule, width, colours)
    return Plan(shape=shape, k=min(wanted, shape.weights), rule=rule)


def _decodable(shape: Shape, wanted: int, rule: MlpRule, pixels: int) -> bool:
    """Return whether decoders accept a network under the default limits."""
    k = min(wanted, shape.weights)
    macs = multiplications(layer_sizes(shape), k, rule.basis, pixels)
    return shape.weights <= DEFAULT_LIMITS.max_weights and macs <= DEFAULT_LIMITS.max_macs


def shape_of(rule: MlpRule, width: int, colours: int) -> Shape:
    """Return the shape of a network with this width."""
    return Shape(
        features=min(3 * width, MOST_FEATURES) if rule.features is None else rule.features,
        bandwidth=bandwidth_of_code(bandwidth_code_of(rule, width)),
        width=width,
        depth=rule.depth,
        colours=colours,
    )


def bandwidth_code_of(rule: MlpRule, width: int) -> int:
    """Return the header's byte for the bandwidth: the rule's, or the one for this width."""
    if rule.bandwidth_code is not None:
        return rule.bandwidth_code
    return round(16 * math.log2(3.5 * math.sqrt(width)))


def bpp_of_quality(quality: float) -> float:
    """Return the nominal rate of a quality from 1 to 100."""
    return float(0.02 * 64 ** ((quality - 1) / 99))


def bpp_of_lmbda(lmbda: float) -> float:
    """Return the nominal rate of a lambda in MSE per bpp; `lmbda_of_bpp` is the inverse."""
    return float(0.1 * (lmbda / 0.004) ** (-2 / 3))


def lmbda_of_bpp(bpp: float) -> float:
    """Return the lambda at which a typical photograph has this rate."""
    return float(0.004 * (bpp / 0.1) ** -1.5)
