"""Statistics of batch normalization, computed again after a network has been trained."""

from typing import Final

import torch
from torch import nn

from pranc_codec.condense.datasets import Dataset
from pranc_codec.condense.training import EVALUATED_AT_ONCE, network_device

IMAGES: Final = 10_000
"""How many training images the statistics are computed from, always the same ones."""


@torch.no_grad()
def measure_statistics(network: nn.Module, dataset: Dataset) -> None:
    """Set the means and variances of batch normalization to those of the training images.

    Training leaves averages over its last batches, which are not what the finished network sees:
    those images were shifted, and the weights changed meanwhile, were not quantized yet and may
    have had lower precision. After Wu & Johnson, "Rethinking 'Batch' in BatchNorm", arXiv
    2105.07576, section 3. Leaves the network in evaluation mode if it has batch normalization.
    """
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    layers = [layer for layer in layers if layer.track_running_stats]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # averages all batches
        layer.train()
    images, device = dataset.train.images, network_device(network)
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:IMAGES]
    for batch in torch.split(chosen, EVALUATED_AT_ONCE):
        network(dataset.normalize(images[batch].to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
