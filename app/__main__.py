"""The entry point of `python -m app`, which does the same as `pranc demo`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "demo")
    runpy.run_module("pranc_codec", run_name="__main__")
