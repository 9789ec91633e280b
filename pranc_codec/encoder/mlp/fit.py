"""Fit a coordinate network to one image: the coefficients that the file will hold.

Adam minimizes distortion + lmbda * bpp_estimate on stratified batches of pixels. At first, the
coefficients are used as they are; then with uniform noise of one quantization step's width; at
last, rounded. In the second part of the fit, the quantization step of each layer is learned, too.
In the last part, it is frozen at the format's nearest step.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.encoder.mlp.fit_state import MlpFitSettings, MlpFitState
from pranc_codec.encoder.mlp.lmbda_control import LmbdaControl
from pranc_codec.encoder.mlp.sampling import sample_pixels
from pranc_codec.encoder.request import ProgressCallback
from pranc_codec.pranc.model import Pranc

REPORTS: Final = 100  # calls of the progress callback
CHECK_EVERY: Final = 50
"""Number of iterations between checks for divergence."""


@dataclass(frozen=True, kw_only=True)
class FittedCoefficients:
    """Real-valued coefficients of each layer, and the code of each layer's quantization step."""

    coefficients: tuple[Float[Tensor, " _"], ...]
    q_step_codes: tuple[int, ...]


def learning_rate_of(width: int) -> float:
    """Return the highest learning rate that is usually stable for a network of this width.

    Adam changes a layer's output in proportion to rate * width. The rule was found on photographs
    at widths 11 to 85; `MlpFitState.check_divergence` handles the exceptions.
    """
    return min(0.6, 13.6 / width)


def fit(
    network: Pranc,
    image: Float[Tensor, "h w c"],
    settings: MlpFitSettings,
    control: LmbdaControl,
    *,
    seed: int,
    progress: ProgressCallback | None = None,
) -> FittedCoefficients:
    """Fit the coefficients of `network` to an image (in [0, 1], on the network's device).

    seed: seed of the sampled pixels and of the noise.
    """
    state = MlpFitState(network, settings, control, image.shape[0] * image.shape[1])
    generator = torch.Generator().manual_seed(seed)
    for iteration in range(settings.iterations):
        state.schedule(iteration)
        coords, colours = sample_pixels(image, settings.batch, generator)
        used, bits = state.quantized(generator)
        with network.using(used):
            distortion = (network(coords) - colours).square().mean()
        loss = distortion + state.lmbda * bits / state.pixels
        state.update(loss, float(distortion.detach()), float(bits.detach()))
        done = iteration + 1
        if done % CHECK_EVERY == 0:
            state.check_divergence()
        if progress is not None and done % max(1, settings.iterations // REPORTS) == 0:
            progress(state.report(done, (image.shape[0], image.shape[1])))
    return FittedCoefficients(
        coefficients=tuple(c.detach().cpu() for c in state.coefficients),
        q_step_codes=tuple(state.q_step_codes()),
    )
