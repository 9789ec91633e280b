"""Code lengths of symbols beyond a row of the tables."""

import numpy as np
import pytest

from pranc_codec.entropy import range_coder
from pranc_codec.entropy.tables import rows


@pytest.mark.parametrize("row", [0, 44, 60])
def test_escapes_cost_the_escape_and_their_bits(row):
    """Each bit of an escape costs one bit."""
    largest = rows()[row].largest
    beyond = [largest + n for n in (1, 16, 17, 48, 49, 2**20)] + [range_coder.LARGEST_MAGNITUDE]
    values = np.array([*beyond, *(-value for value in beyond)], dtype=np.int32)
    escape = rows()[row].cost_bits()[2 * largest + 1]
    found = range_coder.code_lengths_bits(values, row) - escape
    wanted = [
        6,
        6,
        8,
        8,
        10,
        38,
        2 * (range_coder.LARGEST_MAGNITUDE - largest + 15).bit_length() - 4,
    ]
    np.testing.assert_allclose(found, wanted * 2, atol=1e-9)


def test_lengths_beyond_the_format_are_refused():
    with pytest.raises(OverflowError):
        range_coder.code_length_bits(np.array([1 << 24], dtype=np.int32), 0)
