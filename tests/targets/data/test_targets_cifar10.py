"""CIFAR-10's splits, and one clear line where the data cannot be had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from targets import ABSTAIN, DATA, TARGETS, InputError, load
from targets.binomial import decide
from targets.cache import cache_folder
from targets.data import evenly_spaced
from targets.data.cifar10 import HELD_BACK, VARIABLE, load_files, split
from targets.precision import SUFFIX

SIZES = {"train": 50_000, "adversary": 9_000, "evaluation": 10_000}


@pytest.fixture(scope="module", autouse=True)
def _memory() -> Iterator[None]:
    """What these tests load is large and cached; it is given back after them."""
    yield
    load_files.cache_clear()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No folder is named, and the user's cache and the program's memory are empty; returns the cache folder."""
    load_files.cache_clear()
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "abstention-bench"


def refusal() -> str:
    with pytest.raises(InputError) as caught:
        split("evaluation")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("cifar10")
@pytest.mark.parametrize("name", SIZES)
def test_splits_have_their_size_range_and_type(name):
    found = DATA["cifar10"].split(name)
    assert found.images.shape == (SIZES[name], *DATA["cifar10"].shape)
    assert found.images.dtype == torch.float32
    assert found.images.is_contiguous()
    assert found.labels.shape == (SIZES[name],)
    assert found.labels.dtype == torch.int64
    sample = found.images[::100]
    assert (float(sample.min()), float(sample.max())) == (0.0, 1.0)
    assert torch.equal((sample * 255).round() / 255, sample)  # 8-bit pixels, one for one


@pytest.mark.usefixtures("cifar10")
@pytest.mark.parametrize(("name", "each"), [("train", 5000), ("evaluation", 1000)])
def test_every_class_has_as_many_images_as_the_authors_say(name, each):
    assert torch.bincount(split(name).labels).tolist() == [each] * 10


@pytest.mark.usefixtures("cifar10")
def test_the_test_set_is_in_its_own_order_and_upright():
    test = split("evaluation")
    assert test.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert (test.images[0, :, 0, 0] * 255).round().int().tolist() == [158, 112, 49]  # the cat's top left pixel, RGB
    assert (test.images[0, :, 0, 31] * 255).round().int().tolist() != [158, 112, 49]


@pytest.mark.usefixtures("cifar10")
def test_every_tenth_test_image_is_kept_from_the_adversary():
    test, known = split("evaluation"), split("adversary")
    rows = [i for i in range(10_000) if i % 10]
    assert torch.equal(known.images, test.images[rows])
    assert torch.equal(known.labels, test.labels[rows])
    seen = {image.numpy().tobytes() for image in known.images}
    assert not any(image.numpy().tobytes() in seen for image in test.images[::HELD_BACK])


@pytest.mark.usefixtures("cifar10")
def test_its_size_is_known_before_it_is_loaded():
    assert DATA["cifar10"].evaluation_size == len(split("evaluation").images)


def test_what_it_lacks_is_said_without_reading(cifar10, nowhere, tmp_path, monkeypatch):
    from targets.data.cifar10 import lacking

    assert lacking(str(cifar10)) is None
    assert (lacking(str(tmp_path)) or "").startswith(f"CIFAR-10 is not in {tmp_path}, and a run needs it;")
    assert (lacking() or "").startswith(f"CIFAR-10 is not in {nowhere}; a run downloads it (170 MB),")
    monkeypatch.setenv(VARIABLE, str(cifar10))
    assert lacking() is None


@pytest.mark.usefixtures("cifar10")
def test_an_unknown_split():
    with pytest.raises(InputError, match="unknown split 'test'"):
        split("test")  # type: ignore[arg-type]


@pytest.mark.parametrize("images", [1, 8, 50, 100, 200, 250, 500, 1000])
def test_counts_that_divide_a_thousand_meet_no_image_of_the_adversary(images):
    assert DATA["cifar10"].exposed(evenly_spaced(10_000, images)) == []


@pytest.mark.parametrize(("images", "first"), [(400, 25), (300, 33), (2000, 5), (10_000, 1)])
def test_other_counts_do(images, first):
    assert DATA["cifar10"].exposed(evenly_spaced(10_000, images))[0] == first


def test_a_folder_without_it_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    message = refusal()
    assert message.startswith(f"no intact CIFAR-10 in {tmp_path};")
    assert all(word in message for word in ("--data DIR", VARIABLE, "cifar-10-batches-py"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    assert refusal().startswith(f"no intact CIFAR-10 in {tmp_path / 'absent'};")
    assert not list(tmp_path.iterdir())  # nothing is downloaded into a folder that somebody named


def test_a_damaged_file_is_refused_in_one_line(cifar10, tmp_path, monkeypatch):
    shutil.copytree(cifar10, tmp_path / "copy", copy_function=lambda a, b: Path(b).symlink_to(a))
    damaged = tmp_path / "copy" / "cifar-10-batches-py" / "test_batch"
    content = bytearray(damaged.read_bytes())
    content[10_000] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "copy"))
    assert refusal().startswith(f"no intact CIFAR-10 in {tmp_path / 'copy'};")


def test_without_data_and_network_one_line_says_where_it_looked(nowhere, monkeypatch):
    import torchvision.datasets.cifar

    def unreachable(*arguments, **options):
        raise URLError("Name or service not known\nin two lines")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", unreachable)
    message = refusal()
    assert message.startswith(f"CIFAR-10 is not in {nowhere} and could not be downloaded (")
    assert "Name or service not known" in message
    assert message.endswith(f"give its folder by --data DIR or {VARIABLE}")


def test_a_cache_folder_that_cannot_be_made_is_one_line(nowhere):
    nowhere.parent.write_text("a file", encoding="utf-8")
    assert refusal().startswith(f"CIFAR-10 is not in {nowhere} and could not be downloaded (")


def test_without_a_home_one_line_names_the_option(nowhere, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert refusal() == f"there is no home folder to keep CIFAR-10 in; give its folder by --data DIR or {VARIABLE}"


def test_without_a_named_folder_the_cache_is_read(cifar10, nowhere, monkeypatch):
    nowhere.parent.mkdir()
    nowhere.symlink_to(cifar10)
    import torchvision.datasets.cifar

    monkeypatch.delattr(torchvision.datasets.cifar, "download_and_extract_archive")  # it is not needed
    assert len(split("evaluation").labels) == 10_000


def test_an_empty_variable_names_no_folder(nowhere, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    nowhere.parent.write_text("a file", encoding="utf-8")
    assert str(nowhere) in refusal()


def test_the_cache_is_the_users(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/abstention-bench")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "abstention-bench"


def test_the_four_targets_each_in_two_precisions():
    names = [name for name in TARGETS if name.startswith("cifar10-sigma")]
    plain = [name for name in names if not name.endswith(SUFFIX)]
    assert plain == ["cifar10-sigma0.12", "cifar10-sigma0.25", "cifar10-sigma0.50", "cifar10-sigma1.00"]
    assert sorted(names) == sorted(plain + [name + SUFFIX for name in plain])
    for name in names:
        target = TARGETS[name]
        assert f"{target.sigma:.2f}" == name.removesuffix(SUFFIX)[-4:]
        assert target.data_set is DATA["cifar10"]
        assert target.recipe is not None
        assert target.description
        assert target.build()(torch.zeros(2, *target.data_set.shape)).shape == (2, 10)


@pytest.mark.parametrize("name", ["cifar10-sigma0.25-bf16", "cifar10-sigma0.50"])
def test_curtailed_answers_of_the_shipped_targets_are_those_of_all_votes(name, cifar10):
    target = load(name, "cpu")
    indices = [0, 2500, 5000, 7500]
    images = split("evaluation").images[indices]
    votes = target.votes(images, 150, indices=indices)
    np.testing.assert_array_equal(target.predict(images, 150, indices=indices), decide(votes, 0.001, ABSTAIN))
    alone = [target.predict(images[i : i + 1], 150, indices=[index])[0] for i, index in enumerate(indices)]
    assert alone == target.predict(images, 150, indices=indices).tolist()


def test_the_shipped_targets_know_what_they_see(cifar10):
    """Far above chance: a target with damaged normalisation or another order of classes would not be."""
    indices = list(range(0, 10_000, 250))
    test = split("evaluation")
    answers = load("cifar10-sigma0.25-bf16", "cpu").predict(test.images[indices], 30, 0.05, indices=indices)
    assert (answers == test.labels[indices].numpy()).mean() > 0.55
