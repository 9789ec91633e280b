"""An image codec in which a network is fitted to each image and the network is the file.

>>> import pranc_codec
>>> data = pranc_codec.encode("photo.png", bpp=0.1)
>>> image = pranc_codec.decode(data)

Weights are PRANC weights (arXiv 2206.08464): prior + scale * basis(seed) @ coefficients. A file of
the mlp profile holds the seed and the coefficients of all weights; one of the grid profile, the
default, holds latents under a trained prior and coefficients of the network's offsets.
`import pranc_codec.pillow_plugin` teaches Pillow the format.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("pranc-codec")
