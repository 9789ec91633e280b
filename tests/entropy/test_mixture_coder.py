"""Symbols under distributions: integers only, and what they cost."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pranc_codec.entropy import mixture_coder, tables
from pranc_codec.entropy.mixture_coder import Distributions
from pranc_codec.entropy.range_coder import LARGEST_MAGNITUDE, Decoder, Encoder
from pranc_codec.errors import CorruptBitstream


def distributions(scale, shape, loc) -> Distributions:
    return Distributions(scale=np.array(scale), shape=np.array(shape), loc=np.array(loc))


def test_every_latent_row_is_a_distribution():
    rows = tables.latent_rows()
    scales = np.arange(tables.LATENT_SCALES)
    counts = tables.locs_of_scale(scales) // 2 + 1
    assert len(rows) == tables.LATENT_SHAPES * counts.sum()
    for row in rows:
        assert int(row.frequencies.sum(dtype=np.int64)) == tables.TOTAL
        assert row.frequencies.min() >= 1
        assert len(row.frequencies) == row.largest - row.smallest + 2


@pytest.mark.parametrize(("scale", "shape", "loc"), [(0, 0, 3), (30, 2, 1), (63, 4, 0)])
def test_rows_have_the_probabilities_that_the_text_says(scale, shape, loc):
    index = tables.latent_row_index(np.array(scale), np.array(shape), np.array(loc))
    row = tables.latent_rows()[int(index)]
    s, w = 2 ** (scale / 8 - 4), shape / 4
    place = loc / int(tables.locs_of_scale(np.array(scale)))

    def cdf(x: float) -> float:
        tail = math.exp(-abs(x) / (2 * s)) / 2
        laplace = tail if x < 0 else 1 - tail
        return (1 - w) / (1 + math.exp(-x / s)) + w * laplace

    for symbol in (-1, 0, 1):
        wanted = cdf(symbol + 0.5 - place) - cdf(symbol - 0.5 - place)
        found = int(row.frequencies[symbol - row.smallest]) / tables.TOTAL
        assert found == pytest.approx(wanted, abs=5e-6)


def test_ratios_are_the_nearest_integers():
    parts, ratio = mixture_coder._ratios()
    scales = np.arange(mixture_coder.LARGEST_SCALE + 1)
    np.testing.assert_array_equal(ratio, np.rint(2.0 ** (scales / 8 - 4) * parts * 256))


symbol = st.one_of(
    st.integers(-3, 3), st.integers(-300, 300), st.integers(-LARGEST_MAGNITUDE, LARGEST_MAGNITUDE)
)
entry = st.tuples(symbol, st.integers(0, 112), st.integers(0, 4), st.integers(-64, 64))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(entry, max_size=30), max_size=3))
def test_round_trip(steps):
    arrays = []
    for step in steps:
        columns = list(zip(*step, strict=True)) or [(), (), (), ()]
        symbols, *rest = (np.array(c, dtype=np.int64) for c in columns)
        arrays.append((symbols.astype(np.int32), distributions(*rest)))
    encoder = Encoder()
    for symbols, d in arrays:
        # A difference to the base may leave the format's range; then the encoder says so.
        try:
            mixture_coder.encode_phase(encoder, symbols, d)
        except OverflowError:
            assert np.abs(symbols).max() > LARGEST_MAGNITUDE // 2
            return
    decoder = Decoder(encoder.finish())
    for symbols, d in arrays:
        np.testing.assert_array_equal(mixture_coder.decode_phase(decoder, d), symbols)


@pytest.mark.parametrize(("scale", "loc"), [(4, 20), (24, -7), (40, 5), (60, 64), (100, -3)])
def test_length_is_what_the_model_says(scale, loc):
    """Symbols drawn from the distribution itself cost what its entropy says."""
    count = 20_000
    s = 2 ** (scale / 8 - 4)
    u = np.random.default_rng(1).uniform(size=count)
    symbols = np.rint(s * np.log(u / (1 - u)) + loc / 16 * s).astype(np.int32)
    full = [np.full(count, v) for v in (scale, 0, loc)]
    d = distributions(*full)
    encoder = Encoder()
    mixture_coder.encode_phase(encoder, symbols, d)
    ideal = float(mixture_coder.code_lengths_bits(symbols, d).sum(dtype=np.float64)) / 8
    assert len(encoder.finish()) == pytest.approx(ideal, rel=0.002, abs=8)
    other = distributions(full[0] - 4, full[1], full[2])
    assert ideal < float(mixture_coder.code_lengths_bits(symbols, other).sum(dtype=np.float64)) / 8


def test_words_are_pinned():
    """The bytes of a fixed message: a change of them is a change of the format."""
    d = distributions([0, 30, 30, 63, 90, 112], [0, 2, 4, 1, 3, 0], [0, -7, 40, 3, -64, 64])
    encoder = Encoder()
    mixture_coder.encode_phase(encoder, np.array([0, -2, 5, 11, -700, 123456], np.int32), d)
    assert encoder.finish().hex() == "952c3be2af52d8c4"


def test_what_follows_the_stream_is_refused():
    d = distributions(np.full(50, 20), np.zeros(50, int), np.zeros(50, int))
    encoder = Encoder()
    mixture_coder.encode_phase(encoder, np.arange(50, dtype=np.int32) % 3, d)
    data = encoder.finish()
    decoder = Decoder(data)
    mixture_coder.decode_phase(decoder, d)
    decoder.finish()
    for junk in (b"\0", b"junk" * 5):
        decoder = Decoder(data + junk)
        mixture_coder.decode_phase(decoder, d)
        with pytest.raises(CorruptBitstream, match="follow the end"):
            decoder.finish()
