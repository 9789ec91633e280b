"""Philox against its published known answers, and NumPy against torch."""

import numpy as np
import pytest
import torch

from pranc_codec.basis import prng

# Random123 1.14, examples/kat_vectors, "philox4x32 10": counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (prng.MASK,) * 4,
        (prng.MASK,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(make, counter, key, words):
    out = prng.philox4x32(tuple(make([c]) for c in counter), key)
    assert tuple(int(word[0]) for word in out) == words


def test_numpy_and_torch_agree_on_large_indices():
    index = np.array([0, 1, 2**32 - 1, 2**32, 2**62 + 12345])
    ours = prng.random_words(index, seed=2**63 + 7, stream=3, substream=9)
    theirs = prng.random_words(torch.from_numpy(index), seed=2**63 + 7, stream=3, substream=9)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_random_access():
    whole = prng.random_words(np.arange(1000), seed=5, stream=1)
    alone = prng.random_words(np.array([777]), seed=5, stream=1)
    assert [int(w[777]) for w in whole] == [int(w[0]) for w in alone]


def test_seeds_streams_and_substreams_differ():
    calls = [
        dict(seed=1, stream=0, substream=0),
        dict(seed=2, stream=0, substream=0),
        dict(seed=1 + 2**32, stream=0, substream=0),
        dict(seed=1, stream=1, substream=0),
        dict(seed=1, stream=0, substream=1),
    ]
    first = {int(prng.random_words(np.array([0]), **call)[0][0]) for call in calls}
    assert len(first) == len(calls)


def test_uniform_is_a_prefix_of_a_longer_one_and_spread_evenly():
    short = prng.uniform(15, seed=3, stream=0)
    long = prng.uniform(100_000, seed=3, stream=0)
    np.testing.assert_array_equal(short, long[:15])
    assert np.abs(long).max() < 1
    assert abs(long.mean()) < 0.01
    assert abs(long.std() - 3**-0.5) < 0.01
