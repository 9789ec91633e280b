"""Decide and code the symbols of the grid profile, and write their files."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch

from pranc_codec import decoder
from pranc_codec.encoder import writer
from pranc_codec.encoder.grid.rdoq import RdoqCoder
from pranc_codec.encoder.request import EncodeRequest
from pranc_codec.entropy import range_coder
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.format import bitstream
from pranc_codec.format.parameters import GridParameters, LayerCode, grid_q_step_of_code
from pranc_codec.grid import context_int, decode as grid_decode, latent_stream
from pranc_codec.grid.opponent import colours_of
from pranc_codec.grid.prior import GridPrior
from pranc_codec.grid.reconstruct import reconstruct
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.image import to_samples
from pranc_codec.limits import DEFAULT_LIMITS
from pranc_codec.metrics import psnr_db

COEFFICIENT_Q_STEP_CODE: Final = 68
"""Quantization step of the enhancement network's coefficients."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedLatents:
    """Symbols at a quantization step, and the stream that codes them under a prior.

    approximation_rows: for each colour, the index of the row of `tables.rows` that codes its
    approximation. stream: the range-coded bytes.
    """

    prior: GridPrior
    symbols: Pyramid
    q_step_code: int
    approximation_rows: tuple[int, ...]
    stream: bytes

    @property
    def q_step(self) -> float:
        return grid_q_step_of_code(self.q_step_code)


def code_latents(
    request: EncodeRequest, prior: GridPrior, y: Pyramid, q_step_code: int, lmbda_steps2: float
) -> CodedLatents:
    """Decide and code the symbols of latents.

    y: latents in quantization steps. lmbda_steps2: lambda in squared quantization steps.
    """
    approximation = y.approximation.round().to(torch.int32)
    approximation[:, request.colours :] = 0
    planes = approximation[0, : request.colours].cpu().numpy()
    differences = (latent_stream.approximation_differences(p).reshape(-1) for p in planes)
    approximation_rows = tuple(range_coder.cheapest_row(d) for d in differences)
    encoder = range_coder.Encoder()
    latent_stream.pack_approximation(encoder, planes, approximation_rows)
    coder = RdoqCoder(y=y, size=request.size, lmbda_steps2=lmbda_steps2, encoder=encoder)
    bands = context_int.code_bands(
        prior.context(request.device), approximation, request.size, q_step_code, coder.code,
        colours=request.colours,
    )  # fmt: skip
    return CodedLatents(
        prior=prior,
        symbols=Pyramid(approximation=approximation, bands=tuple(bands)),
        q_step_code=q_step_code,
        approximation_rows=approximation_rows,
        stream=encoder.finish(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedCandidate:
    """Coded latents, and the symbols of the enhancement network's coefficients if it has any."""

    request: EncodeRequest
    latents: CodedLatents
    coefficients: Integers | None = None

    @cached_property
    def file(self) -> bytes:
        """The whole file."""
        sections, k, layer = {bitstream.LATENTS: self.latents.stream}, 0, None
        if self.coefficients is not None and self.coefficients.any():
            row = range_coder.cheapest_row(self.coefficients)
            k = len(self.coefficients)
            layer = LayerCode(q_step_code=COEFFICIENT_Q_STEP_CODE, row=row)
            sections[bitstream.SYMBOLS] = range_coder.encode_symbols([(self.coefficients, row)])
        parameters = GridParameters(
            prior=self.latents.prior.number, q_step_code=self.latents.q_step_code,
            approximation_rows=self.latents.approximation_rows, k=k, layer=layer,
        )  # fmt: skip
        return writer.assemble(
            self.request.picture, "grid", self.request.seed, parameters, sections
        )

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * len(self.file) / self.request.pixels

    @cached_property
    def psnr_db(self) -> float:
        """PSNR of the decoded file on 8-bit samples."""
        latents = self.latents
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        network = grid_decode.network_of(header, sections, self.request.device)
        with torch.no_grad():
            opponent = reconstruct(latents.symbols, network, self.request.size, latents.q_step)
        decoded = colours_of(opponent, header.colours).permute(1, 2, 0).cpu().numpy()
        wanted = to_samples(self.request.picture.colours, "uint8")
        return psnr_db(wanted, to_samples(decoded, "uint8"))

    def loss(self, lmbda_steps2: float) -> float:
        """Return MSE + lmbda * bpp, with lambda given in squared quantization steps."""
        lmbda = lmbda_steps2 * self.latents.q_step**2 / 3
        return float(10 ** (-self.psnr_db / 10) + lmbda * self.bpp)

    def checked(self) -> bytes:
        """Return the file after checking that it decodes to the symbols that were coded."""
        header, sections = decoder.open_file(self.file, DEFAULT_LIMITS)
        decoded = latent_stream.read_pyramid(header, sections, self.request.device)
        pairs = zip(self.latents.symbols.tensors, decoded.tensors, strict=True)
        writer.check_own_symbols(all(torch.equal(a, b) for a, b in pairs))
        return self.file
