"""The network that a rate pays for."""

import pytest

import pranc_codec
from pranc_codec.encoder.mlp.plan import plan_for
from pranc_codec.mlp.coordinate_network import layer_sizes
from pranc_codec.mlp.decode import multiplications


@pytest.mark.parametrize("basis", ["hash", "dense"])
@pytest.mark.parametrize("megapixels", [1, 12, 24, 100])
def test_what_is_planned_can_be_decoded_under_the_default_limits(megapixels, basis):
    pixels = megapixels * 10**6
    for bpp in (0.01, 0.1, 1.0):
        plan = plan_for(bpp, pixels, 3, pranc_codec.MlpRule(basis=basis))
        sizes = layer_sizes(plan.shape)
        macs = multiplications(sizes, plan.k, basis, pixels)
        assert plan.shape.weights * pixels <= macs <= pranc_codec.Limits().max_macs
        assert plan.k <= plan.shape.weights


@pytest.mark.parametrize(
    "rule", [dict(depth=33), dict(bandwidth_code=300), dict(prior=5), dict(basis="fourier")]
)
def test_wrong_rules(rule):
    with pytest.raises(pranc_codec.InvalidArgument):
        pranc_codec.MlpRule(**rule)
