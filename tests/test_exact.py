"""The context model in integers: any routine, any strips, the same symbols; and its bounds."""

import platform

import numpy as np
import pytest
import torch
from skimage import data as skimage_data

from pranc_codec.entropy import mixture_coder
from pranc_codec.errors import CorruptBitstream
from pranc_codec.grid import (
    context_int,
    context_int_net,
    exact_conv,
    mixture,
    prior as priors,
    wavelet,
)
from pranc_codec.grid.blocks import PHASES, log_magnitude
from pranc_codec.grid.context import ContextModel
from pranc_codec.grid.context_layout import ContextLayout
from pranc_codec.grid.opponent import to_opponent
from pranc_codec.grid.wavelet import Pyramid
from pranc_codec.training.context import bpp_of
from pranc_codec.training.pack_prior import context_tensors
from pranc_codec.training.symbols import Batch

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def coefficients() -> Pyramid:
    """Wavelet coefficients of a part of a photograph, of odd sizes."""
    return coefficients_of(63, 95)


def coefficients_of(height: int, width: int) -> Pyramid:
    part = skimage_data.astronaut()[:height, 200 : 200 + width].copy()
    rgb = torch.from_numpy(part).permute(2, 0, 1)[None] / 255 - 0.5
    return wavelet.analyze(to_opponent(rgb))


def symbols_at(coefficients: Pyramid, q_step_code: int) -> Pyramid:
    return coefficients.map(lambda t: (t / 2 ** (q_step_code / 64)).round().to(torch.int32))


class Known:
    """Gives the symbols of a pyramid, as an encoder does, and keeps the distributions."""

    def __init__(self, symbols: Pyramid, size: tuple[int, int]) -> None:
        self.symbols = symbols
        self.masks = [wavelet.coded_mask(*below) for below in wavelet.sizes_below(*size)]
        self.seen: list[mixture_coder.Distributions] = []
        self.bits = 0.0

    def __call__(self, d: mixture_coder.Distributions, key: tuple[int, ...]) -> np.ndarray:
        level, colour, phase_number = key
        dy, dx = divmod(PHASES[phase_number], 2)
        part = self.symbols.bands[level][0, colour, :, dy::2, dx::2]
        symbols = part[self.masks[level][:, dy::2, dx::2]].numpy()
        self.seen.append(d)
        self.bits += float(mixture_coder.code_lengths_bits(symbols, d).sum(dtype=np.float64))
        return symbols


def run(symbols: Pyramid, q_step_code: int, *, size=(63, 95), **options) -> Known:
    known = Known(symbols, size)
    context = priors.plain().context(CPU)
    context_int.code_bands(context, symbols.approximation, size, q_step_code, known, **options)
    return known


def same(a: list[mixture_coder.Distributions], b: list[mixture_coder.Distributions]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(np.array_equal(x, y) for d, e in pairs for x, y in
               zip(vars(d).values(), vars(e).values(), strict=True))  # fmt: skip


def test_strips_and_threads_do_not_matter(coefficients):
    symbols = symbols_at(coefficients, -250)
    whole = run(symbols, -250)
    assert same(whole.seen, run(symbols, -250, strip_cells=60).seen)
    before = torch.get_num_threads()
    torch.set_num_threads(3 - before)
    try:
        assert same(whole.seen, run(symbols, -250).seen)
    finally:
        torch.set_num_threads(before)


def test_both_routines_form_the_same_sums(coefficients, monkeypatch):
    """Products with shifted maps, for devices without oneDNN, against its direct convolution."""
    symbols = symbols_at(coefficients, -250)
    ours = run(symbols, -250)
    assert exact_conv.direct_convolution() is not None or platform.machine() != "x86_64"
    monkeypatch.setattr(exact_conv, "direct_convolution", lambda: None)
    assert same(ours.seen, run(symbols, -250).seen)


def test_the_comparison_can_fail(coefficients):
    a, b = (symbols_at(coefficients, -250) for _ in range(2))
    b.bands[-1][0, 0, 0, 10, 10] += 40
    assert not same(run(a, -250).seen, run(b, -250).seen)


@pytest.mark.parametrize("size", [1, 3])
def test_sums_are_exact_at_the_bound(size):
    """Inputs and weights of the largest magnitudes that a prior may have."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-127, 128, (1, 110, 9, 12), generator=generator).float()
    w = torch.randint(-127, 128, (9, 110, size, size), generator=generator).float()
    wanted = torch.nn.functional.conv2d(x.double(), w.double(), padding=(0, size // 2))
    assert torch.equal(exact_conv.convolve(x, w).double(), wanted)
    assert torch.equal(exact_conv.convolve_by_products(x, w).double(), wanted)


def test_sums_that_could_be_inexact_are_refused():
    tensors = dict(priors.plain().tensors)
    layout = ContextLayout(colours=3, colour=0)
    network = context_int_net.phase_network_of(tensors, 0, layout, 0, CPU)
    assert network.first.shape[2:] == (3, 3)
    tensors["context.0.0.first.bias"] = tensors["context.0.0.first.bias"] + (1 << 24)
    with pytest.raises(CorruptBitstream, match="16777216 up to which they are exact"):
        context_int_net.phase_network_of(tensors, 0, layout, 0, CPU)


@pytest.mark.parametrize("q_step_code", [-130, -250, -400])
def test_integers_and_floats_are_one_model(q_step_code):
    """Rates within half a percent of each other."""
    symbols = symbols_at(coefficients_of(128, 192), q_step_code)
    integers = run(symbols, q_step_code, size=(128, 192)).bits
    batch = Batch(
        opponent=torch.zeros(1, 3, 128, 192),
        symbols=symbols.map(torch.Tensor.float),
        log2_q_step=torch.tensor([q_step_code / 64]),
    )
    with torch.no_grad():
        floats = float(bpp_of(priors.plain().float_context(), batch)) * 128 * 192
    assert integers == pytest.approx(floats, rel=0.005)


def test_packing_a_model_gives_its_integers_back():
    prior = priors.plain()
    again = context_tensors(prior.float_context())
    assert all(torch.equal(prior.tensors[name], tensor) for name, tensor in again.items())


def test_log_integers_round_as_the_text_says():
    x = torch.arange(-70_000, 70_000, 7)[None, None, None]
    for bits in (0, context_int.FRACTION_BITS):
        signed, magnitude = context_int.log_integers(x, bits)[0].long()
        wanted = torch.round(16 * log_magnitude(x[0, 0].double() / 2**bits)).clamp(max=127).long()
        assert torch.equal(magnitude, wanted)
        assert torch.equal(signed, wanted * x[0, 0].sign())


def test_a_step_does_not_look_ahead():
    """Outputs of a step depend on no symbol that is coded later, in the training form too."""
    torch.manual_seed(0)
    model = ContextModel()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.1)
    bands = torch.randint(-3, 4, (1, 3, 3, 8, 8)).float()
    approximation, step = torch.zeros(1, 3, 8, 8), torch.tensor([-3.0])

    def outputs(symbols: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.level(symbols, approximation, None, None, step, 0)

    before = outputs(bands)
    for colour in range(3):
        for step_number, phase in enumerate(PHASES):
            changed = bands.clone()
            changed[:, colour, :, phase // 2 :: 2, phase % 2 :: 2] += 2
            differs = (outputs(changed) != before).any(3).any(2)[0]
            places = differs.view(3, 4, 2, 4, 2).permute(0, 2, 4, 1, 3).flatten(3).any(3)
            late = {(c, 2 * y + x) for c, y, x in places.nonzero().tolist()}
            later = {(colour, p) for p in PHASES[step_number + 1 :]}
            assert late <= later | {(c, p) for c in range(colour + 1, 3) for p in PHASES}
            assert later <= late


def test_masks_know_what_was_coded():
    layout = ContextLayout(colours=3, colour=1)
    known = layout.known_mask()
    assert [int(known[number].sum()) - layout.given for number in range(4)] == [0, 6, 12, 18]


def test_density_is_a_distribution():
    outputs = torch.tensor([[0.7], [1.3], [-0.4]])
    symbols = torch.arange(-400, 401).float()
    bits = mixture.bits(symbols, outputs.expand(3, 801))
    assert float(torch.exp2(-bits).sum()) == pytest.approx(1, abs=1e-3)


def test_derivatives_of_the_bits_are_autograds():
    torch.manual_seed(0)
    outputs, symbols = 2 * torch.randn(3, 5000), 8 * torch.randn(5000)
    exact_bits, exact_derivatives = bits_and_derivatives_by_autograd(
        symbols.double(), outputs.double()
    )
    bits, derivatives = mixture.bits_and_derivatives(
        symbols.double(), mixture.mixture_of(outputs.double())
    )
    torch.testing.assert_close(bits, exact_bits)
    torch.testing.assert_close(derivatives, exact_derivatives)
    # in float32 as near to that as autograd's
    theirs = bits_and_derivatives_by_autograd(symbols, outputs)
    ours = mixture.bits_and_derivatives(symbols, mixture.mixture_of(outputs))
    for one, other, exactly in zip(ours, theirs, (exact_bits, exact_derivatives), strict=True):
        assert (one - exactly).abs().mean() < 1.5 * (other - exactly).abs().mean()


def bits_and_derivatives_by_autograd(
    symbols: torch.Tensor, outputs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    symbols.requires_grad_()
    bits = mixture.bits(symbols, outputs)
    (derivatives,) = torch.autograd.grad(bits.sum(), symbols)
    return bits.detach(), derivatives
