"""Priors of different architectures are decoded side by side."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

import pranc_codec
from pranc_codec.errors import CorruptBitstream, UnsupportedVersion
from pranc_codec.grid import prior as priors
from pranc_codec.grid.architecture import ARCHITECTURE_1, METADATA_KEY, Architecture
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import EnhancementNetwork
from pranc_codec.metrics import psnr_db
from pranc_codec.training.pack_prior import packed

SMALL = Architecture(
    context_hidden=(6, 5, 4), own_levels=1, enhancement_channels=8, enhancement_middle_layers=2
)


@pytest.fixture(scope="module")
def small_prior() -> bytes:
    """The file of a prior with small networks, whose last layers start at zero."""
    torch.manual_seed(0)
    return packed(ContextModel(SMALL), EnhancementNetwork(SMALL))


def test_shipped_priors_state_no_architecture_and_have_the_first():
    for name in priors.SHIPPED:
        assert priors._shipped(name).architecture == ARCHITECTURE_1


def test_a_prior_says_what_it_is(small_prior):
    prior = priors.GridPrior.from_bytes(small_prior)
    assert prior.architecture == SMALL
    assert prior.float_context().architecture == SMALL
    assert prior.enhancement().layers[0].weight.shape[0] == 8
    assert prior.biases_count == 3 * 8 + 12
    assert len(prior.float_context().networks) == 2


def test_files_of_both_architectures_are_decoded(small_prior, photo, grid_file, monkeypatch):
    """A file that was coded with the small prior, and one of the shipped prior beside it."""
    expected = pranc_codec.decode_array(grid_file)
    prior = priors.GridPrior.from_bytes(small_prior)
    shipped = priors._shipped
    with monkeypatch.context() as patch:
        patch.setattr(priors, "SHIPPED", (*priors.SHIPPED, "small"))
        patch.setattr(priors, "_shipped", lambda n: prior if n == "small" else shipped(n))
        patch.setattr(priors, "PLAIN", "small")
        data = pranc_codec.encode(photo, quality=60, effort=0)
        assert pranc_codec.inspect(data).grid.prior == prior.number
        decoded = pranc_codec.decode_array(data)
        assert psnr_db(np.asarray(photo), decoded) > 35
        np.testing.assert_array_equal(pranc_codec.decode_array(grid_file), expected)
        assert len(pranc_codec.analyze(data).levels) > 3
    with pytest.raises(UnsupportedVersion, match=f"needs prior {prior.number:08x}"):
        pranc_codec.decode(data)


def test_metadata_round_trip():
    for architecture in (ARCHITECTURE_1, SMALL):
        assert Architecture.from_metadata(architecture.to_metadata()) == architecture


@pytest.mark.parametrize(
    ("stated", "error"),
    [
        (dict(number=2), UnsupportedVersion),
        (dict(number=1, unheard_of=3), UnsupportedVersion),
        (dict(number=1, context_hidden=[4, 4]), CorruptBitstream),
        (dict(number=1, enhancement_middle_layers=3), CorruptBitstream),
    ],
)
def test_architectures_that_this_release_lacks_are_refused(stated, error):
    data = save({"x": torch.zeros(1)}, metadata={METADATA_KEY: json.dumps(stated)})
    with pytest.raises(error):
        priors.GridPrior.from_bytes(data)
