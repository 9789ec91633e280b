"""Tables and range coder: exact to the last bit."""

import constriction
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pranc_codec.entropy import range_coder, tables
from pranc_codec.errors import CorruptBitstream


def test_every_row_is_a_distribution():
    assert len(tables.rows()) == tables.ROWS
    for row in tables.rows():
        assert int(row.frequencies.astype(np.int64).sum()) == tables.TOTAL
        assert row.frequencies.min() >= 1
        signed = row.frequencies[:-1]
        np.testing.assert_array_equal(signed, signed[::-1])


def test_rows_have_the_scales_that_the_text_says():
    for number in (16, 28, 40, 61, 73, 85):
        row = tables.rows()[number]
        magnitudes = np.abs(np.arange(-row.largest, row.largest + 1))
        mean = (magnitudes * row.frequencies[:-1]).sum() / tables.TOTAL
        scale = 2.0 ** (tables.LOG2_SMALLEST_SCALE + number % tables.SCALES / 4)
        assert mean == pytest.approx(scale, rel=0.02)


@pytest.mark.parametrize(
    "row",
    [*tables.rows()[::8], *tables.latent_rows()[::71]],
    ids=lambda row: f"{row.smallest}..{row.largest}",
)
def test_the_coder_uses_exactly_our_frequencies(row):
    """Decode a point just inside and just outside of every symbol's interval."""
    bounds = np.concatenate([[0], np.cumsum(row.frequencies.astype(np.int64))])
    model, width = range_coder.exact_model(row), (2**64 - 1) >> tables.PRECISION
    for symbol in range(len(bounds) - 1):
        for position in (bounds[symbol], bounds[symbol + 1] - 1):
            point = int(position) * width
            words = np.array([point >> 32, point & 0xFFFFFFFF], dtype=np.uint32)
            assert constriction.stream.queue.RangeDecoder(words).decode(model) == symbol


def test_words_are_pinned():
    """The bytes of a fixed message: a change of coder or tables is a change of the format."""
    groups = [(np.array([0, 1, -1, 3, -200, 70000], np.int32), 12), (np.array([5], np.int32), 60)]
    assert range_coder.encode_symbols(groups).hex() == "d43f9a999a90d523168b9fc2"


symbols = st.lists(
    st.integers(-range_coder.LARGEST_MAGNITUDE, range_coder.LARGEST_MAGNITUDE), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(symbols, st.integers(0, tables.ROWS - 1)), max_size=4))
def test_round_trip(groups):
    arrays = [(np.array(values, dtype=np.int32), row) for values, row in groups]
    data = range_coder.encode_symbols(arrays)
    decoded = range_coder.decode_symbols(data, [(len(values), row) for values, row in arrays])
    for (values, _), back in zip(arrays, decoded, strict=True):
        np.testing.assert_array_equal(values, back)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(symbols, st.integers(0, tables.ROWS - 1)), max_size=4))
def test_runs_are_groups_one_after_the_other(groups):
    runs = [(tables.rows()[row], len(values)) for values, row in groups]
    together = np.array([v for values, _ in groups for v in values], dtype=np.int32)
    encoder = range_coder.Encoder()
    encoder.encode_runs(together, runs)
    data = encoder.finish()
    arrays = [(np.array(values, dtype=np.int32), row) for values, row in groups]
    assert data == range_coder.encode_symbols(arrays)
    np.testing.assert_array_equal(range_coder.Decoder(data).decode_runs(runs), together)


@pytest.mark.parametrize("scale", [0.2, 3, 300])
def test_length_is_what_the_model_says(scale):
    values = np.rint(np.random.default_rng(1).laplace(0, scale, 4000)).astype(np.int32)
    row = range_coder.cheapest_row(values)
    ideal = range_coder.code_length_bits(values, row) / 8
    assert ideal <= len(range_coder.encode_symbols([(values, row)])) <= 1.001 * ideal + 8
    costs = [range_coder.code_length_bits(values, r) for r in range(tables.ROWS)]
    assert row == int(np.argmin(costs))


def test_lengths_of_escapes_are_counted_exactly():
    row = tables.rows()[5]
    sizes = [row.largest + beyond for beyond in (1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 1000, 4079)]
    values = np.array([*sizes, range_coder.LARGEST_MAGNITUDE], dtype=np.int32)
    for signed in (values, -values):
        bits = [len(range_coder._escape_bits(int(value), row)) for value in signed]
        found = range_coder.code_lengths_bits(signed, 5) - row.cost_bits()[-1]
        np.testing.assert_allclose(found, bits, rtol=0, atol=1e-9)
    with pytest.raises(OverflowError):
        range_coder.code_lengths_bits(np.array([1 << 24], dtype=np.int32), 5)


def test_escapes_beyond_the_format_are_refused():
    with pytest.raises(OverflowError):
        range_coder.encode_symbols([(np.array([1 << 24], np.int32), 0)])
    nothing_but_zeros = np.zeros(20, np.int32)
    escape = 2 * tables.rows()[0].largest + 1
    coder = constriction.stream.queue.RangeEncoder()
    coder.encode(np.array([escape], np.int32), range_coder.exact_model(tables.rows()[0]))
    coder.encode(np.array([*nothing_but_zeros, 0, 0, 1], np.int32), range_coder.BIT)
    data = coder.get_compressed().astype("<u4").tobytes()
    with pytest.raises(CorruptBitstream):
        range_coder.decode_symbols(data, [(1, 0)])


def test_only_the_encoders_bytes_are_canonical():
    symbols = np.arange(-20, 20, dtype=np.int32)
    data = range_coder.encode_symbols([(symbols, 20)])
    (back,) = range_coder.decode_canonical_symbols(data, [(40, 20)])
    np.testing.assert_array_equal(back, symbols)
    for wrong in (data + b"\0", data + b"junk"):
        np.testing.assert_array_equal(range_coder.decode_symbols(wrong, [(40, 20)])[0], symbols)
        with pytest.raises(CorruptBitstream, match="not what an encoder writes"):
            range_coder.decode_canonical_symbols(wrong, [(40, 20)])
