"""`encode`: image -> plan -> fit -> quantize -> file that meets its target."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from pranc_codec import coordinate, decoder
from pranc_codec.encoder import writer
from pranc_codec.encoder.fit import (
    FitSettings,
    Fitted,
    Price,
    ProgressCallback,
    fit,
    learning_rate_of,
)
from pranc_codec.encoder.plan import (
    BITS_PER_COEFFICIENT,
    Plan,
    Rule,
    bpp_of_lmbda,
    bpp_of_quality,
    lmbda_of_bpp,
    plan_for,
)
from pranc_codec.encoder.rate_control import shifted, smallest_shift
from pranc_codec.encoder.target import Target, make_target, steps_of_effort
from pranc_codec.errors import InvalidArgument, PrancError, TargetUnreachable
from pranc_codec.image import ImageLike, Metadata, Picture, load_picture, to_samples
from pranc_codec.metrics import psnr_db

BPP_TOLERANCE: Final = 0.02
PSNR_TOLERANCE_DB: Final = 0.1
PSNR_SLACK_DB: Final = 0.5
DB_PER_OCTAVE: Final = 2.0
"""PSNR gained by a doubling of the rate, to guess a rate for a PSNR."""
PILOT_BPP: Final = 0.1
PILOT_COEFFICIENTS: Final = 300
PILOT_HANDICAP_DB: Final = 1.5
"""What the pilot's fewer steps cost."""
LARGEST_BPP: Final = 16.0
MOST_BITS_PER_COEFFICIENT: Final = 12
LARGEST_SEED: Final = 2**32 - 1


def encode(
    image: ImageLike,
    *,
    profile: str = "mlp",
    quality: float | None = None,
    lmbda: float | None = None,
    bpp: float | None = None,
    psnr: float | None = None,
    effort: int | str = "default",
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: ProgressCallback | None = None,
    metadata: Metadata | None = None,
    rule: Rule = Rule(),
) -> bytes:
    """Encode an image to the bytes of a .pranc file.

    image: PIL image, NumPy array (uint8, uint16, float in [0, 1]; (h, w) or (h, w, 1 to 4)) or
        path. L, LA, RGB, RGBA keep their mode; alpha is coded losslessly.
    quality (1-100, default 50), lmbda (MSE in [0, 1] per bpp), bpp (of the whole file, met within
        2 %) or psnr (dB on 8-bit samples, at most 0.1 dB under): one of them.
    effort: 0-7, each twice the steps of the one before, or "fast", "default", "max".
    seed: of the basis and of all that is random here; the same input, settings and seed give the
        same bytes on the same machine.
    progress: called about 100 times a fit; raise `EncodingCancelled` in it to stop.
    metadata: replaces the image's own ICC profile, EXIF and XMP (`Metadata()` drops them).
    rule: how the network follows from the rate, for research.

    Raises InvalidArgument for wrong arguments, TargetUnreachable if bpp or psnr cannot be met.
    """
    if profile != "mlp":
        raise InvalidArgument(f"profile {profile!r} is unknown: use 'mlp'")
    if not 0 <= seed <= LARGEST_SEED:
        raise InvalidArgument(f"seed {seed} is not in 0 .. {LARGEST_SEED}")
    target = make_target(quality, lmbda, bpp, psnr)
    steps = steps_of_effort(effort)
    picture = load_picture(image)
    _check_size(picture)
    if metadata is not None:
        picture = replace(picture, metadata=metadata)
    where = decoder.device_of(device)
    job = _Job(picture=picture, rule=rule, steps=steps, seed=seed, device=where, progress=progress)
    method = next(name for name, value in vars(target).items() if value is not None)
    with coordinate.float32_everywhere(), torch.inference_mode(False), torch.enable_grad():
        return _METHODS[method](job, target)


def _check_size(picture: Picture) -> None:
    height, width, _ = picture.colours.shape
    if height * width > decoder.DEFAULT_LIMITS.max_pixels:
        raise InvalidArgument(
            f"{width}x{height} is more than the {decoder.DEFAULT_LIMITS.max_pixels} pixels that "
            "decoders accept: reduce it, or cut it into parts"
        )


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One call of `encode`, arguments checked."""

    picture: Picture
    rule: Rule
    steps: int
    seed: int
    device: torch.device
    progress: ProgressCallback | None

    @property
    def pixels(self) -> int:
        return int(self.picture.colours.shape[0] * self.picture.colours.shape[1])

    def plan(self, bpp: float) -> Plan:
        return plan_for(bpp, self.pixels, self.picture.colours.shape[2], self.rule)

    def fit(self, plan: Plan, price: Price, steps: int | None = None) -> "_Result":
        """Fit the planned network to the picture."""
        network = decoder.build_network(
            plan.shape, writer.parameters_of(plan, ()), self.seed, hold=True
        ).to(self.device)
        image = torch.from_numpy(self.picture.colours).to(self.device)
        settings = FitSettings(
            steps=self.steps if steps is None else steps,
            learning_rate=learning_rate_of(plan.shape.width),
        )
        fitted = fit(network, image, settings, price, seed=self.seed, progress=self.progress)
        return _Result(job=self, plan=plan, fitted=fitted)


@dataclass(frozen=True, kw_only=True)
class _Result:
    """A fitted network and the files that it can become."""

    job: _Job
    plan: Plan
    fitted: Fitted

    def file(self, shift: int = 0) -> bytes:
        """The file with steps shifted by `rate_control.shifted`."""
        codes = shifted(self.fitted.step_codes, shift)
        symbols = writer.quantize_layers(self.fitted.coefficients, codes)
        data = writer.write_file(self.job.picture, self.plan, self.job.seed, symbols, codes)
        decoded = decoder.read_symbols(*decoder.open_file(data, decoder.DEFAULT_LIMITS))
        if not all(map(np.array_equal, symbols, decoded)):
            raise PrancError("the file does not decode to its own symbols: please report this")
        return data

    def bpp(self, shift: int = 0) -> float:
        return 8 * len(self.file(shift)) / self.job.pixels

    def psnr_db(self, shift: int = 0) -> float:
        """PSNR of the decoded file on 8-bit colours."""
        colours = _decoded_colours(self.file(shift), self.job.device)
        wanted = to_samples(self.job.picture.colours, "uint8")
        return psnr_db(wanted, to_samples(colours.cpu().numpy(), "uint8"))


def _decoded_colours(data: bytes, device: torch.device) -> Tensor:
    header, sections = decoder.open_file(data, decoder.DEFAULT_LIMITS)
    size = (header.width, header.height)
    network = decoder.network_of(header, sections, device)
    channels = decoder.network_shape(header).channels
    return coordinate.render(network, size, (0, 0, *size), device, channels=channels)


def _encode_quality(job: _Job, target: Target) -> bytes:
    assert target.quality is not None
    bpp = bpp_of_quality(target.quality)
    return job.fit(job.plan(bpp), Price(lmbda=lmbda_of_bpp(bpp))).file()


def _encode_lmbda(job: _Job, target: Target) -> bytes:
    assert target.lmbda is not None
    plan = job.plan(bpp_of_lmbda(target.lmbda))
    return job.fit(plan, Price(lmbda=target.lmbda)).file()


def _encode_bpp(job: _Job, target: Target) -> bytes:
    """The fit steers towards the rate; what is left is met by a small shift of the steps."""
    assert target.bpp is not None
    wanted_bytes = target.bpp * job.pixels / 8
    plan = job.plan(target.bpp)
    fixed = writer.fixed_bytes(job.picture, plan, job.seed)
    if wanted_bytes < fixed + plan.rule.depth:
        raise TargetUnreachable(
            f"{target.bpp} bpp of {job.pixels} pixels is {wanted_bytes:.0f} bytes, and {fixed} are "
            "needed for header, alpha and metadata alone: ask for more bpp, or drop metadata"
        )
    payload_bpp = 8 * (wanted_bytes - fixed) / job.pixels
    plan = job.plan(payload_bpp)
    if payload_bpp * job.pixels > MOST_BITS_PER_COEFFICIENT * plan.k:
        raise TargetUnreachable(
            f"{target.bpp} bpp of {job.pixels} pixels needs a larger network than the profile has: "
            f"ask for at most {MOST_BITS_PER_COEFFICIENT * plan.k / job.pixels:.3f} bpp"
        )
    result = job.fit(plan, Price(bpp=payload_bpp))
    shift = smallest_shift(lambda n: len(result.file(n)) <= wanted_bytes, plan.rule.depth + 1)
    reached = None if shift is None else result.bpp(shift)
    if shift is None or (
        abs(result.bpp(shift) / target.bpp - 1) > BPP_TOLERANCE
        and abs(len(result.file(shift)) - wanted_bytes) > 4
    ):
        raise TargetUnreachable(
            f"{target.bpp} bpp cannot be met within {BPP_TOLERANCE:.0%}: "
            f"the nearest file has {reached} bpp"
        )
    return result.file(shift)


def _encode_psnr(job: _Job, target: Target) -> bytes:
    """A short pilot guesses the rate; one refit at most; then the steps of the smallest network
    that is good enough are made as coarse as the target allows."""
    assert target.psnr is not None
    aim_db = target.psnr + PSNR_SLACK_DB / 2
    bpp = max(PILOT_BPP, BITS_PER_COEFFICIENT * PILOT_COEFFICIENTS / job.pixels)
    pilot = job.fit(job.plan(bpp), Price(bpp=bpp), max(1, job.steps // 4))
    reached_db = pilot.psnr_db() + PILOT_HANDICAP_DB
    found: dict[float, _Result] = {}
    for _ in range(2):
        octaves = (aim_db - reached_db) / DB_PER_OCTAVE
        bpp = min(LARGEST_BPP, bpp * 2.0 ** max(-5.0, min(5.0, octaves)))
        result = job.fit(job.plan(bpp), Price(bpp=bpp))
        reached_db = result.psnr_db()
        found[reached_db] = result
        if target.psnr <= reached_db <= target.psnr + PSNR_SLACK_DB:
            break
    enough = [db for db in found if db >= target.psnr]
    return _coarsen(found[min(enough) if enough else max(found)], target.psnr)


def _coarsen(result: _Result, wanted_db: float) -> bytes:
    """The smallest file of a fit that still has the wanted PSNR."""
    layers = result.plan.rule.depth + 1
    limit = smallest_shift(lambda n: result.psnr_db(n) < wanted_db, layers)
    shift = (limit if limit is not None else 96 * layers) - 1
    if result.psnr_db(shift) < wanted_db - PSNR_TOLERANCE_DB:
        raise TargetUnreachable(
            f"{wanted_db} dB cannot be met: {result.psnr_db():.2f} dB were reached at "
            f"{result.bpp():.3f} bpp. Try a higher effort, or a lower PSNR"
        )
    return result.file(shift)


_METHODS: Final[dict[str, Callable[[_Job, Target], bytes]]] = {
    "quality": _encode_quality,
    "lmbda": _encode_lmbda,
    "bpp": _encode_bpp,
    "psnr": _encode_psnr,
}
