"""Decoding of the grid profile: header and sections -> symbols -> pixels.

    symbols     integers on the wavelet's grids, coded (`mixture_coder`) under the distributions
                that the context model gives (`context_int`)
    linear      the inverse wavelet of symbols * q_step: opponent colours around mid-grey
    enhanced    linear, plus the correction of the enhancement network (`reconstruct`)

A grey picture is treated as RGB with three equal channels: its chroma symbols are zero and not
coded, and its decoded samples are the mean of the three channels.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.entropy import range_coder
from pranc_codec.entropy.range_coder import Integers
from pranc_codec.errors import CorruptBitstream, InvalidArgument
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.parameters import GridParameters
from pranc_codec.grid import prior as priors, wavelet
from pranc_codec.grid.enhancement import BIAS_SCALE, EnhancementNetwork, generated_biases
from pranc_codec.grid.latent_stream import PrefixGuard, read_pyramid
from pranc_codec.grid.opponent import colours_of
from pranc_codec.grid.prior import GridPrior
from pranc_codec.grid.reconstruct import reconstruct
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.limits import Limits, refuse
from pranc_codec.pranc.model import Pranc
from pranc_codec.view import View, window_of

MACS_PER_PIXEL: Final = 110_000
"""Approximate number of multiplications of both networks together, for limits."""
LARGEST_SIDE: Final = 65535


def check_limits(header: Header, limits: Limits, pixels: int) -> None:
    """Refuse a file that would cost too much.

    pixels: number of pixels that are shown. It does not matter here, because the whole image is
    always decoded.
    """
    if max(header.width, header.height) > LARGEST_SIDE:
        raise CorruptBitstream(
            f"{header.width}x{header.height} has a side beyond the grid profile's {LARGEST_SIDE}"
        )
    refuse("multiplications", MACS_PER_PIXEL * header.pixels, limits.max_macs)
    _check_coefficients(priors.load(header.grid.prior), header.grid.k)


def render(
    header: Header, sections: dict[int, bytes], view: View, device: torch.device
) -> Float[Tensor, "h w colours"]:
    """Return the samples of a view, not clipped.

    The image is resampled unless the view has its own size.
    """
    own = (header.height, header.width)
    levels = levels_shown(header, view)
    missing = wavelet.levels_of(*own) - levels
    network = network_of(header, sections, device)
    pyramid = _pyramid_of(header, sections, device, levels, prefix=view.prefix)
    size = wavelet.halved(*own, missing)
    q_step = header.grid.q_step / wavelet.approximation_gain(*own, missing)
    if missing == view.reduce and view.size == size[::-1]:
        left, top, right, bottom = view.region
        opponent = reconstruct(pyramid, network, size, q_step, rows_shown=(top, bottom))
        samples = colours_of(opponent, header.colours)[:, :, left:right]
    else:
        opponent = reconstruct(pyramid, network, size, q_step)
        for number in range(missing - 1, view.reduce - 1, -1):
            opponent = wavelet.enlarge(opponent[None], wavelet.halved(*own, number))[0]
        whole = colours_of(opponent, header.colours).cpu().numpy()
        planes = [window_of(plane, view.size, view.region) for plane in whole]
        samples = torch.from_numpy(np.stack(planes))
    return samples.permute(1, 2, 0)


def levels_shown(header: Header, view: View) -> int:
    """Return how many levels a view needs: all, or fewer for a reduced or a softer picture."""
    most = wavelet.levels_of(header.height, header.width)
    if view.reduce > most:
        raise InvalidArgument(f"reduce {view.reduce} is more than the {most} levels of this image")
    return min(most - view.reduce, most if view.levels is None else view.levels)


def most_halvings(header: Header) -> int:
    """Return how often `decode(reduce=)` may halve the image of a file."""
    return wavelet.levels_of(header.height, header.width)


def _pyramid_of(
    header: Header, sections: dict[int, bytes], device: torch.device, levels: int, *, prefix: bool
) -> Pyramid:
    """Read the symbols of the coarsest levels.

    prefix: whether the latents may be cut off after these levels. Then damaged bytes cannot be told
    from missing ones.
    """
    if not prefix:
        return read_pyramid(header, sections, device, levels=levels)
    guard = PrefixGuard(header, sections[bitstream.LATENTS])
    try:
        return read_pyramid(header, sections, device, levels=levels, observer=guard)
    except CorruptBitstream as error:
        raise guard.refusal() from error


def network_of(
    header: Header, sections: dict[int, bytes], device: torch.device
) -> EnhancementNetwork:
    """Return a file's enhancement network: the prior's, with biases changed by coefficients."""
    p = header.grid
    if not p.k:
        return priors.load(p.prior).enhancement().to(device)
    network = build_network(p.prior, p.k, header.seed)
    generated_biases(network).set_coefficients(read_coefficients(p, sections))
    return network.to(device)


def build_network(prior: int, k: int, seed: int) -> EnhancementNetwork:
    """Build the enhancement network of a prior with k coefficients for its biases, all zero.

    Raises CorruptBitstream if k is more than there are biases.
    """
    loaded = priors.load(prior)
    _check_coefficients(loaded, k)
    network = loaded.enhancement()
    shipped = {name: p.detach() for name, p in network.biases.named_parameters()}
    network.biases = Pranc(
        network.biases, coefficients=k, seed=seed, prior=shipped,
        scales={"values": BIAS_SCALE}, cache=True,
    )  # fmt: skip
    return network


def _check_coefficients(prior: GridPrior, k: int) -> None:
    if k > prior.biases_count:
        raise CorruptBitstream(f"{k} coefficients are more than the {prior.biases_count} biases")


def read_coefficient_symbols(p: GridParameters, sections: dict[int, bytes]) -> Integers:
    """Decode the symbols of the enhancement network's coefficients."""
    assert p.layer is not None
    groups = [(p.k, p.layer.row)]
    return range_coder.decode_canonical_symbols(sections[bitstream.SYMBOLS], groups)[0]


def read_coefficients(p: GridParameters, sections: dict[int, bytes]) -> Float[Tensor, " k"]:
    """Decode the enhancement network's coefficients."""
    assert p.layer is not None
    symbols = read_coefficient_symbols(p, sections).astype(np.float32)
    return torch.from_numpy(symbols) * p.layer.q_step
