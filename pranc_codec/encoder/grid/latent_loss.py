"""The loss of a latent fit, and its gradients.

The two networks are evaluated at some latents (`evaluate_networks`). Their outputs are reused for
several iterations, in each of which error, bits and their gradients are computed given these
outputs (`surrogate_gradients`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.format.parameters import grid_q_step_of_code
from pranc_codec.grid import mixture, wavelet
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.enhancement import EnhancementNetwork, enhanced
from pranc_codec.grid.mixture import Mixture
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.precision import bfloat16_products


@dataclass(frozen=True, kw_only=True)
class LatentProblem:
    """The problem that a latent fit solves.

    opponent: the image in opponent colours around mid-grey. y: its wavelet coefficients in
    quantization steps; the approximation is already rounded and is not fitted. colours: how many
    opponent colours count; 1 for a grey image. lmbda_steps2: lambda in squared quantization steps.
    enhancement: a network whose biases are a `Pranc`. coefficient_q_step: quantization step of its
    coefficients.
    """

    opponent: Float[Tensor, "1 3 h w"]
    y: Pyramid
    colours: int
    q_step_code: int
    lmbda_steps2: float
    context: ContextModel
    enhancement: EnhancementNetwork
    coefficient_q_step: float

    @property
    def q_step(self) -> float:
        return grid_q_step_of_code(self.q_step_code)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return int(self.opponent.shape[2]), int(self.opponent.shape[3])

    def pyramid(self, bands: Sequence[Tensor]) -> Pyramid:
        """Return latents with these bands; the approximation is not fitted."""
        return Pyramid(approximation=self.y.approximation, bands=tuple(bands))


@dataclass(frozen=True, kw_only=True)
class NetworkSnapshot:
    """The outputs of the networks at some latents, which are reused until the next evaluation.

    mixtures: distributions by level. wanted: the image minus the correction, in quantization steps,
    which the inverse wavelet should give. gradients: gradients of the loss with respect to the
    latents, through both networks.
    """

    mixtures: list[Mixture]
    wanted: Float[Tensor, "1 3 h w"]
    gradients: list[Float[Tensor, "1 3 3 _ _"]]


def evaluate_networks(
    problem: LatentProblem, latents: list[Tensor], rate_cost: Tensor
) -> NetworkSnapshot:
    """Run the forward and the backward pass of both networks.

    rate_cost: lmbda_steps2 * bits of the coefficients. Its gradient and that of the error
    accumulate into the `grad` of the coefficients.
    """
    leaves = [t.detach().requires_grad_() for t in latents]
    with bfloat16_products(problem.opponent.device):
        correction = correction_of(problem, leaves)
    with torch.no_grad():
        gradient = 2 * lost_of(problem, latents, correction) / problem.q_step**2
    torch.autograd.backward([correction, rate_cost], [gradient, torch.ones_like(rate_cost)])
    with bfloat16_products(problem.opponent.device):
        outputs = outputs_of(problem, leaves)
    known = [t.detach().requires_grad_() for t in outputs]
    of_bits = torch.autograd.grad(problem.lmbda_steps2 * bits_of(problem, latents, known), known)
    torch.autograd.backward(outputs, of_bits)
    return NetworkSnapshot(
        mixtures=[mixture.mixture_of(t.detach()) for t in outputs],
        wanted=(problem.opponent - correction.detach()) / problem.q_step,
        gradients=[_gradient(t) for t in leaves],
    )


def surrogate_gradients(
    problem: LatentProblem, latents: list[Tensor], snapshot: NetworkSnapshot
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return error in squared steps, bits, and the gradient of the loss by the latents.

    All are computed with the outputs of the networks at the last evaluation.
    """
    leaves = [t.detach().requires_grad_() for t in latents]
    linear = wavelet.synthesize(problem.pyramid(leaves), *problem.size)
    lost = linear.detach() - snapshot.wanted
    lost[:, problem.colours :] = 0
    distortion, bits = torch.dot(lost.view(-1), lost.view(-1)), torch.zeros_like(lost[0, 0, 0, 0])
    gradients = torch.autograd.grad(linear, leaves, 2 * lost)
    for t, distributions, gradient, known in zip(
        latents, snapshot.mixtures, gradients, snapshot.gradients, strict=True
    ):
        of_each, derivatives = mixture.bits_and_derivatives(t, distributions)
        bits += of_each[:, : problem.colours].sum()
        gradient.add_(derivatives, alpha=problem.lmbda_steps2).add_(known)
    return distortion, bits, list(gradients)


def bits_of(problem: LatentProblem, latents: list[Tensor], outputs: list[Tensor]) -> Tensor:
    """Return the bits of the image's latents, given the outputs of the context model."""
    of_levels = [
        mixture.bits(bands, of_level)[:, : problem.colours].sum()
        for bands, of_level in zip(latents, outputs, strict=True)
    ]
    return torch.stack(of_levels).sum()


def outputs_of(problem: LatentProblem, latents: list[Tensor]) -> list[Tensor]:
    """Return the outputs of the context model, by level."""
    log2_q_step = problem.y.approximation.new_full((1,), problem.q_step_code / 64)
    return problem.context.outputs(problem.pyramid(latents), log2_q_step)


def lost_of(problem: LatentProblem, latents: list[Tensor], correction: Tensor) -> Tensor:
    """Return the decoded image minus the image; colours that do not count are zero."""
    lost = linear_of(problem, latents) + correction - problem.opponent
    lost[:, problem.colours :] = 0
    return lost


def linear_of(problem: LatentProblem, latents: list[Tensor]) -> Tensor:
    """Return the inverse wavelet of the latents."""
    symbols = problem.pyramid(latents)
    return wavelet.synthesize(symbols.map(lambda t: t * problem.q_step), *problem.size)


def correction_of(problem: LatentProblem, latents: list[Tensor]) -> Tensor:
    """Return the correction of the enhancement network."""
    linear = linear_of(problem, latents)
    parents = latents[-2] if len(latents) > 1 else None
    q_step = linear.new_full((1,), problem.q_step)
    return enhanced(problem.enhancement, linear, latents[-1], parents, q_step) - linear


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def masks_of(problem: LatentProblem) -> list[Tensor]:
    """Return masks by level that are 1 where coefficients are coded, else 0."""
    out = []
    for size in wavelet.sizes_below(*problem.size):
        mask = wavelet.coded_mask(*size).float()[None, None].repeat(1, 3, 1, 1, 1)
        mask[:, problem.colours :] = 0
        out.append(mask.to(problem.opponent.device))
    return out
