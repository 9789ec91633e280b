"""Philox4x32-10, a counter-based pseudo-random number generator in integer arithmetic.

J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3. A counter of
four 32-bit words and a key of two give four random 32-bit words. There is no state, so every index
of every stream can be computed alone, and all machines, libraries and devices give the same
numbers.

The code computes in signed 64-bit integers, for which NumPy arrays and torch tensors on any device
have the same operators: products wrap around, and shifts are arithmetic. So the same functions work
on both.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

MASK: Final = 0xFFFFFFFF
ROUNDS: Final = 10
MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
WEYL: Final = (0x9E3779B9, 0xBB67AE85)

# The numbers of one seed are split into streams, so that two purposes never share a number.
STREAM_PRIOR: Final = 0
STREAM_SIGN: Final = 1
STREAM_ORDER: Final = 2
STREAM_DENSE: Final = 3
STREAM_FEATURES: Final = 4


def philox4x32(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Any, ...]:
    """Return the four random words of each counter under a key.

    The four words of the counters are int64 NumPy arrays or torch tensors of one shape, with values
    in [0, 2**32). All but the first may also be plain integers.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # The 64-bit product may wrap to a negative number; shift and mask still give its bits.
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (p1 >> 32) & MASK ^ c1 ^ k0,
            p1 & MASK,
            (p0 >> 32) & MASK ^ c3 ^ k1,
            p0 & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


def random_words(index: Any, *, seed: int, stream: int, substream: Any = 0) -> tuple[Any, ...]:
    """Return four random 32-bit words for each element of `index` (int64, 0 <= index < 2**63).

    seed: the key, 64 bits. stream: the purpose of the numbers, a `STREAM_` constant. substream: the
    layer, an integer or an array of integers. The counter consists of the index (two words), the
    stream and the substream.
    """
    zeros = index & 0
    counter = (index & MASK, index >> 32, zeros + stream, zeros + substream)
    return philox4x32(counter, (seed & MASK, (seed >> 32) & MASK))


def uniform(count: int, *, seed: int, stream: int, substream: int = 0) -> npt.NDArray[np.float64]:
    """Return `count` numbers strictly inside (-1, 1): odd multiples of 2**-32, exact in float64.

    Number i is word i % 4 of index i // 4.
    """
    words = random_words(
        np.arange(-(-count // 4), dtype=np.int64), seed=seed, stream=stream, substream=substream
    )
    lanes = np.stack(words, axis=-1).reshape(-1)[:count]
    return (2.0 * lanes + 1.0) * 2.0**-32 - 1.0
