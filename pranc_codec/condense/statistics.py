"""Statistics of batch normalization, measured anew once a network's weights stand still."""

from typing import Final

import torch
from torch import nn

from pranc_codec.condense.datasets import Dataset
from pranc_codec.condense.training import EVALUATED_AT_ONCE, device_of

IMAGES: Final = 10_000
"""Training images that the statistics are of, drawn once."""


@torch.no_grad()
def measure_statistics(network: nn.Module, dataset: Dataset) -> None:
    """Set the means and variances of batch normalization to those of training images.

    What training leaves is an average over its last batches: of images that were moved, under
    weights that changed and were not quantized yet, in lower precision. After Wu & Johnson,
    "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576, section 3.
    """
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    layers = [layer for layer in layers if layer.track_running_stats]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the average of all batches
        layer.train()
    images, device = dataset.train.images, device_of(network)
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:IMAGES]
    for batch in torch.split(chosen, EVALUATED_AT_ONCE):
        network(dataset.normalize(images[batch].to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
