"""Entropy coding: integer probability tables, a range coder, and symbols under mixtures.

tables          rows of integer frequencies, which ship with the package and are pinned by hashes
range_coder     codes groups of integers under rows of the tables
mixture_coder   codes integers, each under a mixture distribution of its own
make_tables     the script that made the tables
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
