"""What type checkers and editors see of the public names."""

from .analysis import (
    Analysis as Analysis,
    LayerInfo as LayerInfo,
    LevelInfo as LevelInfo,
    analyze as analyze,
    inspect as inspect,
)
from .bitstream import Header as Header
from .decoder import (
    decode as decode,
    decode_array as decode_array,
)
from .encoder.duration import estimate_seconds as estimate_seconds
from .encoder.encode import encode as encode
from .encoder.job import Progress as Progress
from .encoder.plan import Rule as Rule
from .errors import (
    BitstreamError as BitstreamError,
    CorruptBitstream as CorruptBitstream,
    EncodingCancelled as EncodingCancelled,
    InvalidArgument as InvalidArgument,
    LimitExceeded as LimitExceeded,
    ModelMismatch as ModelMismatch,
    NotPranc as NotPranc,
    PrancError as PrancError,
    TargetUnreachable as TargetUnreachable,
    TruncatedBitstream as TruncatedBitstream,
    UnsupportedVersion as UnsupportedVersion,
)
from .image import Metadata as Metadata
from .limits import Limits as Limits
from .owners import normalization as normalization
from .pranc import (
    Counts as Counts,
    Pranc as Pranc,
)

__version__: str
