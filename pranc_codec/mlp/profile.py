"""The mlp profile's implementation of the decoder interface."""

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.entropy import range_coder
from pranc_codec.format.bitstream import Header
from pranc_codec.limits import Limits
from pranc_codec.mlp import coordinate_network, decode
from pranc_codec.profile import Contents, LayerInfo, Sections
from pranc_codec.view import View


class MlpDecoder:
    """Implements `profile.DecoderProfile`."""

    progressive = False

    def check_limits(self, header: Header, limits: Limits, pixels: int) -> None:
        decode.check_limits(header, limits, pixels)

    def most_halvings(self, header: Header) -> int:
        return min(header.width, header.height).bit_length() - 1

    def render(
        self, header: Header, sections: Sections, view: View, device: torch.device
    ) -> Float[Tensor, "h w colours"]:
        return decode.render(header, sections, view, device)

    def contents(self, header: Header, sections: Sections) -> Contents:
        names = [*(f"hidden {i + 1}" for i in range(header.mlp.depth)), "output"]
        sizes = coordinate_network.layer_sizes(decode.network_shape(header))
        symbols = decode.read_symbols(header, sections)
        layers = zip(names, sizes, symbols, header.mlp.layers, strict=True)
        return Contents(
            layers=tuple(
                LayerInfo(
                    name=name,
                    weights=size,
                    coefficients=len(s),
                    q_step=code.q_step,
                    row=code.row,
                    bits=range_coder.code_length_bits(s, code.row),
                    symbols=s,
                )
                for name, size, s, code in layers
            )
        )
