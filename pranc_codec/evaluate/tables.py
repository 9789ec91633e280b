"""BD-rates of several curves against an anchor, as a table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.curves import BdRate, Curve, bd_rate


@dataclass(frozen=True, kw_only=True)
class Row:
    """A curve against the anchor: its BD-rate, or why there is none."""

    curve: str
    found: BdRate | None
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class BdTable:
    """BD-rates against `anchor`, each with the interval of PSNR that it is taken over."""

    anchor: str
    psnr_range_db: tuple[float, float] | None
    rows: Sequence[Row]

    def caption(self) -> str:
        """What the numbers are."""
        wanted = (
            f"between {self.psnr_range_db[0]:g} and {self.psnr_range_db[1]:g} dB, or the part of "
            "it that both curves cover"
            if self.psnr_range_db
            else "over all that both curves cover"
        )
        return f"BD-rate of PSNR (RGB) against {self.anchor}, PCHIP, {wanted}"

    def markdown(self) -> str:
        """A table in Markdown, under its caption."""
        lines = [f"{self.caption()}:", "", "| curve | BD-rate | interval |", "|---|---|---|"]
        for row in self.rows:
            if row.found:
                rate, interval = f"{row.found.percent:+.1f} %", _interval(row.found)
            else:
                rate, interval = "-", row.remark
            lines.append(f"| {row.curve} | {rate} | {interval} |".replace("\n", " "))
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The same numbers with all digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["curve", "anchor", "bd_rate_percent", "low_db", "high_db", "remark"])
        for row in self.rows:
            numbers = (
                [row.found.percent, row.found.low_db, row.found.high_db] if row.found else [""] * 3
            )
            writer.writerow([row.curve, self.anchor, *numbers, row.remark])
        return text.getvalue()


def bd_table(
    curves: Sequence[Curve],
    anchor: Curve,
    *,
    psnr_range_db: tuple[float, float] | None = None,
) -> BdTable:
    """Compare each curve with the anchor, fewest bits first; those without a BD-rate last."""
    rows = [_row(curve, anchor, psnr_range_db) for curve in curves if curve is not anchor]
    rows.sort(key=lambda row: (row.found is None, row.found.percent if row.found else 0))
    return BdTable(anchor=anchor.name, psnr_range_db=psnr_range_db, rows=rows)


def _row(curve: Curve, anchor: Curve, psnr_range_db: tuple[float, float] | None) -> Row:
    try:
        return Row(curve=curve.name, found=bd_rate(curve, anchor, psnr_range_db=psnr_range_db))
    except InvalidArgument as error:
        return Row(curve=curve.name, found=None, remark=str(error))


def _interval(found: BdRate) -> str:
    return f"{found.low_db:.1f} to {found.high_db:.1f} dB"
