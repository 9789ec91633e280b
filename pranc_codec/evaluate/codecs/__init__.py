"""The codecs that an evaluation runs: their interface, the built-in ones, and their names."""

from pranc_codec.evaluate.codecs.codec import Codec, Setting, Settings, Sweep
from pranc_codec.evaluate.codecs.registry import codec_names, find_codec, parse_sweep

__all__ = ["Codec", "Setting", "Settings", "Sweep", "codec_names", "find_codec", "parse_sweep"]
