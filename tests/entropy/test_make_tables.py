"""The shipped tables are what `make_tables` makes."""

import mpmath
import numpy as np
import pytest

from pranc_codec.entropy import make_tables, tables

SCALES = (0, 9, 21, 32, 47, 63)


@pytest.mark.parametrize("number", [0, 11, 22, 33, 44, 45, 56, 67, 78, 89])
def test_rows_of_coefficients(number):
    row = tables.rows()[number]
    assert make_tables.coefficient_row(number) == [row.largest, *row.frequencies[row.largest :]]


@pytest.mark.parametrize("scale", SCALES)
def test_rows_of_latents(scale):
    parts = tables.locs_of_scale(np.arange(tables.LATENT_SCALES)) // 2 + 1
    first, count = (tables.LATENT_SHAPES * int(n) for n in (parts[:scale].sum(), parts[scale]))
    shipped = [
        number
        for row in tables.latent_rows()[first : first + count]
        for number in (-row.smallest, row.largest, *row.frequencies)
    ]
    assert make_tables.latent_rows_of_scale(scale) == shipped


def test_tails_are_probabilities_of_known_distributions():
    """The mean absolute value of a normal distribution is sqrt(2 / pi) of its deviation."""
    scale = mpmath.sqrt(2 / mpmath.pi)
    assert float(make_tables.gaussian_tail(mpmath.mpf(1), scale)) == pytest.approx(0.158655254)
    assert float(make_tables.laplace_tail(mpmath.log(2), mpmath.mpf(1))) == pytest.approx(0.25)
    for x, p in ((-1, 0.26894142), (0, 0.5), (1, 0.73105858)):
        found = make_tables.latent_cdf(mpmath.mpf(x), mpmath.mpf(1), mpmath.mpf(0))
        assert float(found) == pytest.approx(p)


def test_frequencies_sum_to_the_total_and_none_is_zero():
    for scale in (0.2, 1, 7):
        tail = lambda x, s=scale: make_tables.laplace_tail(x, mpmath.mpf(s))  # noqa: E731
        zero, *sides, escape = make_tables.frequencies(tail, 5)
        assert zero + 2 * sum(sides) + escape == tables.TOTAL
        assert min(zero, *sides, escape) >= 1


def test_the_callers_precision_is_left_alone():
    before = mpmath.mp.dps
    make_tables.coefficient_row(0)
    make_tables.latent_rows_of_scale(63)
    assert mpmath.mp.dps == before
