"""The mlp profile: one coordinate network whose weights are PRANC coefficients, and nothing else.

coordinate_network   (x, y) -> colours, a sine network
decode               coefficients of a file -> network -> image
prior                the weights that coefficients of zero give
"""
