"""How coefficients are shared out among layers."""

import pytest

from pranc_codec.basis.allocation import apportion, apportion_by_roots, apportion_capped


@pytest.mark.parametrize(
    ("total", "sizes", "shares"),
    [(3, [5, 5, 5], [1, 1, 1]), (15, [5, 5, 5], [5, 5, 5]), (8, [10, 5, 1], [4, 3, 1])],
)
def test_apportion(total, sizes, shares):
    assert apportion(total, sizes) == shares


def test_shares_by_roots():
    assert apportion_by_roots(60, [100, 400, 900]) == [10, 20, 30]
    assert apportion_by_roots(60, [1, 400, 900]) == [1, 24, 35]


@pytest.mark.parametrize("rule", [apportion, apportion_by_roots])
def test_all_coefficients_are_spent(rule):
    sizes = [1, 7, 100, 3, 1, 55]
    for total in range(len(sizes), sum(sizes) + 1):
        shares = rule(total, sizes)
        assert sum(shares) == total
        assert all(1 <= share <= size for share, size in zip(shares, sizes, strict=True))


def test_what_a_part_cannot_take_the_others_share():
    assert apportion_capped(100, [200, 200, 200], [2, 1, 1]) == [50, 25, 25]
    assert apportion_capped(100, [10, 200, 200], [2, 1, 1]) == [10, 45, 45]
    assert apportion_capped(100, [10, 20, 70], [2, 1, 1]) == [10, 20, 70]
    assert apportion_capped(3, [9, 9, 9], [1 << 40, 1, 1]) == [3, 0, 0]
