"""What one visitor, and all of them together, may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """The page's limits. A visitor is told apart from others by network address."""

    jobs: int = 1
    """Pictures that are encoded at the same time."""
    encode_seconds: float = 600
    """Longest encoding by its estimate. It is ended after one and a half times as long."""
    decode_seconds: float = 60
    """Time after which decoding or analysing a file is ended."""
    memory_gb: float = 4
    """Memory of each worker process; there are `jobs` + 2 of them."""
    calls_per_visitor: int = 8
    """Calls of one visitor that run or wait."""
    requests_per_visitor: int = 128
    """Open connections of one visitor."""
    waiting: int = 32
    """Calls of all visitors that wait."""
    upload_bytes: int = 20_000_000
    """Size of one upload request."""
    visitor_bytes: int = 256_000_000
    """Files that are kept for one visitor; then the oldest go."""
    total_bytes: int = 4_000_000_000
    """Files that are kept in total; then uploads are refused."""
    keep_seconds: float = 3600
    """Age at which a file is deleted."""
    stall_seconds: float = 20
    """Time after which a request whose body stops arriving is refused."""
    body_seconds: float = 300
    """Time in which a request's body has to be complete."""
    embed: bool = False
    """Let other sites show the page in a frame."""

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gb * 2**30)
