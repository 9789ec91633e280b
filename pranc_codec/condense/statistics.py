"""Compute the statistics of batch normalization again after a network has been trained."""

from typing import Final

import torch
from torch import nn

from pranc_codec.condense.datasets import Dataset
from pranc_codec.condense.training import EVALUATED_AT_ONCE, network_device

IMAGES: Final = 10_000
"""Number of training images that the statistics are computed from; always the same images."""


@torch.no_grad()
def measure_statistics(network: nn.Module, dataset: Dataset) -> None:
    """Set the means and variances of batch normalization to those of the training images.

    Training leaves averages over its last batches, which differ from the statistics of the finished
    network: those images were shifted, and the weights were still changing, were not quantized and
    may have had lower precision. See Wu & Johnson, "Rethinking 'Batch' in BatchNorm", arXiv
    2105.07576, section 3. A network with batch normalization is left in evaluation mode.
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
