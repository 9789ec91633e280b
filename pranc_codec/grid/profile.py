"""The grid profile's implementation of the decoder interface."""

import torch
from jaxtyping import Float
from torch import Tensor

from pranc_codec.format.bitstream import Header
from pranc_codec.grid import analysis, decode
from pranc_codec.limits import Limits
from pranc_codec.profile import Contents, Sections
from pranc_codec.view import View


class GridDecoder:
    """Implements `profile.DecoderProfile`."""

    progressive = True

    def check_limits(self, header: Header, limits: Limits, pixels: int) -> None:
        decode.check_limits(header, limits, pixels)

    def most_halvings(self, header: Header) -> int:
        return decode.most_halvings(header)

    def render(
        self, header: Header, sections: Sections, view: View, device: torch.device
    ) -> Float[Tensor, "h w colours"]:
        return decode.render(header, sections, view, device)

    def contents(self, header: Header, sections: Sections) -> Contents:
        return analysis.contents_of(header, sections)
