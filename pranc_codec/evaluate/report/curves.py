"""Rate-distortion curves, and the BD-rate of two of them."""

from dataclasses import dataclass

import numpy as np

from pranc_codec.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The rate (bpp) and PSNR (dB) of a codec at each point, in rising order of rate."""

    name: str
    bpp: tuple[float, ...]
    psnr_db: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class BdRate:
    """The mean difference in rate at equal PSNR in percent, and the interval it was taken over."""

    percent: float
    low_db: float
    high_db: float

    def percent_text(self) -> str:
        """Return the difference for people, with its sign: `-22.6 %`."""
        return f"{self.percent:+.1f} %"

    def interval_text(self) -> str:
        """Return the interval for people: `28.0 to 39.0 dB`."""
        return f"{self.low_db:.1f} to {self.high_db:.1f} dB"


def bd_rate(
    curve: Curve, anchor: Curve, *, psnr_range_db: tuple[int | float, int | float] | None = None
) -> BdRate:
    """Return the rate of `curve` against `anchor` at equal PSNR; negative means fewer bits.

    This is the measure of Bjontegaard, VCEG-M33 (2001), with piecewise cubic Hermite (PCHIP)
    interpolation of the logarithm of the rate over PSNR, as in JVET's sheets. The mean is taken
    over the interval of PSNR that both curves cover; if `psnr_range_db` is given, both curves are
    also cut there, at interpolated end points. BD-rates over different intervals cannot be
    compared, so the interval is part of the result.

    Raises InvalidArgument if a curve does not rise or has one point only, or if the curves share no
    interval.
    """
    import bjontegaard

    for each in (curve, anchor):
        _check_rising(each)
    bounds = [(each.psnr_db[0], each.psnr_db[-1]) for each in (curve, anchor)]
    if psnr_range_db:
        bounds.append(psnr_range_db)
    low_db = float(max(low for low, _ in bounds))
    high_db = float(min(high for _, high in bounds))
    if low_db >= high_db:
        raise InvalidArgument(
            f"{curve.name} covers {bounds[0][0]:.2f}..{bounds[0][1]:.2f} dB and {anchor.name} "
            f"{bounds[1][0]:.2f}..{bounds[1][1]:.2f} dB, the range asked for is {psnr_range_db}: "
            "they share no interval. Measure points that overlap"
        )
    if psnr_range_db:
        curve, anchor = (_cut(each, low_db, high_db) for each in (curve, anchor))
    percent = bjontegaard.bd_rate(
        anchor.bpp,
        anchor.psnr_db,
        curve.bpp,
        curve.psnr_db,
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return BdRate(percent=float(percent), low_db=low_db, high_db=high_db)


def _check_rising(curve: Curve) -> None:
    """Raise unless PSNR rises with rate at every point, as a BD-rate requires."""
    for i in range(1, len(curve.bpp)):
        if not (0 < curve.bpp[i - 1] < curve.bpp[i] and curve.psnr_db[i - 1] < curve.psnr_db[i]):
            raise InvalidArgument(
                f"{curve.name} does not rise from ({curve.bpp[i - 1]} bpp, "
                f"{curve.psnr_db[i - 1]} dB) to ({curve.bpp[i]} bpp, {curve.psnr_db[i]} dB): "
                "leave out the point that is worse than another"
            )
    if len(curve.bpp) < 2:
        raise InvalidArgument(f"{curve.name} has one point: a BD-rate needs two or more")


def _cut(curve: Curve, low_db: float, high_db: float) -> Curve:
    """Return the part of a curve between two PSNRs, with interpolated points at both ends."""
    from scipy.interpolate import PchipInterpolator

    log_rate = PchipInterpolator(curve.psnr_db, np.log10(curve.bpp))
    inside = [(r, p) for r, p in zip(curve.bpp, curve.psnr_db, strict=True) if low_db < p < high_db]
    ends = [(float(10 ** log_rate(psnr)), psnr) for psnr in (low_db, high_db)]
    pairs = [ends[0], *inside, ends[1]]
    return Curve(
        name=curve.name, bpp=tuple(r for r, _ in pairs), psnr_db=tuple(p for _, p in pairs)
    )
