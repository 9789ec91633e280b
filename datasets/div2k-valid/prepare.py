"""Download or check the 100 images of DIV2K's validation set.

    python datasets/div2k-valid/prepare.py          download, check, unpack (449 MB)
    python datasets/div2k-valid/prepare.py ZIP      check and unpack your zip file
    python datasets/div2k-valid/prepare.py FOLDER   check the images in your folder

The SHA-256 is the one that TensorFlow Datasets publishes (url_checksums/div2k.txt).
"""

import sys
from pathlib import Path

from pranc_codec.evaluate.datasets import Archive, prepare

ARCHIVE = Archive(
    name="DIV2K validation",
    url="https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",
    sha256="20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
    file_bytes=448_993_893,
    images=100,
)

if __name__ == "__main__":
    sys.exit(prepare(ARCHIVE, sys.argv[1:], home=Path(__file__).resolve().parent))
