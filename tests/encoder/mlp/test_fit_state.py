"""A fit that diverges returns to its best state with half the learning rate."""

import math

import pytest
import torch

from pranc_codec.encoder.mlp.fit_state import DIVERGED, MlpFitSettings, MlpFitState
from pranc_codec.encoder.mlp.lmbda_control import LmbdaControl
from pranc_codec.mlp import coordinate_network
from pranc_codec.pranc.model import Pranc

SHAPE = coordinate_network.Shape(features=4, bandwidth=5.0, width=4, depth=1, colours=1)


@pytest.fixture
def state() -> MlpFitState:
    network = Pranc(coordinate_network.CoordinateMLP(SHAPE, seed=0), coefficients=8, cache=True)
    settings = MlpFitSettings(iterations=100, learning_rate=0.1, warmup=0.01)
    return MlpFitState(network, settings, LmbdaControl(lmbda=0.001), pixels=64)


def iterate(state: MlpFitState, iteration: int, distortion: float) -> None:
    """One iteration that moves the coefficients, with a made-up distortion."""
    state.schedule(iteration)
    loss = sum(c.sum() for c in state.coefficients) + state.log_q_steps.sum() * 0
    state.update(loss, distortion, 0.0)


def test_a_fit_that_improves_is_remembered(state):
    iterate(state, 0, 0.04)
    state.check_divergence()
    best, saved = state.best
    assert best == state.distortion < math.inf
    for kept, now in zip(saved, [*state.coefficients, state.log_q_steps], strict=True):
        assert torch.equal(kept, now)
    assert state.caution == 1


def test_a_fit_that_diverges_goes_back_with_half_the_rate(state):
    iterate(state, 0, 0.04)
    state.check_divergence()
    best, saved = state.best[0], [t.clone() for t in state.best[1]]
    for iteration in range(1, 4):
        iterate(state, iteration, 1.0)
    assert state.distortion > DIVERGED * best
    assert not torch.equal(state.coefficients[0], saved[0])
    state.check_divergence()
    for now, kept in zip([*state.coefficients, state.log_q_steps], saved, strict=True):
        assert torch.equal(now, kept)
    assert state.distortion == best
    assert state.caution == 0.5
    moments = state.optimizer.state[state.coefficients[0]]
    assert not moments["exp_avg"].any()
    state.schedule(4)
    rate = state.optimizer.param_groups[0]["lr"]
    state.caution = 1.0
    state.schedule(4)
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(2 * rate)


def test_a_fit_that_is_no_longer_finite_goes_back_too(state):
    iterate(state, 0, 0.04)
    state.check_divergence()
    iterate(state, 1, math.nan)
    state.check_divergence()
    assert state.distortion == state.best[0]
    assert state.caution == 0.5


def test_noise_is_no_divergence(state):
    """A little worse is not diverged, and after quantization begins a new best is looked for."""
    iterate(state, 0, 0.04)
    state.check_divergence()
    iterate(state, 1, state.distortion * 1.02)
    state.check_divergence()
    assert state.caution == 1
    state.schedule(50)
    assert state.quantizing
    assert state.best[0] == math.inf
