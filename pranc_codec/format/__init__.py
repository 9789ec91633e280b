"""The bytes of a .pranc file: header, parameters of the profiles, sections, metadata.

bitstream    the specification of the format; packs and unpacks headers
header       the dataclass of a header
parameters   the profiles' parts of the header
sections     framing and checksums of the sections, which follow the header
metadata     alpha, ICC profile, EXIF and XMP as sections
fields       fixed-width integers and varints
"""

from pranc_codec.format.bitstream import SIGNATURE, VERSION, Header, pack_header, unpack_header

__all__ = ["SIGNATURE", "VERSION", "Header", "pack_header", "unpack_header"]
