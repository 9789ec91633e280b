"""Meeting a size after the fit: shifts of the quantization steps, and the search for one."""

import pytest

from pranc_codec.encoder.mlp.rate_control import (
    COARSEST_SHIFT,
    FINEST_SHIFT,
    shifted,
    smallest_shift,
)


def test_shifts_are_spread_over_the_layers_from_the_first():
    codes = [100, 100, 100]
    assert shifted(codes, 0) == codes
    assert shifted(codes, 1) == [99, 100, 100]
    assert shifted(codes, 4) == [98, 99, 99]
    assert shifted(codes, -1) == [100, 100, 101]
    assert shifted(codes, -3) == [101, 101, 101]


def test_each_shift_makes_one_layer_coarser_by_one_code():
    codes = [40, 90, 140, 200]
    for shift in range(-20, 20):
        before, after = shifted(codes, shift), shifted(codes, shift + 1)
        assert sorted(b - a for b, a in zip(before, after, strict=True)) == [0, 0, 0, 1]


def test_codes_stay_within_a_byte():
    assert shifted([3, 250], 20) == [0, 240]
    assert shifted([3, 250], -20) == [13, 255]


@pytest.mark.parametrize("threshold", [3 * FINEST_SHIFT, -1, 0, 7, 3 * COARSEST_SHIFT])
def test_the_smallest_shift_that_holds_is_found(threshold):
    asked = []

    def holds(shift: int) -> bool:
        asked.append(shift)
        return shift >= threshold

    assert smallest_shift(holds, layers=3) == threshold
    assert len(asked) < 12


def test_a_condition_that_never_holds_has_no_shift():
    assert smallest_shift(lambda _: False, layers=2) is None
