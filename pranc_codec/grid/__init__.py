"""The grid profile: wavelet latents under an exact context model, and an enhancement network.

An image is decoded in this order:

    latent_stream     range-coded bytes -> integer latents, phase by phase
    context_int       the context model in integers, which predicts the latents' distributions
    context_int_net     (its networks; `exact_conv` sums their products exactly)
    wavelet           latents * q_step -> opponent colours (`lifting`: along one axis)
    enhancement       a small network, whose correction is added
    decode            all of these together, for the whole image or a window

Training and fitting use floating point: `context` (the context model), `mixture` (distributions and
their bits). `context_layout` lists the inputs of both forms of the context model. `blocks` holds
operations that they share. `prior` loads the networks' trained weights.
"""
