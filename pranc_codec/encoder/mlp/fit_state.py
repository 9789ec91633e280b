"""The state of a fit of a coordinate network: coefficients, quantization steps, lambda, and a
snapshot to return to if the fit diverges."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from pranc_codec.encoder.mlp.lmbda_control import LmbdaControl
from pranc_codec.encoder.request import Progress
from pranc_codec.format.parameters import q_step_of_code
from pranc_codec.image import to_samples
from pranc_codec.mlp.coordinate_network import CoordinateMLP, render
from pranc_codec.pranc import rate_model
from pranc_codec.pranc.model import Pranc

DIVERGED: Final = 1.05
"""Ratio of the distortion to the best so far from which on a fit counts as diverged."""
DIVERGED_WITH_NOISE: Final = 1.5
"""The same ratio while the coefficients are quantized."""
FIRST_DISTORTION: Final = 0.05
AVERAGING: Final = 0.02
"""Weight of an iteration in the running mean of the distortion."""


@dataclass(frozen=True, kw_only=True)
class MlpFitSettings:
    """Schedule of one fit.

    batch: number of pixels per iteration. warmup: length of the warm-up, as a fraction of
    `iterations`. quantize_from, freeze_from: when noise begins, and when rounding begins and
    quantization steps are frozen; also as fractions. Learning rates and quantization steps are in
    units of the layers' PRANC scales.
    """

    iterations: int
    batch: int = 4096
    learning_rate: float
    learning_rate_floor: float = 0.01
    warmup: float = 0.02
    q_step_learning_rate: float = 0.02
    initial_q_step: float = 0.1
    quantize_from: float = 0.5
    freeze_from: float = 0.9


class MlpFitState:
    """Coefficients, quantization steps, the position in the schedule, and running means."""

    def __init__(
        self, network: Pranc, settings: MlpFitSettings, control: LmbdaControl, pixels: int
    ) -> None:
        self.network, self.settings, self.control, self.pixels = network, settings, control, pixels
        self.coefficients: list[Tensor] = list(network.parameters())
        device = self.coefficients[0].device
        start = math.log(settings.initial_q_step)
        self.log_q_steps = torch.full((len(self.coefficients),), start, device=device)
        self.log_q_steps.requires_grad_()
        self.optimizer = torch.optim.Adam(
            [{"params": self.coefficients}, {"params": [self.log_q_steps]}],
            betas=(0.9, 0.99), eps=1e-10, fused=True,
        )  # fmt: skip
        self.fraction = 0.0
        self.distortion = FIRST_DISTORTION
        self.lmbda = 0.0
        self.quantizing = self.frozen = False
        self.caution = 1.0
        """Factor of the learning rate, halved whenever the fit has diverged."""
        self.best = (math.inf, self.snapshot())

    def schedule(self, iteration: int) -> None:
        """Set the learning rates of an iteration, and quantize or freeze when it is time.

        The rate of the coefficients follows a cosine; quantization steps move only while they are
        learned.
        """
        s = self.settings
        self.fraction = iteration / s.iterations
        cosine = (1 + math.cos(math.pi * self.fraction)) / 2
        shape = s.learning_rate_floor + (1 - s.learning_rate_floor) * cosine
        warmup = min(1.0, (iteration + 1) / max(1, round(s.warmup * s.iterations)))
        self.optimizer.param_groups[0]["lr"] = s.learning_rate * shape * warmup * self.caution
        learning = s.quantize_from <= self.fraction < s.freeze_from
        self.optimizer.param_groups[1]["lr"] = s.q_step_learning_rate * learning
        if self.fraction >= s.quantize_from and not self.quantizing:
            self.quantizing = True
            self.best = (math.inf, self.best[1])  # noise makes everything a little worse
        if self.fraction >= s.freeze_from and not self.frozen:
            self.frozen = True
            self.log_q_steps.data = self.frozen_q_steps().log()

    def quantized(self, generator: torch.Generator) -> tuple[list[Tensor], Tensor]:
        """Return the coefficients with the noise or rounding of this part of the fit, and bits."""
        rate = torch.zeros((), device=self.log_q_steps.device)
        if self.fraction < self.settings.quantize_from:
            return list(self.coefficients), rate
        used = []
        for coefficients, q_step in zip(self.coefficients, self.log_q_steps.exp(), strict=True):
            symbols = self._symbols(coefficients / q_step, generator)
            rate = rate + rate_model.rate_bits(symbols)
            used.append(symbols * q_step)
        return used, rate

    def _symbols(self, x: Tensor, generator: torch.Generator) -> Tensor:
        if self.fraction >= self.settings.freeze_from:
            return rate_model.round_straight_through(x)
        return x + torch.rand(x.shape, generator=generator).to(x.device) - 0.5

    def update(self, loss: Tensor, distortion: float, bits: float) -> None:
        """Take one step of Adam, then set lambda for the next iteration."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.distortion += AVERAGING * (distortion - self.distortion)
        if self.fraction < self.settings.quantize_from:
            self.lmbda = self.control.start(self.distortion)
        else:
            self.lmbda = self.control.steered(self.lmbda, bits / self.pixels)

    def snapshot(self) -> list[Tensor]:
        """Return copies of all learned tensors."""
        return [t.detach().clone() for t in [*self.coefficients, self.log_q_steps]]

    def check_divergence(self) -> None:
        """Return to the best snapshot and halve the learning rate if the fit has diverged.

        The fastest learning rates are close to the largest stable ones, and what is stable depends
        on the image.
        """
        best, saved = self.best
        if self.distortion < best:
            self.best = self.distortion, self.snapshot()
        elif not self.distortion < (DIVERGED_WITH_NOISE if self.quantizing else DIVERGED) * best:
            self.caution /= 2
            self.distortion = best
            for tensor, before in zip([*self.coefficients, self.log_q_steps], saved, strict=True):
                tensor.data.copy_(before)
                moments = self.optimizer.state[tensor]
                if moments:
                    moments["exp_avg"].zero_()
                    moments["exp_avg_sq"].nan_to_num_()

    def q_step_codes(self) -> list[int]:
        """Return the codes of the format's nearest quantization steps, 2**(2 - code / 16)."""
        exact = 16 * (2 - self.log_q_steps.detach().cpu() / math.log(2))
        return [int(code) for code in exact.round().clamp(0, 255)]

    def frozen_q_steps(self) -> Tensor:
        """Return the format's quantization steps that are nearest to the learned ones."""
        steps = [q_step_of_code(code) for code in self.q_step_codes()]
        return torch.tensor(steps).to(self.log_q_steps)

    @torch.no_grad()
    def report(self, done: int, size: tuple[int, int]) -> Progress:
        """Report the state after `done` iterations. size: (height, width) of the preview."""
        bits = sum(
            float(rate_model.rate_bits((c / s).round()))
            for c, s in zip(self.coefficients, self.frozen_q_steps(), strict=True)
        )
        bpp = bits / self.pixels
        return Progress(
            iteration=done,
            iterations=self.settings.iterations,
            loss=self.distortion + self.lmbda * bpp,
            bpp_estimate=bpp,
            psnr_db_estimate=-10 * math.log10(max(self.distortion, 1e-10)),
            preview=lambda: self.preview(*size),
        )

    def preview(self, height: int, width: int) -> np.ndarray:
        """Render the image as it is now, uint8."""
        box = (0, 0, width, height)
        device, module = self.log_q_steps.device, self.network.module
        assert isinstance(module, CoordinateMLP)
        channels = module.shape.channels
        colours = render(self.network, (width, height), box, device, channels=channels)
        return to_samples(colours.cpu().numpy(), "uint8")
