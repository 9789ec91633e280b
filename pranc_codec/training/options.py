"""Options that the trainings of a prior share."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network of a prior is trained.

    photos: folder of photographs. crops: number of windows per iteration. side: side of a window in
    pixels. threads: number of CPU threads; with a GPU, all of the machine's threads draw windows.
    from_prior: start from the shipped prior. fitted: folder of fitted windows, to train on these
    instead of photographs. learning_rate: peak rate; None to choose it by network and start. seed:
    seed of the random numbers; use another one for a further round on the same photographs.
    """

    photos: Path
    iterations: int = 18000
    crops: int = 4
    side: int = 256
    threads: int = 1
    device: str = "cpu"
    from_prior: bool = False
    fitted: Path | None = None
    learning_rate: float | None = None
    seed: int = 0
