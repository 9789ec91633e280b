"""From a wanted rate to a network: the rule for width, depth and number of coefficients.

A fitted coefficient costs about `BITS_PER_COEFFICIENT`, so a rate of b bits per pixel pays for

    k = b * pixels / BITS_PER_COEFFICIENT

coefficients. Depth and features are constant; the width is the smallest whose network has
`weights_per_coefficient * k` weights. One coefficient per weight is best at equal seconds (the
README's table); more weights than coefficients are for research and for shipped priors.

    quality 1 .. 100     b = 0.02 * 64**((quality - 1) / 99)      0.02 .. 1.28 bpp
    lmbda                b = 0.1 * (lmbda / 0.004)**(-2/3)

With `quality` and `lmbda` the price of a bit is fixed, so easy images take fewer bits than b.
"""

from dataclasses import dataclass
from typing import Final

from pranc_codec.coordinate import Shape
from pranc_codec.decoder import bandwidth_of_code
from pranc_codec.errors import InvalidArgument

BITS_PER_COEFFICIENT: Final = 6.0
LARGEST_WIDTH: Final = 256


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the rate does not decide about the network."""

    basis: str = "hash"
    weights_per_coefficient: float = 1.0
    features: int = 48
    bandwidth_code: int = 65
    depth: int = 4
    prior: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network to fit: its shape, and its number of coefficients."""

    shape: Shape
    k: int
    rule: Rule


def plan_for(bpp: float, pixels: int, colours: int, rule: Rule) -> Plan:
    """The network for a rate; the largest one allowed where the rate asks for more."""
    wanted = max(rule.depth + 1, round(bpp * pixels / BITS_PER_COEFFICIENT))
    width = 1
    while width < LARGEST_WIDTH and (
        shape_of(rule, width, colours).weights < rule.weights_per_coefficient * wanted
    ):
        width += 1
    shape = shape_of(rule, width, colours)
    return Plan(shape=shape, k=min(wanted, shape.weights), rule=rule)


def shape_of(rule: Rule, width: int, colours: int) -> Shape:
    """The rule's network with this width."""
    return Shape(
        features=rule.features,
        bandwidth=bandwidth_of_code(rule.bandwidth_code),
        width=width,
        depth=rule.depth,
        colours=colours,
    )


def bpp_of_quality(quality: float) -> float:
    """Nominal rate of a quality from 1 to 100."""
    if not 1 <= quality <= 100:
        raise InvalidArgument(f"quality {quality} is not in 1 .. 100")
    return float(0.02 * 64 ** ((quality - 1) / 99))


def bpp_of_lmbda(lmbda: float) -> float:
    """Nominal rate of a price in MSE per bpp; `lmbda_of_bpp` is the inverse."""
    return float(0.1 * (lmbda / 0.004) ** (-2 / 3))


def lmbda_of_bpp(bpp: float) -> float:
    """The price at which a typical photograph has this rate."""
    return float(0.004 * (bpp / 0.1) ** -1.5)
