"""Checkpoints in the field's format: the same logits as the original network's, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import targets_cohen as cohen
import torch
from targets_checkpoint import COHENS, SHAPE, answers

import targets
from targets import TARGETS, InputError, TargetError
from targets.checkpoint import load_checkpoint
from targets.models import ARCHITECTURES
from targets.resnet import ResNet
from targets.weights import module_digest, save_weights

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.mark.parametrize(("depth", "arch"), [(20, "cifar_resnet20"), (110, "cifar_resnet110")])
def test_the_logits_are_those_of_the_original_network(depth: int, arch: str, tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(depth)
    path = cohen.write(tmp_path / "checkpoint.pth.tar", state, arch)
    targets.register_checkpoint("mine", path, sigma=0.5, **COHENS)
    target = targets.load("mine", "cpu")
    assert (target.sigma, target.num_classes, target.data) == (0.5, 10, "cifar10")
    with torch.no_grad():
        found = target.base_classifier(images)
    expected = cohen.logits(state, images, depth)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert float((expected - expected.mean(0)).abs().max()) > 0.1  # the images do not all give the same


def test_a_given_architecture_is_taken_by_our_name_and_by_the_field_s(tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(20)
    path = cohen.write(tmp_path / "c.pth.tar", state, arch=None)
    for name in ("resnet-20", "cifar_resnet20"):
        found = answers(path, images, name, **COHENS)
        torch.testing.assert_close(found, cohen.logits(state, images, 20), rtol=1e-4, atol=1e-4)


def test_nothing_is_read_before_the_target_is_loaded(tmp_path: Path):
    path = tmp_path / "c.pth.tar"
    path.write_bytes(b"not yet a checkpoint")
    targets.register_checkpoint("mine", str(path), sigma=0.25, architecture="resnet-8", **COHENS)
    assert TARGETS["mine"].description == "resnet-8 from c.pth.tar"
    assert TARGETS["mine"].recipe is None
    with pytest.raises(TargetError, match="is damaged"):
        targets.load("mine", "cpu")
    cohen.write(path, cohen.state_dict(8))
    assert targets.load("mine", "cpu").sigma == 0.25


def test_the_digest_tells_networks_apart_and_not_files(tmp_path: Path, state: dict[str, torch.Tensor]):
    def digest(
        name: str, state: dict[str, torch.Tensor], prefix: str = "1.", sds: Any = cohen.SDS, **others: Any
    ) -> str:
        path = cohen.write(tmp_path / f"{name}.pth.tar", state, "resnet-8", prefix, **others)
        given = {} if others else {"means": cohen.MEANS, "sds": sds}
        targets.register_checkpoint(name, path, sigma=0.5, **given)
        return targets.load(name, "cpu").digest

    changed = {**state, "bn1.running_mean": state["bn1.running_mean"] + 1e-3}
    cohens = {"0.means": torch.tensor(cohen.MEANS), "0.sds": torch.tensor(cohen.SDS)}
    others = {"0.means": torch.tensor(cohen.MEANS), "0.sds": torch.tensor([0.2023, 0.1994, 0.2011])}
    digests = [
        digest("one", state),
        digest("weights", changed),
        digest("centred", state, sds=[1, 1, 1]),
        digest("saved", state, **others),
    ]
    assert len(set(digests)) == 4
    plain = ResNet(8)  # which has Cohen's constants of its own: what is noted beside them is no part of the digest
    plain.load_state_dict(state)
    assert digests[0] == module_digest(plain)
    assert digest("parallel", state, "module.1.") == digests[0]
    assert digest("same-constants", state, **cohens) == digests[0]


def test_it_smooths(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.25, **COHENS)
    votes = targets.load("mine", "cpu").votes(images, 100)
    np.testing.assert_array_equal(votes.sum(1), [100, 100, 100])


def test_weights_of_a_network_of_ones_own_are_sent_to_a_python_file(tmp_path: Path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    where = r"a network of your own is registered in a Python file: docs/add-a-target\.md"
    for architecture in ("small-cnn", "resnet-20", "mlp", None):
        with pytest.raises((InputError, TargetError), match=where):
            load_checkpoint(tmp_path / "mine.pt", (1, 8, 8), 10, architecture)


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("cifar_resnet32", "unknown architecture 'cifar_resnet32'; known: resnet-110 (cifar_resnet110), resnet-18 ("),
        ("resnet51", "unknown architecture 'resnet51'; known: resnet-110 (cifar_resnet110), resnet-18 ("),
        (None, "says no architecture; give one: resnet-110 (cifar_resnet110), resnet-18 ("),
    ],
)
def test_an_architecture_that_is_not_known(
    arch: str | None, words: str, tmp_path: Path, state: dict[str, torch.Tensor]
):
    path = cohen.write(tmp_path / "c.pth.tar", state, arch)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, SHAPE, 10)
    assert str(caught.value).startswith(f"checkpoint {path}: {words}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": 0}, "sigma of target 'mine' is 0; give a number above 0"),
        ({"sigma": 0.5, "data": "cifar"}, "unknown data set 'cifar'; did you mean 'cifar10'?"),
        ({"sigma": 0.5, "architecture": "resnet-21"}, "unknown architecture 'resnet-21'; known: resnet-110"),
        ({"sigma": 0.5, "means": [0.5]}, "means is [0.5]; give 3 numbers, one a channel"),
        ({"sigma": 0.5, "sds": [1, 1, 0]}, "sds is [1, 1, 0]; give numbers above 0"),
        ({"sigma": 0.5, "sds": [51, 51, 51]}, "sds is [51, 51, 51]; give constants for images in [0, 1]: divide those"),
        ({"sigma": 0.5, "sds": [1, 1, 10**400]}, "sds is [1, 1, 1000"),
        ({"sigma": float("inf")}, "sigma of target 'mine' is inf; give a number above 0"),
        ({"sigma": 0.5, "name": "digits-sigma0.50"}, "the target name 'digits-sigma0.50' is taken"),
        ({"sigma": 0.5, "path": "gone.pth.tar"}, "there is no checkpoint gone.pth.tar"),
    ],
)
def test_what_is_wrong_is_said_at_registration(options: dict[str, Any], words: str, tmp_path: Path):
    (tmp_path / "c.pth.tar").write_bytes(b"never read")
    before = list(TARGETS)
    with pytest.raises(InputError) as caught:
        targets.register_checkpoint(**{"name": "mine", "path": tmp_path / "c.pth.tar", **options})
    assert str(caught.value).startswith(words)
    assert list(TARGETS) == before


def test_weights_that_train_made_are_a_checkpoint_too(tmp_path: Path, images: torch.Tensor):
    module = ARCHITECTURES["resnet-8"](SHAPE, 10).eval()
    path = tmp_path / "cifar10-sigma1.00.safetensors"
    save_weights(module, path)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images, "resnet-8"), module(images))
    with pytest.raises(InputError, match="says no architecture"):
        answers(path, images)


@pytest.mark.parametrize("holder", ["net", "model", "model_state_dict", None])
def test_bare_weights_are_loaded_where_the_architecture_and_the_constants_are_said(
    holder: str | None, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    """As MACER saves its network, which sees raw pixels, and as ``torch.save(model.state_dict())`` does."""
    path = tmp_path / "440.pth"
    torch.save(state if holder is None else {holder: state, "epoch": 440}, path)
    with pytest.raises(InputError, match=r"says no architecture; give one: resnet-110 \(cifar_resnet110\)"):
        load_checkpoint(path, SHAPE, 10)
    with pytest.raises(InputError, match="does not say how images are normalised"):
        load_checkpoint(path, SHAPE, 10, "resnet-8")
    raw = cohen.logits(state, images, 8, [0.0] * 3, [1.0] * 3)
    found = answers(path, images, "resnet-8", means=[0, 0, 0], sds=[1, 1, 1])
    torch.testing.assert_close(found, raw, rtol=1e-4, atol=1e-4)
