"""Sample random pixels that are spread evenly over an image."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


def sample_pixels(
    image: Shaped[Tensor, "h w c"], batch: int, generator: torch.Generator
) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points c"]]:
    """Sample about `batch` pixels as (coords, colours), one from each cell of a regular grid.

    Stratified sampling gives gradients of lower variance than independent pixels. An image with
    fewer pixels than `batch` is returned whole. uint8 samples become [0, 1].
    """
    index = stratified_index(image.shape[0], image.shape[1], batch, generator).to(image.device)
    h, w, c = image.shape
    y, x = index // w, index % w
    coords = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], dim=1)
    colours = image.reshape(-1, c)[index]
    return coords, colours / 255 if colours.dtype == torch.uint8 else colours


def stratified_index(h: int, w: int, batch: int, generator: torch.Generator) -> Tensor:
    """Return row-major indices of one random pixel in each of about `batch` equal cells."""
    if h * w <= batch:
        return torch.arange(h * w)
    cell = math.sqrt(h * w / batch)
    rows, columns = min(h, max(1, round(h / cell))), min(w, max(1, round(w / cell)))
    jitter = torch.rand(2, rows, columns, generator=generator)
    y = ((torch.arange(rows)[:, None] + jitter[0]) * (h / rows)).long().clamp_(max=h - 1)
    x = ((torch.arange(columns) + jitter[1]) * (w / columns)).long().clamp_(max=w - 1)
    return (y * w + x).reshape(-1)
