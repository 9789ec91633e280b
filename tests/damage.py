"""Damaged copies of files, as hypothesis strategies."""

from hypothesis import strategies as st


def flipped(data: bytes) -> st.SearchStrategy[bytes]:
    """Return copies of `data` in which one to three bits are flipped."""

    def flip(positions: set[int]) -> bytes:
        damaged = bytearray(data)
        for position in positions:
            damaged[position // 8] ^= 1 << position % 8
        return bytes(damaged)

    return st.sets(st.integers(0, 8 * len(data) - 1), min_size=1, max_size=3).map(flip)
