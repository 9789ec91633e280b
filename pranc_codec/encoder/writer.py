"""Write a file from coded symbols: header, sections, alpha and metadata."""

from pranc_codec.errors import PrancError
from pranc_codec.format import bitstream
from pranc_codec.format.bitstream import Header
from pranc_codec.format.metadata import pack_alpha, pack_metadata
from pranc_codec.format.parameters import Parameters
from pranc_codec.format.sections import pack_sections
from pranc_codec.image import Picture


def assemble(
    picture: Picture, profile: str, seed: int, parameters: Parameters, sections: dict[int, bytes]
) -> bytes:
    """Assemble a whole file: header and sections, with the picture's alpha and metadata."""
    height, width, _ = picture.colours.shape
    sections = sections | extra_sections(picture)
    header = Header(
        profile=profile,
        mode=picture.mode,
        samples=picture.samples,
        width=width,
        height=height,
        seed=seed,
        sections=len(sections),
        parameters=parameters,
    )
    return bitstream.pack_header(header) + pack_sections(sections)


def extra_sections(picture: Picture) -> dict[int, bytes]:
    """Return the sections for the picture's alpha and metadata."""
    alpha = {} if picture.alpha is None else {bitstream.ALPHA: pack_alpha(picture.alpha)}
    return alpha | pack_metadata(picture.metadata)


def check_own_symbols(equal: bool) -> None:
    """Raise PrancError unless a file decodes to the symbols that were coded.

    equal: whether the decoded symbols equal the coded ones.
    """
    if not equal:
        raise PrancError("the file does not decode to its own symbols: please report this")
