from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch
from torch import nn

from targets import DATA, InputError, load
from targets.data import Split
from targets.models import SmallCNN
from targets.resnet import ResNet
from targets.training import Recipe, augmented, has_bfloat16, noisy, train
from targets.weights import module_digest

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def split() -> Split:
    everything = DATA["digits"].split("train")
    return Split(everything.images[:320], everything.labels[:320])


def trained(split: Split, *, seed: int = 0, sigma: float = 0.25, epochs: int = 2) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(3)
    losses: list[float] = []
    module = train(
        SmallCNN(),
        split,
        sigma,
        Recipe(epochs=epochs, batch=8),
        seed=seed,
        progress=lambda _, loss: losses.append(loss),
    )
    return module, losses


def loss_of(module: nn.Module, split: Split) -> float:
    with torch.no_grad():
        return float(nn.functional.cross_entropy(module(split.images), split.labels))


def test_two_epochs_lower_the_loss(split):
    torch.manual_seed(3)
    before = loss_of(SmallCNN().eval(), split)
    module, losses = trained(split)
    assert len(losses) == 2
    assert losses[1] < losses[0] - 0.1
    assert loss_of(module, split) < 0.9 * before
    assert not module.training


def test_training_is_deterministic(split):
    digest = module_digest(trained(split)[0])
    assert module_digest(trained(split)[0]) == digest
    assert module_digest(trained(split, seed=1)[0]) != digest
    assert module_digest(trained(split, sigma=0.5)[0]) != digest


def test_progress_counts_the_epochs(split):
    epochs: list[int] = []
    train(SmallCNN(), split, 0.25, Recipe(epochs=3), progress=lambda epoch, _: epochs.append(epoch))
    assert epochs == [0, 1, 2]


def test_noise_is_added_and_not_clipped():
    images = torch.full((50, 1, 8, 8), 0.5)
    result = noisy(images, 0.7, torch.Generator().manual_seed(4))
    expected = 0.5 + 0.7 * torch.randn(images.shape, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(result, expected)
    assert result.min() < -1
    assert result.max() > 2
    assert noisy(images, 0, torch.Generator()) is images


@pytest.mark.parametrize(("sigma", "floor"), [("0.12", 0.93), ("0.25", 0.94), ("0.50", 0.88), ("1.00", 0.70)])
def test_the_shipped_targets_reach_their_accuracy(sigma, floor):
    evaluation = DATA["digits"].split("evaluation")
    labels = load(f"digits-sigma{sigma}", "cpu").predict(evaluation.images, n=200)
    assert (labels == evaluation.labels.numpy()).mean() >= floor


def by_hand(split: Split, sigma: float, recipe: Recipe, seed: int) -> nn.Module:
    """Plain training as it always was: what neither crops, mirrors, halves precision nor resumes."""
    module, generator = SmallCNN(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        module.parameters(), lr=recipe.learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    steps = -(-len(split.images) // recipe.batch) * recipe.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.learning_rate, total_steps=steps)
    module.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(split.images), generator=generator)
        for start in range(0, len(order), recipe.batch):
            rows = order[start : start + recipe.batch]
            images = split.images[rows]
            images = images + sigma * torch.randn(images.shape, generator=generator)
            loss = nn.functional.cross_entropy(module(images), split.labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return module.eval()


def test_a_recipe_that_asks_for_nothing_more_trains_as_it_always_did(split):
    recipe = Recipe(epochs=3, batch=48)
    torch.manual_seed(3)
    expected = by_hand(split, 0.25, recipe, seed=2)
    torch.manual_seed(3)
    assert module_digest(train(SmallCNN(), split, 0.25, recipe, seed=2)) == module_digest(expected)


# Resuming.

PLAIN = Recipe(epochs=4, batch=16)
RECIPES = {
    "plain": PLAIN,
    "augmented": dataclasses.replace(PLAIN, crop=2, flip=True),
    "bfloat16": dataclasses.replace(PLAIN, crop=1, flip=True, bfloat16=True),
}


class Killed(BaseException):
    """What stops a training in the middle."""


class Mortal(ResNet):
    """Dies at its n-th forward pass."""

    def __init__(self, lives: int = 10**6) -> None:
        super().__init__(8, (1, 8, 8))
        self.lives = lives

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.lives -= 1
        if self.lives < 0:
            raise Killed
        return super().forward(images)


def fit(split: Split, recipe: Recipe, *, lives: int = 10**6, init: int = 3, **options: Any) -> nn.Module:
    torch.manual_seed(init)
    part = Split(split.images[:72], split.labels[:72])
    return train(Mortal(lives), part, options.pop("sigma", 0.25), recipe, **options)


def weights(module: nn.Module) -> str:
    """The digest of a network that has lived as long as any other."""
    module.lives = 0  # type: ignore[assignment]
    return module_digest(module)


@pytest.mark.parametrize("name", RECIPES)
def test_killed_and_resumed_it_ends_with_the_same_weights(name, split, tmp_path, monkeypatch):
    monkeypatch.setattr("targets.training.has_bfloat16", lambda device: True)  # slow without, but as exact
    recipe, path = RECIPES[name], tmp_path / "t.checkpoint"
    whole = weights(fit(split, recipe))
    held: list[int] = []
    steps = 5  # an epoch has 72 images in batches of 16
    for lives in (3, steps + 2, 0, 2 * steps, 1):  # in the first epoch, the second, at once, between two, in the last
        with pytest.raises(Killed):
            fit(
                split, recipe, lives=lives, init=len(held) if path.exists() else 3, checkpoint=path, resumed=held.append
            )
    epochs: list[int] = []
    module = fit(
        split, recipe, init=99, checkpoint=path, resumed=held.append, progress=lambda epoch, _: epochs.append(epoch)
    )
    assert held == [0, 0, 1, 1, 3, 3]
    assert epochs == [3]
    assert weights(module) == whole
    assert weights(fit(split, recipe, init=100, checkpoint=path)) == whole  # all epochs are held
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.checkpoint"]


def test_the_recipes_differ(split, monkeypatch):
    monkeypatch.setattr("targets.training.has_bfloat16", lambda device: True)
    only = [PLAIN, *(dataclasses.replace(PLAIN, **one) for one in ({"crop": 1}, {"flip": True}, {"bfloat16": True}))]
    assert len({module_digest(fit(split, recipe)) for recipe in only}) == 4
    monkeypatch.setattr("targets.training.has_bfloat16", lambda device: False)
    assert module_digest(fit(split, only[3])) == module_digest(fit(split, PLAIN))


def test_a_checkpoint_changes_nothing(split, tmp_path):
    assert module_digest(fit(split, PLAIN, checkpoint=tmp_path / "c")) == module_digest(fit(split, PLAIN))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"sigma": 0.5}, "sigma 0.25, not 0.5"),
        ({"seed": 7}, "seed 0, not 7"),
        ({"recipe": dataclasses.replace(PLAIN, crop=4, epochs=5)}, "epochs 4, not 5, crop 0, not 4"),
        ({"recipe": RECIPES["bfloat16"]}, "crop 0, not 1, flip False, not True, bfloat16 False, not True"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(other, difference, split, tmp_path):
    path = tmp_path / "c.checkpoint"
    with pytest.raises(Killed):
        fit(split, PLAIN, lives=7, checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(InputError) as caught:
        fit(split, other.pop("recipe", PLAIN), checkpoint=path, **other)
    assert str(caught.value) == (
        f"the checkpoint {path} is of another training ({difference}); delete it to begin anew"
    )
    assert path.read_bytes() == content


def test_a_checkpoint_of_another_number_of_images_or_another_network_is_refused(split, tmp_path):
    path = tmp_path / "c.checkpoint"
    fit(split, PLAIN, checkpoint=path)
    with pytest.raises(InputError, match=r"is of another training \(images 72, not 320\)"):
        train(Mortal(), split, 0.25, PLAIN, checkpoint=path)
    part = Split(split.images[:72], split.labels[:72])
    with pytest.raises(InputError, match="is of another architecture; delete it to begin anew"):
        train(SmallCNN(), part, 0.25, PLAIN, checkpoint=path)


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_damaged_checkpoint_is_refused(damage, split, tmp_path):
    path = tmp_path / "c.checkpoint"
    fit(split, PLAIN, checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}[damage])
    with pytest.raises(InputError, match=rf"^the checkpoint {path} is damaged; delete it to begin anew$"):
        fit(split, PLAIN, checkpoint=path)


@pytest.mark.parametrize("content", [[1, 2], {"arch": "cifar_resnet20", "state_dict": {}}])
def test_another_kind_of_file_is_refused(content, split, tmp_path):
    path = tmp_path / "c.checkpoint"
    torch.save(content, path)
    with pytest.raises(InputError, match="is no checkpoint of a training; delete it to begin anew"):
        fit(split, PLAIN, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written(split, tmp_path):
    with pytest.raises(
        InputError, match=r"^cannot write .*c\.checkpoint: No such file or directory; make room or choose"
    ):
        fit(split, PLAIN, checkpoint=tmp_path / "gone" / "c.checkpoint")


# Augmentation.


def moves(image: torch.Tensor, crop: int) -> dict[tuple[int, int, bool], torch.Tensor]:
    """Every way in which one image (C, H, W) can be cropped and mirrored, pixel by pixel."""
    _, height, width = image.shape
    found = {}
    for top, left, mirrored in itertools.product(range(2 * crop + 1), range(2 * crop + 1), (False, True)):
        moved = torch.zeros_like(image)
        for row, column in itertools.product(range(height), range(width)):
            y, x = row + top - crop, column + left - crop
            if 0 <= y < height and 0 <= x < width:
                moved[:, row, width - 1 - column if mirrored else column] = image[:, y, x]
        found[top, left, mirrored] = moved
    return found


def test_each_image_is_cropped_and_mirrored_in_its_own_way():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(300, 2, 4, 5, generator=generator)
    result = augmented(images, Recipe(crop=1, flip=True), generator)
    assert result.shape == images.shape
    ways = []
    for image, moved in zip(images, result, strict=True):
        fitting = [way for way, expected in moves(image, 1).items() if torch.equal(moved, expected)]
        assert len(fitting) == 1
        ways += fitting
    assert len(set(ways)) == 18
    for axis in (0, 1):
        counts = [sum(way[axis] == shift for way in ways) for shift in range(3)]
        assert all(70 <= count <= 130 for count in counts), counts  # 100 ± 3.7 standard deviations
    assert 118 <= sum(way[2] for way in ways) <= 182


def test_only_what_the_recipe_asks_for():
    images = torch.rand(64, 3, 6, 6)
    cropped = augmented(images, Recipe(crop=1), torch.Generator().manual_seed(2))
    plain = [way for way in moves(images[0], 1).items() if not way[0][2]]
    assert sum(torch.equal(cropped[0], expected) for _, expected in plain) == 1
    flipped = augmented(images, Recipe(flip=True), torch.Generator().manual_seed(2))
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, images, strict=True)]
    assert all(m or torch.equal(a, b) for m, a, b in zip(mirrored, flipped, images, strict=True))
    assert 0 < sum(mirrored) < 64


def test_a_recipe_that_asks_for_nothing_draws_nothing():
    generator = torch.Generator().manual_seed(2)
    before, images = generator.get_state(), torch.rand(4, 1, 8, 8)
    assert augmented(images, Recipe(), generator) is images
    assert torch.equal(generator.get_state(), before)


# Precision.

ASKED = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


@pytest.fixture
def x86(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)


@pytest.mark.usefixtures("x86")
@pytest.mark.parametrize("answers", list(itertools.product([False, True], repeat=2)))
def test_bfloat16_where_the_cpu_has_either_instruction_set(answers, monkeypatch):
    for name, answer in zip(ASKED, answers, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)
    assert has_bfloat16(CPU) == any(answers)


@pytest.mark.usefixtures("x86")
def test_a_pytorch_that_does_not_tell_trains_in_float32(monkeypatch):
    for name in ASKED:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, ASKED[1], lambda: True, raising=False)
    assert has_bfloat16(CPU)


@pytest.mark.usefixtures("x86")
def test_an_error_of_pytorch_s_is_not_hidden(monkeypatch):
    def fails() -> bool:
        raise RuntimeError("cpuinfo")

    monkeypatch.setattr(torch.cpu, ASKED[0], fails, raising=False)
    with pytest.raises(RuntimeError, match="cpuinfo"):
        has_bfloat16(CPU)


def test_bfloat16_on_cuda_is_what_pytorch_says(monkeypatch):
    for answer in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=answer: answer)
        assert has_bfloat16(torch.device("cuda")) == answer
