"""What type checkers and editors see of the public names."""

from .analysis import Analysis as Analysis, analyze as analyze, inspect as inspect
from .decoder import (
    decode as decode,
    decode_array as decode_array,
)
from .encoder.encode import encode as encode
from .encoder.estimate import estimate_seconds as estimate_seconds
from .encoder.mlp.plan import MlpRule as MlpRule
from .encoder.request import Progress as Progress
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
from .format.bitstream import Header as Header
from .format.metadata import Metadata as Metadata
from .limits import Limits as Limits
from .pranc.model import (
    Counts as Counts,
    Pranc as Pranc,
)
from .pranc.module_tensors import normalization as normalization
from .profile import LayerInfo as LayerInfo, LevelInfo as LevelInfo

Rule = MlpRule

__version__: str
