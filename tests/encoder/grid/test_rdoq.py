"""Rate-distortion optimized quantization takes the least loss."""

import numpy as np

from pranc_codec.encoder.grid import rdoq
from pranc_codec.entropy import mixture_coder
from pranc_codec.entropy.mixture_coder import Distributions


def test_choices_have_the_least_loss():
    rng = np.random.default_rng(0)
    y = rng.laplace(0, 2, 500).astype(np.float32)
    d = Distributions(scale=np.full(500, 24), shape=np.full(500, 2), loc=rng.integers(-8, 9, 500))
    symbols = rdoq.rdoq(y, d, 0.2)
    losses = []
    for candidate in (np.rint(y), np.trunc(y), 0 * y):
        cost = mixture_coder.Costs(d).of(candidate.astype(np.int32))
        losses.append(np.square(y - candidate) + 0.2 * cost)
    cost = mixture_coder.Costs(d).of(symbols)
    np.testing.assert_allclose(np.square(y - symbols) + 0.2 * cost, np.min(losses, axis=0))
    np.testing.assert_array_equal(rdoq.rdoq(y, d, 0), np.rint(y))
