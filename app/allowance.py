"""Limits on what one visitor, and all visitors together, may use."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """The page's limits. Visitors are distinguished by their network address."""

    jobs: int = 1
    """Number of pictures that are encoded at the same time."""
    encode_seconds: float = 600
    """Longest expected duration of an encoding. It is stopped after one and a half times this."""
    decode_seconds: float = 60
    """Time after which decoding or analysing a file is stopped."""
    memory_gb: float = 4
    """Memory of each of the `jobs` + 2 worker processes."""
    calls_per_visitor: int = 8
    """Number of calls of one visitor that may run or wait."""
    requests_per_visitor: int = 128
    """Number of requests of one visitor that may be open."""
    waiting: int = 32
    """Number of calls of all visitors that may wait."""
    upload_bytes: int = 20_000_000
    """Largest size of an upload request."""
    visitor_bytes: int = 256_000_000
    """Largest total size of one visitor's files. Above it, the oldest files are deleted."""
    total_bytes: int = 4_000_000_000
    """Largest total size of all files. Above it, uploads are refused."""
    keep_seconds: float = 3600
    """Age at which a file is deleted."""
    stall_seconds: float = 20
    """Time after which a request is refused if its body stops arriving."""
    body_seconds: float = 300
    """Time in which a request's body must arrive completely."""
    embed: bool = False
    """Whether other sites may show the page in a frame."""

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gb * 2**30)
