"""JPEG codecs that misbehave or tell about their process, in a module that workers can import."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from pranc_codec.evaluate import Settings, find_codec

JPEG: Final = find_codec("jpeg")
ROOT: Final = Path(__file__).parents[3]


def encode_with_faults(image: Image.Image, settings: Settings) -> bytes:
    """Raise at quality 2, end the process at 3 and hang at 4."""
    if settings["quality"] == 2:
        raise RuntimeError("quality 2 is not my thing")
    if settings["quality"] == 3:
        os._exit(33)
    if settings["quality"] == 4:
        time.sleep(600)
    return JPEG.encode(image, settings)


def encode_with_process_number(image: Image.Image, settings: Settings) -> bytes:
    """Append as many bytes to a JPEG file as this process's number says."""
    return JPEG.encode(image, {"quality": 50}) + bytes(os.getpid())


def encode_with_megabytes(image: Image.Image, settings: Settings) -> bytes:
    """Encode after filling as many megabytes as the settings say."""
    megabytes = settings["megabytes"]
    assert isinstance(megabytes, int)
    np.ones(megabytes * 10**6, np.uint8).sum()
    return JPEG.encode(image, {"quality": 50})


def encode_slowly(image: Image.Image, settings: Settings) -> bytes:
    """Encode after the seconds that ENCODING_DELAY_S says, so that a run can be stopped."""
    time.sleep(float(os.environ.get("ENCODING_DELAY_S", "0")))
    return JPEG.encode(image, settings)


FAULTY: Final = replace(JPEG, encode=encode_with_faults)
TELLING: Final = replace(JPEG, name="telling", encode=encode_with_process_number)
HUNGRY: Final = replace(JPEG, name="hungry", parameter="megabytes", encode=encode_with_megabytes)
SLOW: Final = replace(JPEG, name="slow", encode=encode_slowly)
