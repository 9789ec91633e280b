"""The grid profile: wavelet latents under an exact context model, and an enhancement network.

An image is decoded in this order:

    latent_stream     range-coded bytes -> integer latents, phase by phase,
    context_int       under the distributions that the context model says, in integers
    context_int_net     (its networks; `exact_conv` sums their products exactly)
    wavelet           latents * step -> opponent colours (`lifting`: one step along an axis)
    enhancement       plus the correction of a small network
    decode            all of it together, for the whole image or a window

For training and fitting, in floating point: `context`, `mixture` (distributions and their bits).
`blocks` holds what both forms share; `prior` loads the networks' trained weights.
"""
