"""Callbacks that report the progress of a run. An exception from one of them ends the run."""

from collections.abc import Callable

from pranc_codec.evaluate.harness.store import Result

ResultCallback = Callable[[int, int, Result], None]
"""Called with the number of finished units, the number of all units, and the newest result."""

BarCallback = Callable[[int, int, str], None]
"""Called with the number of finished steps, the number of all steps, and a text about the step."""
