"""`python -m app`, which does the same as `pranc demo`."""

import sys

from pranc_codec.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "demo")
    main()
