"""Former public names work for one more version, with a warning."""

import pytest

import pranc_codec


def test_rule_is_mlp_rule():
    with pytest.warns(DeprecationWarning, match="now called MlpRule"):
        assert pranc_codec.Rule is pranc_codec.MlpRule


def test_progress_counts_iterations():
    progress = pranc_codec.Progress(
        iteration=3, iterations=9, loss=0.1, bpp_estimate=1.0, psnr_db_estimate=30.0,
        preview=lambda: None,
    )  # fmt: skip
    with pytest.warns(DeprecationWarning, match="now called iteration"):
        assert progress.step == 3
    with pytest.warns(DeprecationWarning, match="now called iterations"):
        assert progress.steps == 9


def test_layers_have_a_q_step(encoded):
    layer = pranc_codec.analyze(encoded).layers[0]
    with pytest.warns(DeprecationWarning, match="now called q_step"):
        assert layer.step == layer.q_step
