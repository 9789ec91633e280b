"""Seeded bases: maps from a layer's coefficients to its weights that no file has to store.

The basis of a layer is a matrix with one row for each of D weights and one column for each of k
coefficients. There are three kinds:

    hash    one entry +-1 per row: weight i belongs to coefficient `position(i) % k`, where
            `position` is a pseudo-random permutation. Each coefficient has floor(D / k) or
            ceil(D / k) weights, columns are orthogonal, and both products cost O(D). It is
            PRANC's `pranc_bin` with signs; see also HashedNets (Chen et al., ICML 2015) and
            Uni-LoRA (Li et al., NeurIPS 2025).
    dense   entries +-1 / sqrt(k), generated and applied in blocks and never stored whole. PRANC
            (arXiv 2206.08464, section 3) draws Kaiming-uniform rows and starts from a one-hot
            vector of coefficients. We take +-1 around a prior and start from zeros: the
            distribution of the entries does not matter, and coefficients around zero can be
            quantized.
    dct     `hash` for each frequency of a layer's convolution kernels, with more coefficients for
            the low frequencies (`basis.dct`). Layers without such kernels have the basis `hash`.

Any slice of rows can be generated alone, on any device, from the seed and the layer's number. All
random numbers are integers (`basis.prng`), so every machine has the same basis.

prng          the generator                      permutation   pseudo-random permutations
signs         pseudo-random signs                allocation    coefficients for each layer
hash, dense, dct   the bases                     threads       pieces of work on several threads
"""

from collections.abc import Sequence
from math import prod
from typing import Final, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from pranc_codec.basis.dct import MOST_FREQUENCIES, DctBasis
from pranc_codec.basis.dense import DenseBasis
from pranc_codec.basis.hash import HashBasis
from pranc_codec.errors import InvalidArgument

KINDS: Final = ("hash", "dense", "dct")


@runtime_checkable
class Basis(Protocol):
    """A matrix of shape (weights, coefficients) that is applied without being stored."""

    weights: int
    coefficients: int

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Return rows start .. stop - 1 of basis @ coefficients."""

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Return the part of basis.T @ gradient that rows start .. start + len(gradient) - 1 give.

        This is the gradient of `expand` with respect to the coefficients.
        """


def make_basis(
    kind: str, weights: int, coefficients: int, *, seed: int, layer: int, cache: bool = False,
    first_shape: Sequence[int] = (),
) -> Basis:  # fmt: skip
    """Return the basis of one layer.

    kind: one of `KINDS`. weights: number of weights in the layer. coefficients: number of
    coefficients, from 1 to the number of weights. seed, layer: key and substream of the random
    numbers. cache: keep the basis in memory (`hash` and `dct` only, 12 bytes per weight).
    first_shape: shape of the layer's first tensor; from the third on, its dimensions are taken as
    those of convolution kernels. Raises InvalidArgument for an unknown kind or an impossible
    number of coefficients.
    """
    if kind not in KINDS:
        raise InvalidArgument(f"unknown basis {kind!r}: use {', '.join(KINDS)}")
    if not 1 <= coefficients <= weights:
        raise InvalidArgument(
            f"{coefficients} coefficients for {weights} weights: use 1 to {weights}"
        )
    if kind == "dense":
        return DenseBasis(weights, coefficients, seed=seed, layer=layer)
    kernel = tuple(first_shape[2:])
    if kind == "dct" and 1 < prod(kernel) <= MOST_FREQUENCIES:
        return DctBasis(
            weights, coefficients, kernels=prod(first_shape[:2]), kernel=kernel, seed=seed,
            layer=layer, cache=cache,
        )  # fmt: skip
    return HashBasis(weights, coefficients, seed=seed, layer=layer, cache=cache)
