"""Pack trained networks of the grid profile into the file of a prior."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from pranc_codec.files import write_atomically
from pranc_codec.grid.architecture import ARCHITECTURE_1, Architecture
from pranc_codec.grid.context import LAYERS, UNIT, ColourContext, ContextModel, shifts_of
from pranc_codec.grid.enhancement import EnhancementNetwork
from pranc_codec.grid.prior import ENHANCEMENT_KEYS
from pranc_codec.training.loop import averaged_weights


def context_tensors(model: ContextModel) -> dict[str, Tensor]:
    """Return the context model in integers, as `context_int_net.phase_network_of` reads it.

    `GridPrior.float_context` is the inverse.
    """
    return {
        f"context.{name.removeprefix('networks.')}.{part}": tensor
        for name, network in model.named_modules()
        if isinstance(network, ColourContext)
        for part, tensor in colour_tensors(network).items()
    }


@torch.no_grad()
def colour_tensors(network: ColourContext) -> dict[str, Tensor]:
    """Return the integer weights, shifts and biases of the network of one colour."""
    network.rounded = False
    weights = network.weights()
    shifts, out = shifts_of(weights), {}
    for name in LAYERS:
        unit = torch.exp2(-shifts[name])
        integers = (weights[name] / unit[:, None, None, None]).round()
        out[f"{name}.weight"] = integers.to(torch.int8)
        if name == "direct":
            continue
        bias: Tensor = getattr(network, name).bias
        out[f"{name}.shift"] = shifts[name].to(torch.uint8)
        out[f"{name}.bias"] = (bias / (unit * UNIT)).round().to(torch.int32)
    return out


def enhancement_tensors(network: EnhancementNetwork) -> dict[str, Tensor]:
    """Return the enhancement network in float16; `GridPrior.enhancement` is the inverse."""
    return {
        name.replace(own, stored): p.half().contiguous()
        for name, p in network.state_dict().items()
        for stored, own in ENHANCEMENT_KEYS.items()
        if name.startswith(own)
    }


def packed(model: ContextModel, network: EnhancementNetwork) -> bytes:
    """Return the bytes of a prior: both networks, and their architecture in the metadata."""
    tensors = context_tensors(model) | enhancement_tensors(network)
    contiguous = {name: t.contiguous() for name, t in tensors.items()}
    return save(contiguous, metadata=model.architecture.to_metadata())


def pack_prior(
    context: Path, enhancement: Path, output: Path, architecture: Architecture = ARCHITECTURE_1
) -> None:
    """Write a prior from the averaged weights of two checkpoints."""
    model, network = ContextModel(architecture), EnhancementNetwork(architecture)
    model.load_state_dict(averaged_weights(context))
    network.load_state_dict(averaged_weights(enhancement))
    with write_atomically(output) as file:
        file.write(packed(model, network))
