"""Where the `pranc` command starts; `python -m pranc_codec` does the same.

Nothing heavy is imported before the allocator is tuned, which takes a second start.
"""

import os
import sys
from typing import Final

__all__ = ["main"]

LONG_WORK: Final = ("encode", "evaluate", "condense", "train-prior", "demo")
ALLOCATOR: Final = (
    "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:"
    "glibc.malloc.top_pad=268435456:glibc.malloc.hugetlb=1"
)


def main() -> None:
    """Entry point."""
    _tune_allocator()
    from pranc_codec.commands.cli import main as run

    run()


def _tune_allocator() -> None:
    """Start long work again with glibc's malloc keeping large blocks, which it reads at start
    only: returning and faulting in every large tensor anew takes half of a fit's element-wise
    time."""
    long_work = sys.argv[1:2] and sys.argv[1] in LONG_WORK
    can_restart = sys.platform == "linux" and sys.executable  # which embedded Pythons lack
    if long_work and can_restart and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = ALLOCATOR
        os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    main()
