"""Augmentation: what it does to pixels, and that it depends on the seed and the image's place alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from pipeline.train.options.augment import Draws, augment, draw, transforms_of
from tests.fixtures.train import make_settings

EVERYTHING = {"augment": "flip_crop", "auto_augment": "rand", "color_jitter": 0.5}


def pixels(n: int, side: int = 16) -> Tensor:
    return torch.randint(0, 256, (n, side, side, 3), generator=torch.Generator().manual_seed(0)).byte()


def run(images: Tensor, seed: int = 0, **options: object) -> Tensor:
    settings = make_settings(**options)
    draws = draw(len(images), images.shape[1], settings, seed)
    return augment(images, draws, transforms_of(settings))


@pytest.mark.parametrize(
    "options",
    [
        {"augment": "flip"},
        {"augment": "crop"},
        {"augment": "flip_crop"},
        {"auto_augment": "trivial"},
        {"auto_augment": "rand"},
        {"color_jitter": 1.0},
        EVERYTHING,
    ],
    ids=str,
)
def test_augmentation_is_seeded_and_leaves_its_input_alone(options: dict[str, object]) -> None:
    images = pixels(48)
    before = images.clone()
    first = run(images, seed=7, **options)
    torch.manual_seed(99)
    assert torch.equal(first, run(images, seed=7, **options))
    assert not torch.equal(first, run(images, seed=8, **options))
    assert not torch.equal(first, images)
    assert first.shape == images.shape
    assert first.dtype == torch.uint8
    assert torch.equal(images, before)


def test_nothing_is_drawn_where_nothing_is_switched_on() -> None:
    images = pixels(4)
    assert draw(4, 16, make_settings(), 0) == Draws(None, None, None)
    assert run(images) is images


def test_a_part_of_a_batch_is_augmented_like_the_whole() -> None:
    settings = make_settings(**EVERYTHING)
    images, places = pixels(12), torch.tensor([11, 3, 4])
    draws, transforms = draw(12, 16, settings, 5), transforms_of(settings)
    whole = augment(images, draws, transforms)
    assert torch.equal(augment(images[places], draws.at(places), transforms), whole[places])


def test_the_generator_of_the_rest_of_the_step_is_not_touched() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run(pixels(4), **EVERYTHING)
    assert torch.equal(torch.rand(2), expected)


def test_flip_mirrors_about_half_of_the_images_and_changes_no_other() -> None:
    images = pixels(400, side=8)
    out = run(images, augment="flip")
    kept = (out == images).flatten(1).all(1)
    mirrored = (out == images.flip(2)).flatten(1).all(1)
    assert bool((kept ^ mirrored).all())
    assert 140 < int(mirrored.sum()) < 260


def test_crop_shifts_by_at_most_an_eighth() -> None:
    images = torch.zeros(200, 16, 16, 3, dtype=torch.uint8)
    images[:, 8, 8] = 255
    where = run(images, augment="crop")[..., 0].flatten(1).long().argmax(1)
    assert set((where // 16).tolist()) == set((where % 16).tolist()) == {6, 7, 8, 9, 10}


def test_crop_mirrors_the_border_like_torch() -> None:
    images = pixels(3)
    draws = Draws(torch.tensor([[0, 0], [4, 1], [2, 2]]), None, None)
    padded = torch.nn.functional.pad(images.permute(0, 3, 1, 2).float(), (2, 2, 2, 2), mode="reflect")
    for out, whole, (y, x) in zip(augment(images, draws, []), padded, [(0, 0), (4, 1), (2, 2)], strict=True):
        assert torch.equal(out.permute(2, 0, 1).float(), whole[:, y : y + 16, x : x + 16])


def test_each_image_draws_its_own_transform() -> None:
    same = pixels(1).expand(64, -1, -1, -1)
    assert len(torch.unique(run(same, auto_augment="trivial").flatten(1), dim=0)) > 20
    jittered = run(same, color_jitter=1.0).float().mean((1, 2))
    assert jittered.std(0).min() > 5, "levels of 255"


def test_the_named_transforms_are_torchvisions_with_the_published_proportions() -> None:
    trivial, jitter = transforms_of(make_settings(auto_augment="trivial", color_jitter=0.5))
    assert isinstance(trivial, v2.TrivialAugmentWide)
    assert isinstance(jitter, v2.ColorJitter)
    assert jitter.brightness == jitter.contrast == jitter.saturation == (0.6, 1.4)
    assert jitter.hue == (-0.1, 0.1)
