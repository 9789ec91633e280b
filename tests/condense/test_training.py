"""Training of classifiers: interruption, distillation, variation of images, statistics."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from pranc_codec.condense.experiment import Experiment
from pranc_codec.condense.statistics import measure_statistics
from pranc_codec.condense.tasks import task_of
from pranc_codec.condense.training import (
    TEACHERS_SHARE,
    TEMPERATURE,
    Training,
    adam,
    distillation,
    momentum,
    vary,
)
from pranc_codec.errors import InvalidArgument
from tests.condense.networks import small_network


class Interrupted(Exception):
    pass


def test_training_goes_on_as_if_never_interrupted(digits, task, tmp_path):
    recipe, reported = replace(task.full, epochs=2, mirror=True, shift=1, save_every_s=0), []

    def run(path, stop=None):
        torch.manual_seed(0)
        network = small_network()

        def progress(done, total, state):
            reported.append(done)
            if done == stop:
                raise Interrupted

        history = Training(network, momentum(network, recipe), digits, recipe).run(path, progress)
        return network, history

    whole, history = run(tmp_path / "whole.pt")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts.pt", stop=13)
    reported.clear()
    parts, again = run(tmp_path / "parts.pt")
    assert reported[0] == 13
    with pytest.raises(InvalidArgument, match="other settings"):
        Training(parts, momentum(parts, recipe), digits, replace(recipe, epochs=3)).run(
            tmp_path / "parts.pt", lambda *a: None
        )
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name])
    assert [h["validation_accuracy"] for h in history] == [h["validation_accuracy"] for h in again]


def test_distillation_is_the_labels_part_and_the_divergence():
    outputs, wanted = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(0))
    p, q = (torch.softmax(x.double() / TEMPERATURE, 1) for x in (wanted, outputs))
    divergence = (p * (p / q).log()).sum(1).mean() * TEMPERATURE**2
    expected = (1 - TEACHERS_SHARE) * 2 + TEACHERS_SHARE * float(divergence)
    found = distillation(torch.tensor(2.0), outputs, wanted)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(distillation(torch.tensor(0.0), wanted, wanted)) == pytest.approx(0, abs=1e-6)


def test_long_trainings_shift_images():
    short, long = (task_of("cifar10").with_epochs(epochs) for epochs in (10, 30))
    assert (short.full.shift, short.coefficients.shift) == (2, 0)
    assert (long.full.shift, long.coefficients.shift, long.tune.shift) == (4, 4, 4)
    assert task_of("mnist").with_epochs(30).full.shift == 0
    assert short.with_shift(1).coefficients.shift == 1


def test_bfloat16_trains_coefficients(digits, task, tmp_path):
    recipe = replace(task.coefficients, epochs=1, bfloat16=True)
    network = Experiment(
        task=task, dataset=digits, folder=tmp_path, progress=lambda name: lambda *a: None
    ).new_pranc("dense", 100)
    history = Training(network, adam(network, recipe), digits, recipe).run(
        tmp_path / "c.pt", lambda *a: None
    )
    assert history[0]["loss"] < 2.5
    assert network.coefficients().dtype == torch.float32


def test_shifts_and_mirrors_move_whole_images():
    recipe = replace(task_of("cifar10").full, mirror=True, shift=2)
    columns = torch.arange(8, dtype=torch.uint8).expand(50, 3, 8, 8)
    varied = vary(columns, recipe, torch.Generator().manual_seed(0))
    first = varied[:, 0, 0].int()
    assert torch.equal(varied, first[:, None, None].expand(50, 3, 8, 8).byte())
    steps = (first[:, 1:] - first[:, :-1]).sum(1)
    assert set(steps.sign().tolist()) == {-1, 1}
    assert steps.abs().min() >= 5


def test_statistics_are_those_of_training_images(digits):
    torch.manual_seed(0)
    network = small_network()
    network(torch.randn(8, 1, 8, 8))
    measure_statistics(network, digits)
    convolution, layer = network[0], network[1]
    images = digits.normalize(digits.train.images)
    with torch.no_grad():
        values = convolution(images).transpose(0, 1).flatten(1)
    torch.testing.assert_close(layer.running_mean, values.mean(1), atol=0.01, rtol=0.01)
    torch.testing.assert_close(layer.running_var, values.var(1), atol=0, rtol=0.05)
    assert layer.momentum == 0.1
    assert not layer.training
    measure_statistics(nn.Flatten(), digits)  # without normalization there is nothing to do
