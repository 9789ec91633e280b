"""The latents of a file as one stream."""

import numpy as np

from pranc_codec.entropy.range_coder import Decoder, Encoder
from pranc_codec.grid import latent_stream


def test_low_band_round_trip():
    approximation = np.random.default_rng(0).integers(-9000, 9000, (3, 4, 6)).astype(np.int32)
    encoder_ = Encoder()
    latent_stream.pack_approximation(encoder_, approximation, (3, 40, 60))
    decoder_ = Decoder(encoder_.finish())
    np.testing.assert_array_equal(
        latent_stream.unpack_approximation(decoder_, (4, 6), (3, 40, 60)), approximation
    )
