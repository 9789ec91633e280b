"""Decoding of the mlp profile: any size, any window, within limits."""

from dataclasses import replace

import numpy as np
import pytest

import pranc_codec
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import LayerCode, MlpParameters
from pranc_codec.mlp import decode as mlp_decode


def test_any_resolution_and_any_window(encoded):
    whole = pranc_codec.decode_array(encoded)
    window = pranc_codec.decode_array(encoded, region=(10, 20, 50, 41))
    np.testing.assert_array_less(np.abs(window.astype(int) - whole[20:41, 10:50].astype(int)), 2)
    large = pranc_codec.decode_array(encoded, size=(288, 192))
    centres = large[1::3, 1::3].astype(int)  # the same points as the small pixels' centres
    np.testing.assert_array_less(np.abs(centres - whole.astype(int)), 2)
    part = pranc_codec.decode(encoded, size=(960, 640), region=(900, 600, 960, 640))
    assert part.size == (60, 40)


def test_a_small_file_of_a_huge_dense_basis_is_refused():
    """One pixel, all symbols zero: what takes hours is the basis."""
    parameters = MlpParameters(
        basis="dense", prior=0, features=40, bandwidth=16, width=61000, depth=1, k=2_150_000,
        layers=(LayerCode(q_step_code=0, row=0),) * 2,
    )  # fmt: skip
    header = Header(
        profile="mlp", mode="RGB", samples="uint8", width=1, height=1, seed=0, sections=1,
        parameters=parameters,
    )  # fmt: skip
    with pytest.raises(pranc_codec.LimitExceeded, match="multiplications"):
        mlp_decode.check_limits(header, pranc_codec.Limits(), 1)
    hashed = replace(header, parameters=replace(parameters, basis="hash"))
    mlp_decode.check_limits(hashed, pranc_codec.Limits(), 1)


def test_zooming_into_a_huge_rendering_is_allowed(encoded):
    part = pranc_codec.decode_array(encoded, size=(960_000, 640_000), region=(5, 5, 15, 15))
    assert part.shape == (10, 10, 3)
