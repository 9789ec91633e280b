"""Condense classifiers, and compare them with magnitude pruning at equal bytes.

command      the work of `pranc condense`     options      its options
experiment   runs trainings, and writes their files and results
tasks        networks, data sets, and settings of their trainings
models       the networks                    datasets     readers of MNIST and CIFAR-10
training     a training that resumes         statistics   batch normalization after training
pruning      magnitude pruning               results      results as table and plot
"""
