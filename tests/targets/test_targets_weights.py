from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from targets import TARGETS, InputError, TargetError
from targets.models import SmallCNN
from targets.resnet import Normalize
from targets.weights import FOLDER, load_weights, module_digest, save_weights, sha256, write_whole


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return SmallCNN()


def equal(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_weights_make_the_round_trip(network, tmp_path):
    path = tmp_path / "new" / "folder" / "mine.safetensors"
    digest = save_weights(network, path)
    assert digest == sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    torch.manual_seed(1)
    other = SmallCNN()
    assert not equal(network, other)
    assert load_weights(other, path, digest) is other
    assert equal(network, other)


def test_saving_again_gives_the_same_file(network, tmp_path):
    assert save_weights(network, tmp_path / "a") == save_weights(network, tmp_path / "b")


@pytest.mark.parametrize("place", [0, 40, 30_000, -1])
def test_one_damaged_byte_is_noticed(tmp_path, place):
    target = TARGETS["digits-sigma0.50"]
    content = bytearray(target.weights.read_bytes())
    content[place] ^= 1
    path = tmp_path / target.weights.name
    path.write_bytes(content)
    module = SmallCNN()
    before = module_digest(module)
    with pytest.raises(
        TargetError, match=r"^the weights digits-sigma0\.50\.safetensors are damaged: SHA-256 "
    ) as caught:
        load_weights(module, path, target.sha256)
    assert "\n" not in str(caught.value)
    assert target.sha256[:12] in str(caught.value)
    assert module_digest(module) == before


def test_a_file_cut_short_is_noticed(tmp_path):
    target = TARGETS["digits-sigma0.50"]
    path = tmp_path / "short.safetensors"
    path.write_bytes(target.weights.read_bytes()[:1000])
    with pytest.raises(TargetError, match="are damaged"):
        load_weights(SmallCNN(), path, target.sha256)


def test_a_missing_file(tmp_path):
    with pytest.raises(TargetError, match=r"^the weights gone\.safetensors are missing; install the package again$"):
        load_weights(SmallCNN(), tmp_path / "gone.safetensors", "0" * 64)


def test_the_shipped_files_are_the_registered_ones():
    shipped = {path.stem: sha256(path) for path in FOLDER.glob("*.safetensors")}
    registered = {TARGETS[name].stem: TARGETS[name].sha256 for name in TARGETS if TARGETS[name].sha256}
    assert shipped == registered


def test_a_module_s_digest_is_of_its_class_and_its_weights(network):
    digest = module_digest(network)
    assert module_digest(network) == digest
    copy = SmallCNN()
    copy.load_state_dict(network.state_dict())
    assert module_digest(copy) == digest
    with torch.no_grad():
        copy.layers[0].weight[0, 0, 0, 0] += 1e-3
    assert module_digest(copy) != digest

    heir = type("SmallCNN", (SmallCNN,), {})()
    heir.load_state_dict(network.state_dict())
    assert repr(heir) == repr(network)
    assert module_digest(heir) != digest


def test_the_digest_of_modules_without_weights_and_with_shared_ones():
    assert module_digest(nn.Flatten()) != module_digest(nn.ReLU())
    layer = nn.Linear(4, 4)
    assert module_digest(nn.Sequential(layer, layer)) == module_digest(nn.Sequential(layer, layer))


def test_the_digest_is_of_buffers_that_are_not_saved_and_of_inner_classes_too():
    one, other = Normalize([0.1, 0.2, 0.3]), Normalize([0.1, 0.2, 0.4])
    assert not one.state_dict()
    assert module_digest(one) != module_digest(other)
    assert module_digest(one) == module_digest(Normalize([0.1, 0.2, 0.3]))

    heir = type("ReLU", (nn.ReLU,), {})()
    assert repr(nn.Sequential(heir)) == repr(nn.Sequential(nn.ReLU()))
    assert module_digest(nn.Sequential(heir)) != module_digest(nn.Sequential(nn.ReLU()))


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_whole(path, b"old")

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fails)
        with pytest.raises(InputError, match=rf"^cannot write {path}: No space left on device; make room or choose"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
