"""Targets: one of four, checked; and whether a file meets a target bpp."""

import pytest

from pranc_codec.encoder.target import (
    BppTarget,
    LmbdaTarget,
    PsnrTarget,
    QualityTarget,
    level_of_effort,
    make_target,
)
from pranc_codec.errors import InvalidArgument


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ((None, None, None, None), QualityTarget(quality=50)),
        ((30, None, None, None), QualityTarget(quality=30)),
        ((None, 0.01, None, None), LmbdaTarget(lmbda=0.01)),
        ((None, None, 0.5, None), BppTarget(bpp=0.5)),
        ((None, None, None, 35), PsnrTarget(psnr_db=35)),
    ],
)
def test_one_target_is_made(given, target):
    assert make_target(*given) == target


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((50, None, 0.5, None), "quality and bpp contradict"),
        ((None, -1, None, None), "lmbda is -1, not a positive"),
        ((None, None, float("nan"), None), "bpp is nan"),
        ((101, None, None, None), "quality 101 is not in"),
    ],
)
def test_wrong_targets_are_refused(given, text):
    with pytest.raises(InvalidArgument, match=text):
        make_target(*given)


def test_a_rate_is_met_within_two_percent_or_four_bytes():
    target = BppTarget(bpp=0.8)  # 10,000 bytes of 100,000 pixels
    assert target.is_met(10_199, 100_000)
    assert target.is_met(9_801, 100_000)
    assert not target.is_met(10_201, 100_000)
    assert not target.is_met(9_799, 100_000)
    assert target.is_met(14, 100)  # 10 bytes
    assert not target.is_met(15, 100)


def test_an_unreachable_rate_names_the_nearest_file():
    assert "nearest file has 0.4000 bpp (50 bytes)" in str(BppTarget(bpp=1).unreachable(50, 1000))
    assert "no file is small enough" in str(BppTarget(bpp=1).unreachable(None, 1000))


def test_efforts_have_names():
    assert [level_of_effort(name) for name in ("fast", "default", "max", 0)] == [2, 4, 7, 0]
    for wrong in ("slow", 8, -1):
        with pytest.raises(InvalidArgument, match="effort"):
            level_of_effort(wrong)
