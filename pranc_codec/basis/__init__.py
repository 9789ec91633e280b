"""Seeded bases: the maps from a layer's coefficients to its weights that no file stores.

A basis of one layer is a matrix with one row per weight (D) and one column per coefficient (k):

    hash    one entry +-1 a row: weight i belongs to coefficient `position(i) % k`, where
            `position` is a pseudo-random permutation. Each coefficient has floor(D / k) or
            ceil(D / k) weights, columns are orthogonal, and both products cost O(D). It is
            PRANC's `pranc_bin` with signs; see also HashedNets (Chen et al., ICML 2015) and
            Uni-LoRA (Li et al., NeurIPS 2025).
    dense   entries +-1 / sqrt(k), made and applied in blocks and never stored whole. PRANC
            (arXiv 2206.08464) draws Kaiming-uniform rows and starts from a one-hot vector of
            coefficients; +-1 around a prior with all coefficients zero is our choice: the law of
            the entries is immaterial, and coefficients around zero can be quantized.

    dct     `hash` for each frequency of a layer's convolution kernels, with more coefficients for
            the low ones (`dct_basis`); layers without such kernels have the basis `hash`.

All are random access: any slice of rows is made alone, on any device, from (seed, layer) and
integers only (`prng`), so every machine has the same basis.
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
    """A (weights, coefficients) matrix that is applied without being stored."""

    weights: int
    coefficients: int

    def expand(
        self, coefficients: Float[Tensor, " k"], start: int, stop: int
    ) -> Float[Tensor, " rows"]:
        """Rows start .. stop - 1 of basis @ coefficients."""

    def project(self, gradient: Float[Tensor, " rows"], start: int) -> Float[Tensor, " k"]:
        """Those rows' part of basis.T @ gradient (the gradient of `expand`)."""


def make_basis(
    kind: str, weights: int, coefficients: int, *, seed: int, layer: int, hold: bool = False,
    first: Sequence[int] = (),
) -> Basis:  # fmt: skip
    """The basis of one layer. kind: of `KINDS`. first: shape of the layer's first tensor, whose
    last dimensions, from the third on, are those of a convolution's kernels."""
    if kind not in KINDS:
        raise InvalidArgument(f"unknown basis {kind!r}: use {', '.join(KINDS)}")
    if not 1 <= coefficients <= weights:
        raise InvalidArgument(
            f"{coefficients} coefficients for {weights} weights: use 1 to {weights}"
        )
    if kind == "dense":
        return DenseBasis(weights, coefficients, seed=seed, layer=layer)
    kernel = tuple(first[2:])
    if kind == "dct" and 1 < prod(kernel) <= MOST_FREQUENCIES:
        return DctBasis(
            weights, coefficients, kernels=prod(first[:2]), kernel=kernel, seed=seed, layer=layer,
            hold=hold,
        )  # fmt: skip
    return HashBasis(weights, coefficients, seed=seed, layer=layer, hold=hold)
