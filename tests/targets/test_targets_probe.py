"""A first look at a target: networks whose answers depend on the batch or the run are refused, all others are not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook

from targets import TARGETS, SmoothedClassifier, TargetError, load, register
from targets.data.digits import split
from targets.models import SmallCNN, WideResNet10
from targets.precision import in_precision
from targets.probe import probe
from targets.resnet import ResNet

SHAPE = (1, 8, 8)


def looked_at(module: nn.Module, shape: tuple[int, ...] = SHAPE, num_classes: int = 10, sigma: float = 0.5) -> None:
    probe(SmoothedClassifier(module, sigma, num_classes, name="mine"), shape)


def plain() -> SmallCNN:
    torch.manual_seed(0)
    return SmallCNN()


class Then(nn.Module):
    """A network, and what is done with its images before or its logits after."""

    def __init__(self, after: Callable[[Tensor], Tensor] | None = None, before: nn.Module | None = None) -> None:
        super().__init__()
        self.net = plain()
        self.before = before or nn.Identity()
        self.after = after

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(self.before(images))
        return logits if self.after is None else self.after(logits)


class Counter(nn.Module):
    """Gives other logits at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.calls = plain(), 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.net(images) + torch.eye(10)[self.calls % 10]


class Training(nn.Module):
    """Batch normalisation that is set to training mode by forward itself, whatever .eval() said."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.norm = plain(), nn.BatchNorm2d(1)

    def forward(self, images: Tensor) -> Tensor:
        self.norm.train()
        return self.net(self.norm(images))


RUN: dict[str, Callable[[], nn.Module]] = {
    "dropout": lambda: Then(lambda x: functional.dropout(x, 0.1)),
    "a little dropout before": lambda: Then(before=Before(lambda x: functional.dropout(x, 0.02))),
    "noise": lambda: Then(lambda x: x + 0.05 * torch.randn_like(x)),
    "NumPy's noise": lambda: Then(lambda x: x + torch.from_numpy(np.random.rand(*x.shape)).float()),  # noqa: NPY002
    "Python's noise": lambda: Then(lambda x: x * random.random()),
    "counter": Counter,
}
BATCH: dict[str, Callable[[], nn.Module]] = {
    "batch statistics": lambda: Then(before=nn.BatchNorm2d(1, affine=False, track_running_stats=False)),
    "training mode": Training,
    "centred over the batch": lambda: Then(lambda x: x - x.mean(0)),
    "scaled over the batch": lambda: Then(lambda x: x / x.abs().max()),
    "by position": lambda: Then(lambda x: x + torch.arange(len(x))[:, None] * torch.eye(10)[0]),
    "by a seeded mask": lambda: Then(seeded),
    "the first alone": lambda: Then(lambda x: x[:1].expand_as(x)),
    "batch statistics of large batches": lambda: Then(lambda x: x if len(x) < 64 else x - x.mean(0)),
    "pieces of large batches": lambda: Then(lambda x: torch.cat([x[:64], x[64:] + torch.eye(10)[0] * x.abs().max()])),
    "the last quarter of a large batch": lambda: Then(lambda x: torch.where(arange(x) < 768, x, -x)),
    "the batch's size": lambda: Then(lambda x: x + len(x) * torch.eye(10)[0]),
}


def arange(logits: Tensor) -> Tensor:
    return torch.arange(len(logits))[:, None]


class Before(nn.Module):
    def __init__(self, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.act = act

    def forward(self, images: Tensor) -> Tensor:
        return self.act(images)


def seeded(logits: Tensor) -> Tensor:
    """The same at every run, and another mask in every place of a batch."""
    return logits * torch.bernoulli(torch.full(logits.shape, 0.5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", RUN)
def test_a_network_that_says_another_thing_when_asked_again_is_refused(case: str):
    with pytest.raises(
        TargetError, match=r"^the base classifier of target 'mine' gives other logits for the same images"
    ):
        looked_at(RUN[case]())


@pytest.mark.parametrize("case", BATCH)
def test_a_network_that_looks_at_the_others_of_its_batch_is_refused(case: str):
    words = r"^the logits that the base classifier of target 'mine' gives an image depend on the rest of its batch"
    with pytest.raises(TargetError, match=words):
        looked_at(BATCH[case]())


def test_batch_statistics_are_found_deep_inside_and_in_bfloat16():
    torch.manual_seed(0)
    for build in (ResNet, WideResNet10):
        for precision in ("float32", "bfloat16"):
            looked_at(in_precision(build(), precision), (3, 32, 32), 11 if build is WideResNet10 else 10)
            module = build()
            for part in module.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.running_mean = part.running_var = None
                    part.track_running_stats = False
            wrapped = in_precision(module, precision) if precision == "float32" else Halved(module)
            with pytest.raises(TargetError, match="depend on the rest of its batch"):
                looked_at(wrapped, (3, 32, 32), 11 if build is WideResNet10 else 10)


class Halved(nn.Module):
    """A module in bfloat16, its batch normalisation not folded away."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.to(torch.bfloat16)

    def forward(self, images: Tensor) -> Tensor:
        return self.module(images.to(torch.bfloat16)).float()


class Static(nn.Module):
    """Writes its answers to one place."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.place = plain(), torch.zeros(4096, 10)

    def forward(self, images: Tensor) -> Tensor:
        self.place[: len(images)] = self.net(images).detach()
        return self.place[: len(images)]


class Hungry(nn.Module):
    """Has memory for 100 images at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.rows = plain(), list[int]()

    def forward(self, images: Tensor) -> Tensor:
        self.rows.append(len(images))
        if len(images) > 100:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return self.net(images)


GOOD: dict[str, Callable[[], nn.Module]] = {
    "plain": plain,
    "dropout that .eval() switches off": lambda: Then(before=nn.Dropout(0.5)),
    "running statistics": lambda: Then(before=nn.BatchNorm2d(1)),
    "image by image": lambda: Then(before=nn.InstanceNorm2d(1)),
    "rounded": lambda: Then(before=Before(lambda x: torch.round(x * 16) / 16)),
    "probabilities": lambda: Then(lambda x: x.softmax(1)),
    "one-hot": lambda: Then(lambda x: functional.one_hot(x.argmax(1), 10).float()),
    "detached": lambda: Then(lambda x: x.detach()),
    "in place": lambda: Then(before=Before(lambda x: x.clamp_(0, 1))),
    "float64": lambda: Then(lambda x: x.double()),
    "float16": lambda: Then(lambda x: x.half()),
    "a constant": lambda: Then(lambda x: torch.zeros_like(x)),
    "large": lambda: Then(lambda x: x * 1e20),
    "rounds as another batch may": lambda: Then(lambda x: x * (1 + 1e-4 * (len(x) % 3))),
    "one place": Static,
    "little memory": Hungry,
    "one image turned over": lambda: Then(turned),
}


def turned(logits: Tensor) -> Tensor:
    """What rounding may do to a network that rounds inside: one image of a batch gets another answer."""
    changed = logits.clone()
    if len(logits) % 16:
        changed[-1] = -changed[-1]
    return changed


@pytest.mark.parametrize("case", GOOD)
def test_functions_of_an_image_come_through(case: str):
    looked_at(GOOD[case]())


@pytest.mark.parametrize("sigma", [1e-6, 0.5, 12.0])
def test_of_whatever_sigma(sigma: float):
    looked_at(plain(), sigma=sigma)
    with pytest.raises(TargetError, match="the rest of its batch"):
        looked_at(BATCH["batch statistics"](), sigma=sigma)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (lambda x: x[:, :7], "returns float32 of shape (16, 7) for 16 images; give floating logits of shape (16, 10)"),
        (lambda x: x[0], "returns float32 of shape (10,) for 16 images"),
        (lambda x: x.argmax(1), "returns int64 of shape (16,) for 16 images"),
        (lambda x: (x * 100).long(), "returns int64 of shape (16, 10) for 16 images; give floating logits"),
        (lambda x: (x, x), "returns tuple for 16 images"),
        (lambda x: x * torch.nan, "target 'mine': the base classifier returned NaN or infinite logits"),
        (lambda x: 1 / 0, "fails on images of shape (16, 1, 8, 8): ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_logits_is_refused(after: Callable[[Tensor], Tensor], words: str):
    with pytest.raises(TargetError) as caught:
        looked_at(Then(after))
    assert words in str(caught.value)
    assert "'mine'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_for_other_images_is_refused():
    with pytest.raises(TargetError, match=r"fails on images of shape \(16, 3, 32, 32\): RuntimeError: "):
        looked_at(plain(), (3, 32, 32))


def test_images_are_shown_all_over_a_batch_of_the_engine_s_size():
    module = Hungry()
    looked_at(module)
    assert module.rows == [16, 16, 20, 1000, 500, 250, 125, 62]
    module = Hungry()
    probe(SmoothedClassifier(module, 0.5, 10, name="mine", batch=1), SHAPE)
    assert module.rows == [16, 16, 20, 16]


@pytest.mark.parametrize("error", [GeneratorExit, SystemExit, BaseException])
def test_whatever_a_base_classifier_raises_is_a_target_s_error(error: type[BaseException]):
    def stop(logits: Tensor) -> Tensor:
        raise error("enough")

    with pytest.raises(TargetError, match=f"fails on images of shape .*: {error.__name__}: enough$"):
        looked_at(Then(stop))
    with pytest.raises(KeyboardInterrupt):
        looked_at(Then(interrupt))


def interrupt(logits: Tensor) -> Tensor:
    raise KeyboardInterrupt


def test_what_a_base_classifier_leaves_behind_is_undone():
    class Leaves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = plain()

        def forward(self, images: Tensor) -> Tensor:
            torch.set_default_dtype(torch.float64)
            register_module_forward_hook(lambda *_: None)
            return self.net(images)

    looked_at(Leaves())
    assert torch.get_default_dtype() == torch.float32
    assert not nn.modules.module._global_forward_hooks


def test_the_probe_disturbs_no_generator():
    def state() -> list[object]:
        return [random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()]  # noqa: NPY002

    def draws(logits: Tensor) -> Tensor:
        torch.rand(3)
        np.random.rand(3)  # noqa: NPY002
        random.random()
        return logits

    before = state()
    looked_at(Then(draws))
    assert state() == before


@pytest.fixture
def registered() -> Iterator[str]:
    """A target of batch statistics."""
    register("digits-batchstats", sigma=0.5, data="digits")(BATCH["batch statistics"])
    yield "digits-batchstats"
    TARGETS.remove("digits-batchstats")


def test_loading_looks(registered: str):
    with pytest.raises(TargetError, match="of target 'digits-batchstats' gives an image depend on the rest"):
        load(registered, "cpu")


def test_a_target_that_was_looked_at_answers_as_before():
    """It runs under no_grad and not in inference mode, so that what a module keeps of it can have gradients."""

    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.scale = plain(), None

        def forward(self, images: Tensor) -> Tensor:
            if self.scale is None:
                self.scale = torch.ones_like(images[:1])
            return self.net(images * self.scale)

    target = SmoothedClassifier(Lazy(), 0.5, 10, name="mine")
    probe(target, SHAPE)
    images = split("evaluation").images[:2].clone().requires_grad_(True)
    target.logits(images).sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0
