"""Condensing classifiers: trainings, their files, and magnitude pruning at equal bytes.

command      what `pranc condense` runs, in which order
experiment   one training after the other, their files and results
tasks        networks, data sets and how they are trained
models       the networks                    datasets     readers of MNIST and CIFAR-10
training     a training that resumes         statistics   batch normalization after training
pruning      magnitude pruning, the rival    results      results as table and plot
"""
