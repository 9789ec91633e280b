"""Download or check the 41 images of CLIC 2020's professional validation set.

    python datasets/clic-professional-valid/prepare.py          download, check, unpack (135 MB)
    python datasets/clic-professional-valid/prepare.py ZIP      check and unpack your zip file
    python datasets/clic-professional-valid/prepare.py FOLDER   check the images in your folder

The SHA-256 is the one that TensorFlow Datasets publishes (url_checksums/clic.txt).
"""

import sys
from pathlib import Path

from pranc_codec.evaluate.datasets import Archive, prepare

ARCHIVE = Archive(
    name="CLIC professional validation",
    url="https://data.vision.ee.ethz.ch/cvl/clic/professional_valid_2020.zip",
    sha256="00be38092ade2ab5163b65f7f6523d46c7bca147007f559adbb02c0afc236b7d",
    file_bytes=134_834_429,
    images=41,
)

if __name__ == "__main__":
    sys.exit(prepare(ARCHIVE, sys.argv[1:], home=Path(__file__).resolve().parent))
