"""Fit a coordinate network to one image: the coefficients that the file will hold.

Adam on stratified batches of pixels minimizes distortion + lmbda * bpp_estimate. The coefficients
are free at first, then seen through noise of one step's width, at last rounded; the
quantization step of each layer is learned with them until it is frozen to the format's grid.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.mlp.sampling import sample_pixels
from pranc_codec.encoder.request import Progress, ProgressCallback
from pranc_codec.format.parameters import q_step_of_code
from pranc_codec.image import to_samples
from pranc_codec.mlp.coordinate_network import CoordinateMLP, render
from pranc_codec.pranc import rate_model
from pranc_codec.pranc.model import Pranc

EXPONENT: Final = 0.2  # of the price of a bit, see Price
STEERING: Final = 0.02  # how fast the price follows the rate, per step
REPORTS: Final = 100  # calls of the progress callback
CHECK_EVERY: Final = 50  # steps between looks for divergence
DIVERGED: Final = 1.05  # distortion over the best so far
DIVERGED_WITH_NOISE: Final = 1.5


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """Schedule of one fit. Fractions are of `steps`; rates and steps in units of PRANC scales."""

    steps: int
    batch: int = 4096
    learning_rate: float
    learning_rate_floor: float = 0.01
    warmup: float = 0.02
    step_learning_rate: float = 0.02
    initial_step: float = 0.1
    quantize_from: float = 0.5
    freeze_from: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a bit costs: `lmbda` in MSE per bpp, or what is right at a wanted `bpp`.

    Where distortion falls as bpp**-p, the optimum at a rate has lmbda = p * distortion / bpp.
    EXPONENT is below the p = 0.5 of coordinate networks (1.5 dB per doubling of the rate) because
    a smaller network with finer steps is fitted sooner than a larger one with coarser steps.
    """

    lmbda: float | None = None
    bpp: float | None = None

    def start(self, distortion: float) -> float:
        """lmbda when quantization begins, given the distortion so far."""
        if self.lmbda is not None:
            return self.lmbda
        assert self.bpp is not None
        return EXPONENT * distortion / self.bpp

    def steered(self, lmbda: float, bpp_estimate: float) -> float:
        """lmbda for the next step: a wanted `bpp` is approached by raising or lowering it."""
        if self.bpp is None:
            return lmbda
        error = math.log(max(bpp_estimate, 1e-9) / self.bpp)
        return lmbda * math.exp(STEERING * max(-1.0, min(1.0, error)))


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Real-valued coefficients of each layer and the code of each layer's step."""

    coefficients: tuple[Float[Tensor, " _"], ...]
    q_step_codes: tuple[int, ...]


def learning_rate_of(width: int) -> float:
    """The fastest rate that is usually stable; Adam moves a layer's output by rate * width.

    Found on photographs at widths 11 to 85; `_State.watch` deals with the exceptions.
    """
    return min(0.6, 13.6 / width)


def fit(
    network: Pranc,
    image: Float[Tensor, "h w c"],
    settings: FitSettings,
    price: Price,
    *,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Fitted:
    """Fit `network`'s coefficients to an image (colours in [0, 1], on the network's device)."""
    state = _State(network, settings, price, image.shape[0] * image.shape[1])
    generator = torch.Generator().manual_seed(seed)
    for step in range(settings.steps):
        state.schedule(step / settings.steps, step)
        coords, colours = sample_pixels(image, settings.batch, generator)
        used, bits = state.quantized(generator)
        with network.using(used):
            distortion = (network(coords) - colours).square().mean()
        loss = distortion + state.lmbda * bits / state.pixels
        state.update(loss, float(distortion.detach()), float(bits.detach()))
        if (step + 1) % CHECK_EVERY == 0:
            state.watch()
        if progress is not None and (step + 1) % max(1, settings.steps // REPORTS) == 0:
            progress(state.report(step + 1, image))
    return Fitted(
        coefficients=tuple(c.detach().cpu() for c in state.coefficients),
        q_step_codes=tuple(state.codes()),
    )


class _State:
    """What changes from step to step: coefficients, steps, the phase and running averages."""

    def __init__(self, network: Pranc, settings: FitSettings, price: Price, pixels: int) -> None:
        self.network, self.settings, self.price, self.pixels = network, settings, price, pixels
        self.coefficients: list[Tensor] = list(network.parameters())
        device = self.coefficients[0].device
        start = math.log(settings.initial_step)
        self.log_steps = torch.full((len(self.coefficients),), start, device=device)
        self.log_steps.requires_grad_()
        self.optimizer = torch.optim.Adam(
            [{"params": self.coefficients}, {"params": [self.log_steps]}],
            betas=(0.9, 0.99), eps=1e-10, fused=True,
        )  # fmt: skip
        self.fraction = 0.0
        self.distortion = 0.05
        self.lmbda = 0.0
        self.quantizing = self.frozen = False
        self.caution = 1.0
        self.best = (math.inf, self.snapshot())

    def schedule(self, fraction: float, step: int) -> None:
        """Cosine learning rates; the quantization steps move only while they are learned."""
        s = self.settings
        self.fraction = fraction
        cosine = (1 + math.cos(math.pi * fraction)) / 2
        shape = s.learning_rate_floor + (1 - s.learning_rate_floor) * cosine
        warmup = min(1.0, (step + 1) / max(1, round(s.warmup * s.steps)))
        self.optimizer.param_groups[0]["lr"] = s.learning_rate * shape * warmup * self.caution
        learning = s.quantize_from <= fraction < s.freeze_from
        self.optimizer.param_groups[1]["lr"] = s.step_learning_rate * learning
        if fraction >= s.quantize_from and not self.quantizing:
            self.quantizing = True
            self.best = (math.inf, self.best[1])  # noise makes everything a little worse
        if fraction >= s.freeze_from and not self.frozen:
            self.frozen = True
            self.log_steps.data = self.frozen_steps().log()

    def quantized(self, generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
        """The coefficients as this phase sees them, and their rate in bits."""
        rate = torch.zeros((), device=self.log_steps.device)
        if self.fraction < self.settings.quantize_from:
            return list(self.coefficients), rate
        used = []
        for coefficients, step in zip(self.coefficients, self.log_steps.exp(), strict=True):
            symbols = self._symbols(coefficients / step, generator)
            rate = rate + rate_model.rate_bits(symbols)
            used.append(symbols * step)
        return used, rate

    def _symbols(self, x: Tensor, generator: torch.Generator) -> Tensor:
        s = self.settings
        if self.fraction >= s.freeze_from:
            return rate_model.round_straight_through(x)
        return x + torch.rand(x.shape, generator=generator).to(x.device) - 0.5

    def update(self, loss: Tensor, distortion: float, bits: float) -> None:
        """One step of Adam, then the price of the next."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.distortion += 0.02 * (distortion - self.distortion)
        if self.fraction < self.settings.quantize_from:
            self.lmbda = self.price.start(self.distortion)
        else:
            self.lmbda = self.price.steered(self.lmbda, bits / self.pixels)

    def snapshot(self) -> list[Tensor]:
        """Copies of all that is learned."""
        return [t.detach().clone() for t in [*self.coefficients, self.log_steps]]

    def watch(self) -> None:
        """Go back and halve the learning rate if the fit diverges.

        The fastest learning rates are close to the largest stable ones, and what is stable
        depends on the image.
        """
        best, saved = self.best
        if self.distortion < best:
            self.best = self.distortion, self.snapshot()
        elif not self.distortion < (DIVERGED_WITH_NOISE if self.quantizing else DIVERGED) * best:
            self.caution /= 2
            self.distortion = best
            for tensor, before in zip([*self.coefficients, self.log_steps], saved, strict=True):
                tensor.data.copy_(before)
                moments = self.optimizer.state[tensor]
                if moments:
                    moments["exp_avg"].zero_()
                    moments["exp_avg_sq"].nan_to_num_()

    def codes(self) -> list[int]:
        """Steps on the format's grid, 2**(2 - code / 16)."""
        exact = 16 * (2 - self.log_steps.detach().cpu() / math.log(2))
        return [int(code) for code in exact.round().clamp(0, 255)]

    def frozen_steps(self) -> Tensor:
        """The steps that the format can say, nearest to the learned ones."""
        return torch.tensor([q_step_of_code(code) for code in self.codes()]).to(self.log_steps)

    @torch.no_grad()
    def report(self, step: int, image: Tensor) -> Progress:
        """Estimates from running averages, as if the coefficients were rounded now."""
        steps = self.frozen_steps()
        bits = sum(
            float(rate_model.rate_bits((c / s).round()))
            for c, s in zip(self.coefficients, steps, strict=True)
        )
        bpp = bits / self.pixels
        return Progress(
            step=step,
            steps=self.settings.steps,
            loss=self.distortion + self.lmbda * bpp,
            bpp_estimate=bpp,
            psnr_db_estimate=-10 * math.log10(max(self.distortion, 1e-10)),
            preview=lambda: self.preview(image.shape[1], image.shape[0]),
        )

    def preview(self, width: int, height: int) -> np.ndarray:
        """The image as the network renders it now."""
        box = (0, 0, width, height)
        device, module = self.log_steps.device, self.network.module
        assert isinstance(module, CoordinateMLP)
        channels = module.shape.channels
        colours = render(self.network, (width, height), box, device, channels=channels)
        return to_samples(colours.cpu().numpy(), "uint8")
