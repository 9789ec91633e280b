"""The mlp profile: an image is one coordinate network, whose weights PRANC coefficients generate.

coordinate_network   a network with sine activations: (x, y) -> colours
decode               coefficients of a file -> network -> image
prior                the weights of a network whose coefficients are all zero
"""
