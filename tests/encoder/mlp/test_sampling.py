"""Random pixels: one in each cell, and their coordinates and colours belong together."""

import torch

from pranc_codec.encoder.mlp.sampling import sample_pixels, stratified_index


def test_there_is_one_pixel_in_each_cell():
    h, w, batch = 60, 90, 54  # cells of 10x10
    index = stratified_index(h, w, batch, torch.Generator().manual_seed(0))
    cells = torch.stack([index // w // 10, index % w // 10], 1)
    assert len(index) == 54
    assert len(cells.unique(dim=0)) == 54


def test_all_pixels_of_a_cell_are_drawn():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([stratified_index(6, 6, 4, generator) for _ in range(300)])
    counts = torch.bincount(drawn, minlength=36)
    assert counts.min() > 0
    assert counts.max() < 3 * counts.float().mean()


def test_a_small_image_is_returned_whole():
    index = stratified_index(4, 5, 20, torch.Generator())
    assert index.tolist() == list(range(20))


def test_coordinates_and_colours_are_of_the_same_pixels():
    """The image says where it is: red is x, green is y, of pixel centres in [-1, 1]."""
    h, w = 31, 47
    x, y = (2 * torch.arange(w) + 1) / w - 1, (2 * torch.arange(h) + 1) / h - 1
    image = torch.stack([x.expand(h, w), y[:, None].expand(h, w)], -1)
    coords, colours = sample_pixels(image, 100, torch.Generator().manual_seed(1))
    assert len(coords) > 80
    torch.testing.assert_close(coords, colours)


def test_bytes_become_numbers_between_0_and_1():
    image = torch.full((3, 3, 1), 255, dtype=torch.uint8)
    assert sample_pixels(image, 100, torch.Generator())[1].unique().tolist() == [1.0]
