"""A picture in the grid profile: wavelet coefficients, fits of them, and the files they become.

The price of a bit is lmbda in units of the step: with MSE over three colours,
lmbda = price * step^2 / 3. `grid_choice` decides symbols by it, `grid_fit` fits latents by it.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec import bitstream, decoder, entropy, exact, grid, wavelet
from pranc_codec.encoder import writer
from pranc_codec.encoder.grid_choice import Chooser
from pranc_codec.encoder.grid_fit import FitProblem, FitSettings, fit
from pranc_codec.encoder.job import Job
from pranc_codec.encoder.target import EFFORTS
from pranc_codec.errors import PrancError
from pranc_codec.image import to_samples
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.metrics import psnr_db
from pranc_codec.parameters import GridParameters, LayerCode, step_of_code
from pranc_codec.priors import grid as priors
from pranc_codec.wavelet import Pyramid

PRICE: Final = 0.1
"""Without a fit."""
FIT_PRICE: Final = 0.115
PRICES_AFTER_FIT: Final = (0.0, 0.02)
ITERATIONS_AT_DEFAULT: Final = 40
COEFFICIENT_STEP_CODE: Final = 68
MOST_FITTED_PIXELS: Final = 3 << 20
"""Larger images are not fitted: it would take too much memory."""


def iterations_of(effort: int, pixels: int) -> int:
    """Iterations of a fit; 0 for none."""
    if effort == 0 or pixels > MOST_FITTED_PIXELS:
        return 0
    return max(1, round(ITERATIONS_AT_DEFAULT * 2.0 ** (effort - EFFORTS["default"])))


@dataclass(frozen=True, kw_only=True)
class Source:
    """The picture as wavelet coefficients."""

    job: Job
    _tried: "dict[int, Fitted]" = field(default_factory=dict)

    @cached_property
    def opponent(self) -> Float[Tensor, "1 3 h w"]:
        """Opponent colours around mid-grey; a grey picture has three equal colours."""
        colours = torch.from_numpy(self.job.picture.colours).to(self.job.device)
        rgb = colours.permute(2, 0, 1).expand(3, -1, -1)[None]
        return wavelet.to_opponent(rgb - grid.MID_GREY)

    @cached_property
    def coefficients(self) -> Pyramid:
        return wavelet.analyze(self.opponent)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.opponent.shape[2]), int(self.opponent.shape[3])

    @property
    def iterations(self) -> int:
        """Of the fit; 0 for none."""
        return iterations_of(self.job.effort, self.job.pixels) if self.coefficients.bands else 0

    def best(self, step_code: int) -> "Coded":
        """What the effort gives at a step."""
        if not self.iterations:
            return self.coded(step_code)
        return self.fitted(step_code).coded()

    def coded(self, step_code: int) -> "Coded":
        """Symbols and bytes without fitting."""
        return self.plain(step_code).coded()

    def plain(self, step_code: int) -> "Fitted":
        """The wavelet coefficients as they are; the last two steps asked for are remembered."""
        if step_code not in self._tried:
            if len(self._tried) == 2:
                del self._tried[next(iter(self._tried))]
            y = self.in_steps(step_code)
            self._tried[step_code] = Fitted(source=self, y=y, step_code=step_code, price=PRICE)
        return self._tried[step_code]

    def in_steps(self, step_code: int) -> Pyramid:
        step = 2.0 ** (step_code / 64)
        return self.coefficients.map(lambda t: t / step)

    def fitted(self, step_code: int) -> "Fitted":
        """A fit at a step, with the price and the network's coefficients that pay for themselves;
        the wavelet coefficients as they are, where a short fit is no better."""
        choices = [self.plain(step_code), *self.fits(step_code)]
        return min(choices, key=lambda fitted: fitted.coded().loss)

    def fits(self, step_code: int) -> "list[Fitted]":
        """A fit with the network's coefficients and without, at each of `PRICES_AFTER_FIT`."""
        y, prior = self.in_steps(step_code), priors.newest()
        problem = FitProblem(
            opponent=self.opponent,
            y=Pyramid(low=y.low.round(), bands=y.bands),
            colours=self.colours,
            step_code=step_code,
            price=FIT_PRICE,
            context=prior.float_context().requires_grad_(False).to(self.job.device),
            synthesis=grid.build_network(prior.number, grid.offsets_count(), self.job.seed).to(
                self.job.device
            ),
            coefficient_step=step_of_code(COEFFICIENT_STEP_CODE),
        )
        settings = FitSettings(iterations=self.iterations)
        found = fit(problem, settings, seed=self.job.seed, progress=self.job.progress)
        return [
            Fitted(source=self, y=found.y, step_code=step_code, price=price, coefficients=c)
            for c in (found.coefficients, None)
            for price in PRICES_AFTER_FIT
        ]

    @property
    def colours(self) -> int:
        """How many are coded: 1 for a grey picture, else 3."""
        return int(self.job.picture.colours.shape[2])


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Fitted latents, and symbols of the network's coefficients."""

    source: Source
    y: Pyramid
    step_code: int
    price: float
    coefficients: entropy.Integers | None = None
    _made: "dict[float, Coded]" = field(default_factory=dict)

    def coded(self, surcharge: float = 0.0) -> "Coded":
        """Symbols and bytes; a surcharge on the price takes more away."""
        price = self.price + surcharge
        if price not in self._made:
            self._made[price] = code_latents(
                self.source, self.y, self.step_code, price, self.coefficients
            )
        return self._made[price]


@dataclass(frozen=True, kw_only=True)
class Coded:
    """Symbols, their bytes, and the file that they become."""

    source: Source
    parameters: GridParameters
    symbols: Pyramid
    sections: dict[int, bytes]

    @cached_property
    def file(self) -> bytes:
        job, sections = self.source.job, self.sections
        return writer.assemble(job.picture, "grid", job.seed, self.parameters, sections)

    @property
    def bpp(self) -> float:
        return 8 * len(self.file) / self.source.job.pixels

    @cached_property
    def psnr_db(self) -> float:
        """PSNR of the decoded file on 8-bit colours."""
        job = self.source.job
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        network = grid.network_of(header, sections, job.device)
        with torch.no_grad():
            opponent = grid.reconstruct(self.symbols, network, header)
        decoded = grid.to_colours(opponent, header.colours).permute(1, 2, 0).cpu().numpy()
        wanted = to_samples(job.picture.colours, "uint8")
        return psnr_db(wanted, to_samples(decoded, "uint8"))

    @property
    def loss(self) -> float:
        """MSE + lmbda * bpp."""
        lmbda = FIT_PRICE * self.parameters.step**2 / 3
        return float(10 ** (-self.psnr_db / 10) + lmbda * self.bpp)

    def checked(self) -> bytes:
        """The file, after decoding it."""
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        decoded = grid.read_pyramid(header, sections, self.source.job.device)
        pairs = zip(self.symbols.tensors, decoded.tensors, strict=True)
        if not all(torch.equal(a, b) for a, b in pairs):
            raise PrancError("the file does not decode to its own symbols: please report this")
        return self.file


def code_latents(
    source: Source,
    y: Pyramid,
    step_code: int,
    price: float,
    coefficients: entropy.Integers | None = None,
) -> Coded:
    """Choose and code the symbols of wavelet coefficients or latents in steps."""
    job, prior, colours = source.job, priors.newest(), source.colours
    low = y.low.round().to(torch.int32)
    low[:, colours:] = 0
    planes = low[0, :colours].cpu().numpy()
    low_rows = tuple(entropy.cheapest_row(grid.low_differences(p).reshape(-1)) for p in planes)
    encoder = entropy.Encoder()
    grid.pack_low(encoder, planes, low_rows)
    chooser = Chooser(y=y, size=source.size, price=price, encoder=encoder)
    bands = exact.code_bands(
        prior.context(job.device), low, source.size, step_code, chooser.code, colours=colours
    )
    parameters = GridParameters(prior=prior.number, step_code=step_code, low_rows=low_rows)
    sections = {bitstream.LATENTS: encoder.finish()}
    if coefficients is not None and coefficients.any():
        row = entropy.cheapest_row(coefficients)
        layer = LayerCode(step_code=COEFFICIENT_STEP_CODE, row=row)
        parameters = replace(parameters, k=len(coefficients), layer=layer)
        sections[bitstream.SYMBOLS] = entropy.encode_symbols([(coefficients, row)])
    return Coded(
        source=source,
        parameters=parameters,
        symbols=Pyramid(low=low, bands=tuple(bands)),
        sections=sections,
    )
