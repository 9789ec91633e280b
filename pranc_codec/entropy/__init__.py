"""Entropy coding: integer probability tables, a range coder, and symbols under mixtures.

tables          rows of integer frequencies, shipped with the package and pinned by their hash
range_coder     groups of integers under rows, to bytes and back
mixture_coder   symbols of a wavelet's bands, each under its own mixture distribution
make_tables     how the tables were made (once)
"""

from pranc_codec.entropy.range_coder import (
    LARGEST_MAGNITUDE,
    Decoder,
    Encoder,
    Integers,
    cheapest_row,
    code_length_bits,
    code_lengths_bits,
    decode_canonical_symbols,
    decode_symbols,
    encode_symbols,
)

__all__ = [
    "LARGEST_MAGNITUDE",
    "Decoder",
    "Encoder",
    "Integers",
    "cheapest_row",
    "code_length_bits",
    "code_lengths_bits",
    "decode_canonical_symbols",
    "decode_symbols",
    "encode_symbols",
]
