"""The search for a quantization step, and the estimates that it uses."""

from itertools import pairwise

import numpy as np
import pytest

from pranc_codec.encoder.grid import candidates, step_search
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.image import load_picture


@pytest.mark.parametrize("zero", [-400, -213, 37])
def test_steps_are_found(zero):
    """With an estimate that is off by a slope and a constant."""
    calls = []

    def error(code: int) -> float:
        calls.append(code)
        return np.sinh((code - zero) / 150)

    def estimate(code: int) -> float:
        return 1.3 * np.sinh((code - zero) / 150) - 0.5

    assert abs(step_search.nearest_step(error, estimate, 0, np.inf) - zero) <= 1
    assert len(calls) <= step_search.MOST_TRIALS
    calls.clear()
    step_search.nearest_step(error, estimate, 0.02, np.inf)
    assert len(calls) <= 4


def test_steps_are_found_where_the_estimate_is_of_no_use():
    """Bracketed and halved; the best of those that meet the target, not the nearest of all."""

    def error(code: int) -> float:
        return 0.2 if code > -300 else (code - 300) / 1000

    assert step_search.nearest_step(error, lambda code: float(code), 0.03, 0.05) == -300


def test_estimates_follow_the_files(photo):
    """Ratios of bpp and differences of PSNR, from step to step, which is what the search needs."""
    source = candidates.GridCandidates(EncodeRequest(picture=load_picture(photo), effort=0))
    coded = [source.plain(code).encoded for code in (-320, -256, -192)]
    guessed = [source.estimate.bpp(code) for code in (-320, -256, -192)]
    for (a, b), (x, y) in zip(pairwise(coded), pairwise(guessed), strict=True):
        assert np.log2(a.bpp / b.bpp) == pytest.approx(np.log2(x / y), abs=0.25)
    guessed = [source.estimate.psnr_db(code) for code in (-320, -256, -192)]
    for (a, b), (x, y) in zip(pairwise(coded), pairwise(guessed), strict=True):
        assert a.psnr_db - b.psnr_db == pytest.approx(x - y, abs=0.8)
