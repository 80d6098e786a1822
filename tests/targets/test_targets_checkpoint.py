"""Checkpoints in the field's format: the same logits as the original network's, or one clear line."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import targets_cohen as cohen
import torch
from torch import nn

import targets
from targets import TARGETS, InputError, TargetError
from targets.checkpoint import load_checkpoint
from targets.models import ARCHITECTURES
from targets.resnet import ResNet
from targets.weights import save_weights

SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    """A shallow network to be quick with; and what a test registers is gone after it."""
    before = set(TARGETS)
    ARCHITECTURES.add("resnet-8", lambda shape, num_classes: ResNet(8, shape, num_classes))
    yield
    ARCHITECTURES.remove("resnet-8")
    for name in set(TARGETS) - before:
        TARGETS.remove(name)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return cohen.state_dict(8)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(5))


def answers(path: Path, images: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
    with torch.no_grad():
        return load_checkpoint(path, SHAPE, 10, *arguments, **options).eval()(images)


@pytest.mark.parametrize(("depth", "arch"), [(20, "cifar_resnet20"), (110, "cifar_resnet110")])
def test_the_logits_are_those_of_the_original_network(depth: int, arch: str, tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(depth)
    path = cohen.write(tmp_path / "checkpoint.pth.tar", state, arch)
    targets.register_checkpoint("mine", path, sigma=0.5)
    target = targets.load("mine", "cpu")
    assert (target.sigma, target.num_classes, target.data) == (0.5, 10, "cifar10")
    with torch.no_grad():
        found = target.base_classifier(images)
    expected = cohen.logits(state, images, depth)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert float((expected - expected.mean(0)).abs().max()) > 0.1  # the images do not all give the same


@pytest.mark.parametrize("prefix", ["1.", "1.module.", "module.1.", "module.1.module.", "module.", ""])
def test_every_way_of_wrapping(prefix: str, tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", prefix)
    torch.testing.assert_close(answers(path, images), cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)


def test_the_prefixes_are_those_that_pytorch_writes(state: dict[str, torch.Tensor]):
    inner = ResNet(8)
    for wrapped, prefix in [
        (nn.Sequential(nn.Identity(), inner), "1."),
        (nn.Sequential(nn.Identity(), nn.DataParallel(inner)), "1.module."),
        (nn.DataParallel(nn.Sequential(nn.Identity(), inner)), "module.1."),
    ]:
        assert set(wrapped.state_dict()) == {f"{prefix}{name}" for name in state}


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1, 1)])
@pytest.mark.parametrize(("prefix", "layer"), [("1.", "0."), ("module.1.", "module.0."), ("1.module.", "0.module.")])
def test_saved_constants_are_used(
    prefix: str,
    layer: str,
    shape: tuple[int, ...],
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    images: torch.Tensor,
):
    means, sds = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    saved = {f"{layer}means": torch.tensor(means).view(shape), f"{layer}sds": torch.tensor(sds).view(shape)}
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", prefix, **saved)
    expected = cohen.logits(state, images, 8, means, sds)
    torch.testing.assert_close(answers(path, images), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(expected, cohen.logits(state, images, 8), atol=1e-2)


def test_given_constants_are_used_where_the_checkpoint_has_none(
    tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor
):
    """Networks of smoothing-adversarial are centred only, and nothing in their checkpoints says so."""
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("centred", path, sigma=0.5, sds=[1, 1, 1])
    with torch.no_grad():
        found = targets.load("centred", "cpu").base_classifier(images)
    torch.testing.assert_close(
        found, cohen.logits(state, images, 8, cohen.MEANS, [1.0, 1.0, 1.0]), rtol=1e-4, atol=1e-4
    )
    centred = {"0.means": torch.tensor(cohen.MEANS)}
    path = cohen.write(tmp_path / "d.pth.tar", state, "resnet-8", **centred)
    torch.testing.assert_close(answers(path, images, sds=[1, 1, 1]), found)


def test_old_files_load_too(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    """From before PyTorch counted batches (0.4.1) and wrote zip archives (1.6)."""
    old = {f"1.{name}": tensor for name, tensor in state.items() if "num_batches" not in name}
    path = tmp_path / "old.pth.tar"
    torch.save({"epoch": 90, "arch": "resnet-8", "state_dict": old}, path, _use_new_zipfile_serialization=False)
    torch.testing.assert_close(answers(path, images), cohen.logits(state, images, 8), rtol=1e-4, atol=1e-4)


def test_a_given_architecture_is_taken_by_our_name_and_by_the_field_s(tmp_path: Path, images: torch.Tensor):
    state = cohen.state_dict(20)
    path = cohen.write(tmp_path / "c.pth.tar", state, arch=None)
    for name in ("resnet-20", "cifar_resnet20"):
        torch.testing.assert_close(answers(path, images, name), cohen.logits(state, images, 20), rtol=1e-4, atol=1e-4)


def test_an_architecture_that_normalises_by_itself(tmp_path: Path):
    network = ARCHITECTURES["wide-resnet-10"](SHAPE, 10).eval()
    path = cohen.write(tmp_path / "c.pth.tar", network.state_dict(), "wide-resnet-10")
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images), network(images))
    with pytest.raises(TargetError, match="wide-resnet-10 normalises in a way of its own"):
        load_checkpoint(path, SHAPE, 10, sds=[1, 1, 1])


def test_nothing_is_read_before_the_target_is_loaded(tmp_path: Path):
    path = tmp_path / "c.pth.tar"
    path.write_bytes(b"not yet a checkpoint")
    targets.register_checkpoint("mine", str(path), sigma=0.25, architecture="resnet-8")
    assert TARGETS["mine"].description == "resnet-8 from c.pth.tar"
    assert TARGETS["mine"].recipe is None
    with pytest.raises(TargetError, match="is damaged"):
        targets.load("mine", "cpu")
    cohen.write(path, cohen.state_dict(8))
    assert targets.load("mine", "cpu").sigma == 0.25


def test_the_digest_tells_networks_apart_and_not_files(tmp_path: Path, state: dict[str, torch.Tensor]):
    def digest(name: str, state: dict[str, torch.Tensor], prefix: str = "1.", sds: Any = None, **others: Any) -> str:
        path = cohen.write(tmp_path / f"{name}.pth.tar", state, "resnet-8", prefix, **others)
        targets.register_checkpoint(name, path, sigma=0.5, sds=sds)
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
    assert digest("parallel", state, "module.1.") == digests[0]
    assert digest("same-constants", state, **cohens) == digests[0]


def test_it_smooths(tmp_path: Path, state: dict[str, torch.Tensor], images: torch.Tensor):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.25)
    votes = targets.load("mine", "cpu").votes(images, 100)
    np.testing.assert_array_equal(votes.sum(1), [100, 100, 100])


# What is wrong with a file that is there, and the words that the error must hold.


class Unsafe:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


def test_an_unsafe_pickle_is_refused_and_not_run(tmp_path: Path, state: dict[str, torch.Tensor]):
    mark = tmp_path / "mark"
    unsafe = {"arch": "resnet-8", "state_dict": state, "best": Unsafe(mark)}
    torch.save(unsafe, tmp_path / "new.pth.tar")
    (tmp_path / "plain.pth.tar").write_bytes(pickle.dumps(unsafe))
    for name in ("new", "plain"):
        with pytest.raises(TargetError, match="more than tensors and plain values, which alone are loaded") as caught:
            load_checkpoint(tmp_path / f"{name}.pth.tar", SHAPE, 10)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_a_damaged_file(damage: str, tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "text": b"<!DOCTYPE html><html>Sign in</html>",
            "flipped": whole[:40] + bytes(100) + whole[140:],
        }[damage]
    )
    with pytest.raises(TargetError, match=r"^checkpoint .*c\.pth\.tar is damaged, or holds more than") as caught:
        load_checkpoint(path, SHAPE, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [{"conv1.weight": torch.zeros(2)}, {"state_dict": [1]}, [1], {"state_dict": {"a": 1}}]
)
def test_a_file_without_a_state_dict(content: Any, tmp_path: Path):
    torch.save(content, tmp_path / "c.pth.tar")
    with pytest.raises(TargetError, match=r"holds no state_dict; write it by torch\.save"):
        load_checkpoint(tmp_path / "c.pth.tar", SHAPE, 10)


def test_the_first_tensor_that_does_not_fit_is_named(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = tmp_path / "c.pth.tar"
    start = rf"^checkpoint {path}: "
    lacking = {name: tensor for name, tensor in state.items() if name not in ("layer2.0.bn1.weight", "fc.bias")}
    cohen.write(path, lacking, "resnet-8")
    with pytest.raises(TargetError, match=start + r"'layer2\.0\.bn1\.weight' of resnet-8 is missing"):
        load_checkpoint(path, SHAPE, 10)
    cohen.write(path, state, "resnet-8")
    with pytest.raises(TargetError, match=start + r"'layer1\.1\.conv1\.weight' of resnet-20 is missing"):
        load_checkpoint(path, SHAPE, 10, "resnet-20")
    with pytest.raises(TargetError, match=start + r"'fc\.weight' has shape \(10, 64\), not \(7, 64\) as in resnet-8"):
        load_checkpoint(path, SHAPE, 7)
    cohen.write(path, cohen.state_dict(20), "cifar_resnet20")
    with pytest.raises(TargetError, match=start + r"'layer1\.1\.conv1\.weight' is no part of resnet-8"):
        load_checkpoint(path, SHAPE, 10, "resnet-8")
    cohen.write(path, state, "resnet-8", **{"1.module.fc.bias": state["fc.bias"]})
    with pytest.raises(TargetError, match=start + r"'1\.fc\.bias' is in it twice"):
        load_checkpoint(path, SHAPE, 10)


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("cifar_resnet32", "unknown architecture 'cifar_resnet32'; did you mean 'cifar_resnet20'?"),
        ("resnet50", "unknown architecture 'resnet50'; did you mean 'resnet-20'?"),
        (None, "says no architecture; give one of: "),
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
    ("saved", "given", "words"),
    [
        ({"means": [0.1] * 3, "sds": [1.0] * 3}, {"sds": [1, 1, 1]}, "it holds its own sds; leave sds out"),
        ({"means": [0.1] * 3}, {}, "it holds means and no sds; give sds"),
        ({"means": [0.1], "sds": [1.0]}, {}, "0.means is [0.10000000149011612]; give 3 numbers, one a channel"),
        ({"means": [0.1] * 3, "sds": [1.0, 0.0, 1.0]}, {}, "0.sds is [1.0, 0.0, 1.0]; give numbers above 0"),
        ({"means": [float("nan")] * 3, "sds": [1.0] * 3}, {}, "0.means is [nan, nan, nan]; give 3 numbers"),
    ],
)
def test_constants_that_cannot_be(
    saved: dict[str, list[float]], given: dict[str, Any], words: str, tmp_path: Path, state: dict[str, torch.Tensor]
):
    tensors = {f"0.{key}": torch.tensor(values) for key, values in saved.items()}
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8", **tensors)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, SHAPE, 10, **given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": 0}, "sigma of target 'mine' is 0; give a number above 0"),
        ({"sigma": 0.5, "data": "cifar"}, "unknown data set 'cifar'; did you mean 'cifar10'?"),
        ({"sigma": 0.5, "architecture": "resnet-21"}, "unknown architecture 'resnet-21'; did you mean 'resnet-20'?"),
        ({"sigma": 0.5, "means": [0.5]}, "means is [0.5]; give 3 numbers, one a channel"),
        ({"sigma": 0.5, "sds": [1, 1, 0]}, "sds is [1, 1, 0]; give numbers above 0"),
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


def test_a_file_that_went_away(tmp_path: Path, state: dict[str, torch.Tensor]):
    path = cohen.write(tmp_path / "c.pth.tar", state, "resnet-8")
    targets.register_checkpoint("mine", path, sigma=0.5)
    path.unlink()
    with pytest.raises(TargetError, match=rf"^cannot read the checkpoint {path}: No such file"):
        targets.load("mine", "cpu")


def test_weights_that_train_made_are_a_checkpoint_too(tmp_path: Path, images: torch.Tensor):
    module = ARCHITECTURES["resnet-8"](SHAPE, 10).eval()
    path = tmp_path / "cifar10-sigma1.00.safetensors"
    save_weights(module, path)
    with torch.no_grad():
        torch.testing.assert_close(answers(path, images, "resnet-8"), module(images))
    with pytest.raises(InputError, match="says no architecture"):
        answers(path, images)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, state: dict[str, torch.Tensor]):
    damaged = {**state, "fc.bias": state["fc.bias"] * torch.nan}
    path = cohen.write(tmp_path / "c.pth.tar", damaged, "resnet-8")
    with pytest.raises(TargetError, match=r"'fc\.bias' holds NaN or infinite numbers"):
        load_checkpoint(path, SHAPE, 10)
