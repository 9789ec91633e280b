"""Training of priors: `pranc train-prior`, and meta-learning for the mlp profile.

photographs      images of a folder, cut into random windows
examples         chooses the training data that the options ask for
symbols          windows with the symbols that the encoder would decide
fitted_windows   windows whose latents were fitted once, stored in a folder
context          trains the context model
enhancement      trains the enhancement network
pack_prior       writes both networks to the file of a prior
loop, step       a training loop that can be interrupted; one iteration on any device
options          options that these trainings share
meta_prior       a prior for the coordinate networks of the mlp profile, by Reptile
"""
