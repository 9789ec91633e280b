"""Codecs that an evaluation runs: what a codec is, which there are, how they are found by name."""

from pranc_codec.evaluate.codecs.codec import Codec, Setting, Settings, Sweep
from pranc_codec.evaluate.codecs.registry import codec_names, find_codec, parse_sweep

__all__ = ["Codec", "Setting", "Settings", "Sweep", "codec_names", "find_codec", "parse_sweep"]
