"""The entry point of the `pranc` command; `python -m pranc_codec` does the same.

Nothing heavy is imported before the allocator is tuned, because tuning may restart the process.
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
    """Run the command."""
    _tune_allocator()
    from pranc_codec.commands.cli import main as run

    run()


def _tune_allocator() -> None:
    """For long work, restart the process with glibc's malloc set to keep large blocks.

    By default glibc returns the memory of every large tensor to the system and faults it in again,
    which takes half the time of a fit's element-wise operations. glibc reads its settings only when
    a process starts.
    """
    long_work = sys.argv[1:2] and sys.argv[1] in LONG_WORK
    can_restart = sys.platform == "linux" and sys.executable  # empty in an embedded Python
    if long_work and can_restart and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = ALLOCATOR
        os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    main()
