"""Symbols of the grid profile that are chosen and coded, and the files that they become."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch

from pranc_codec import decoder
from pranc_codec.encoder import writer
from pranc_codec.encoder.grid.rdoq import Chooser
from pranc_codec.encoder.request import Job
from pranc_codec.entropy import range_coder
from pranc_codec.errors import PrancError
from pranc_codec.format import bitstream
from pranc_codec.format.parameters import GridParameters, LayerCode
from pranc_codec.grid import context_int, decode as grid_decode, latent_stream
from pranc_codec.grid.prior import GridPrior
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.image import to_samples
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.metrics import psnr_db

COEFFICIENT_Q_STEP_CODE: Final = 68


@dataclass(frozen=True, kw_only=True, eq=False)
class Latents:
    """Chosen symbols at a step, and the range-coded stream that they are under a prior."""

    prior: GridPrior
    symbols: Pyramid
    q_step_code: int
    low_rows: tuple[int, ...]
    stream: bytes

    @property
    def step(self) -> float:
        return float(2.0 ** (self.q_step_code / 64))


def code_latents(job: Job, prior: GridPrior, y: Pyramid, q_step_code: int, price: float) -> Latents:
    """Choose and code the symbols of wavelet coefficients or latents y, which are in steps."""
    colours, (height, width) = job.colours, job.picture.colours.shape[:2]
    low = y.low.round().to(torch.int32)
    low[:, colours:] = 0
    planes = low[0, :colours].cpu().numpy()
    differences = (latent_stream.low_differences(p).reshape(-1) for p in planes)
    low_rows = tuple(range_coder.cheapest_row(d) for d in differences)
    encoder = range_coder.Encoder()
    latent_stream.pack_low(encoder, planes, low_rows)
    chooser = Chooser(y=y, size=(height, width), price=price, encoder=encoder)
    bands = context_int.code_bands(
        prior.context(job.device), low, (height, width), q_step_code, chooser.code, colours=colours,
    )  # fmt: skip
    symbols = Pyramid(low=low, bands=tuple(bands))
    stream = encoder.finish()
    return Latents(
        prior=prior, symbols=symbols, q_step_code=q_step_code, low_rows=low_rows, stream=stream
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """Latents, and symbols of the residual network's coefficients, if it has any."""

    job: Job
    latents: Latents
    coefficients: range_coder.Integers | None = None

    @cached_property
    def file(self) -> bytes:
        sections, k, layer = {bitstream.LATENTS: self.latents.stream}, 0, None
        if self.coefficients is not None and self.coefficients.any():
            row = range_coder.cheapest_row(self.coefficients)
            k, layer = (
                len(self.coefficients),
                LayerCode(q_step_code=COEFFICIENT_Q_STEP_CODE, row=row),
            )
            sections[bitstream.SYMBOLS] = range_coder.encode_symbols([(self.coefficients, row)])
        parameters = GridParameters(
            prior=self.latents.prior.number, q_step_code=self.latents.q_step_code,
            low_rows=self.latents.low_rows, k=k, layer=layer,
        )  # fmt: skip
        return writer.assemble(self.job.picture, "grid", self.job.seed, parameters, sections)

    @property
    def bpp(self) -> float:
        return 8 * len(self.file) / self.job.pixels

    @cached_property
    def psnr_db(self) -> float:
        """PSNR of the decoded file on 8-bit colours."""
        picture, latents = self.job.picture, self.latents
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        network = grid_decode.network_of(header, sections, self.job.device)
        size = (header.height, header.width)
        with torch.no_grad():
            opponent = grid_decode.reconstruct(latents.symbols, network, size, latents.step)
        decoded = grid_decode.to_colours(opponent, header.colours).permute(1, 2, 0).cpu().numpy()
        return psnr_db(to_samples(picture.colours, "uint8"), to_samples(decoded, "uint8"))

    def loss(self, price: float) -> float:
        """MSE + lmbda * bpp at a price of bits in squared steps."""
        lmbda = price * self.latents.step**2 / 3
        return float(10 ** (-self.psnr_db / 10) + lmbda * self.bpp)

    def checked(self) -> bytes:
        """The file, after decoding it."""
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        decoded = latent_stream.read_pyramid(header, sections, self.job.device)
        pairs = zip(self.latents.symbols.tensors, decoded.tensors, strict=True)
        if not all(torch.equal(a, b) for a, b in pairs):
            raise PrancError("the file does not decode to its own symbols: please report this")
        return self.file
