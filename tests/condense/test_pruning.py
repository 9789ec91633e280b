"""Files of pruned networks, and the density that fits a size."""

import torch

from pranc_codec.condense.pruning import (
    density_at,
    largest_density,
    pack_pruned,
    prunable,
    prune,
    unpack_pruned,
)
from tests.condense.networks import small_network


def test_pruned_files_round_trip():
    torch.manual_seed(0)
    network = small_network()
    prune(network, 0.1)
    weights = torch.cat([w.flatten() for w in prunable(network)])
    assert abs((weights != 0).float().mean() - 0.1) < 0.001
    data, again = pack_pruned(network, 8), small_network()
    unpack_pruned(data, again)
    for one, two in zip(prunable(network), prunable(again), strict=True):
        assert not two[one == 0].any()
        assert (one - two).abs().max() < one.abs().max() / 8
    assert len(data) < 500


def test_the_density_fills_the_bytes():
    network = small_network()
    prune(network, largest_density(network, 4, 700))
    assert 670 < len(pack_pruned(network, 4)) <= 700
    assert [density_at(d, 0.1) for d in (0, 0.5, 1)] == [1, 0.1, 0.1]
