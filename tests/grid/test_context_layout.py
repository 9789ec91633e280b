"""The order of the context model's inputs, written once and read by every form of the model."""

import pytest
import torch

from pranc_codec.grid import prior as priors
from pranc_codec.grid.blocks import PHASES
from pranc_codec.grid.context_layout import ContextLayout

LAYOUTS = [ContextLayout(colours=3, colour=colour) for colour in range(3)]


def test_shipped_weights_have_these_inputs():
    tensors = priors.plain().tensors
    for layout in LAYOUTS:
        assert tensors[f"context.0.{layout.colour}.first.weight"].shape[1] == layout.total
    assert [layout.total for layout in LAYOUTS] == [83, 107, 131]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_groups_lie_one_after_the_other(layout):
    spans = [layout.span(group) for group in layout.channels]
    assert [span.start for span in spans] == [0, *(span.stop for span in spans[:-1])]
    assert spans[-1].stop == layout.total
    assert layout.given == layout.span("own").start


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("phase_number", range(4))
def test_both_forms_know_the_same_inputs(layout, phase_number):
    """The mask of the float form and the list of the integer form."""
    channels = layout.known_channels(phase_number)
    assert len(set(channels)) == len(channels)
    masked = layout.known_mask()[phase_number].nonzero().flatten().tolist()
    assert sorted(channels) == masked
    assert len(channels) == layout.given + 6 * phase_number


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=str)
def test_the_integer_form_stores_bands_phase_by_phase(layout):
    """Maps that are stored in the order of coding, read by `known_channels`, are the float form's.

    Each map holds the number of its channel in the order of the weights."""
    by_weights = torch.arange(24)
    coded = torch.cat([by_weights[phase::4] for phase in PHASES])
    stored = torch.cat(
        [coded + 24 * other for other in range(layout.colour)]
        + [torch.arange(24 * layout.colour, layout.given), coded + layout.given]
    )
    for number in range(4):
        assert stored[: layout.own_span(number).start].tolist() == layout.known_channels(number)
        phase = stored[layout.own_span(number)] - layout.given
        assert (phase % 4 == PHASES[number]).all()


def test_a_group_is_never_left_out():
    layout = LAYOUTS[2]
    maps = {name: torch.zeros(1, n, 2, 2) for name, n in layout.channels.items()}
    earlier = [torch.zeros(1, 24, 2, 2)] * 2
    parts = layout.ordered(**(maps | dict(earlier=earlier)))
    assert sum(part.shape[1] for part in parts) == layout.total
