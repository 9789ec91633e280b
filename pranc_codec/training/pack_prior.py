"""Pack trained networks of the grid profile into the prior that ships.

python -m pranc_codec.training.pack_prior context.pt synthesis.pt grid.safetensors
"""

from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from pranc_codec.files import write_atomically
from pranc_codec.grid.context import UNIT, ColourContext, ContextModel, shifts_of
from pranc_codec.grid.enhancement import SynthesisNetwork
from pranc_codec.training.loop import averaged_weights


def context_tensors(model: ContextModel) -> dict[str, Tensor]:
    """The context model in integers, as `exact` reads it; inverse: `GridPrior.float_context`."""
    return {
        f"context.{name.removeprefix('networks.')}.{part}": tensor
        for name, network in model.named_modules()
        if isinstance(network, ColourContext)
        for part, tensor in colour_tensors(network).items()
    }


@torch.no_grad()
def colour_tensors(network: ColourContext) -> dict[str, Tensor]:
    """Integer weights, shifts and biases of one colour's network."""
    network.rounded = False
    weights = network.weights()
    out = {}
    for name, shift in shifts_of(weights).items():
        unit = torch.exp2(-shift)
        integers = (weights[name] / unit[:, None, None, None]).round()
        out[f"{name}.weight"] = integers.to(torch.int8)
        if name == "direct":
            continue
        bias: Tensor = getattr(network, name).bias
        out[f"{name}.shift"] = shift.to(torch.uint8)
        out[f"{name}.bias"] = (bias / (unit * UNIT)).round().to(torch.int32)
    return out


def main(context: Path, synthesis: Path, output: Path) -> None:
    """Write the prior from two checkpoints' averaged weights."""
    model, network = ContextModel(), SynthesisNetwork()
    model.load_state_dict(averaged_weights(context))
    network.load_state_dict(averaged_weights(synthesis))
    tensors = context_tensors(model)
    for name, p in network.state_dict().items():
        tensors[f"synthesis.{name}"] = p.half().contiguous()
    with write_atomically(output) as file:
        file.write(save({name: t.contiguous() for name, t in tensors.items()}))


if __name__ == "__main__":
    import typer

    typer.run(main)
