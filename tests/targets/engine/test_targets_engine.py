"""The engine: every fast path gives what the slow one gives."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from targets import SmoothedClassifier, TargetError
from targets.engine import arithmetic, engine
from targets.engine.engine import Engine, batch_size
from targets.models import SmallCNN
from targets.precision import Bfloat16, folded
from targets.resnet import ResNet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A small residual network whose batch normalisation has something to fold."""
    torch.manual_seed(3)
    net = ResNet(8).train()
    with torch.no_grad():
        for _ in range(5):
            net(torch.rand(64, 3, 32, 32) + 0.5 * torch.randn(64, 3, 32, 32))
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def samples() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(120, 3, 32, 32, generator=generator) + 0.5 * torch.randn(120, 3, 32, 32, generator=generator)


def test_the_batch_follows_the_documented_rule():
    assert batch_size((3, 32, 32), CPU) == 200
    assert batch_size((1, 8, 8), CPU) == 1000
    assert batch_size((3, 224, 224), CPU) == 16
    assert batch_size((3, 32, 32), torch.device("cuda")) == 4096


class Static(nn.Module):
    """Writes its answers to one place, and differentiably where gradients are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.place = SmallCNN(), torch.zeros(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        if torch.is_grad_enabled():
            return logits
        self.place[: len(images)] = logits
        return self.place[: len(images)]


def test_logits_are_kept_where_a_module_writes_them_all_to_one_place():
    images = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    module = Static().eval().requires_grad_(False)
    with torch.no_grad():
        expected = torch.cat([module.net(part) for part in images.split(16)])
        runner = Engine(module, 10, 16)
        found = runner.logits(images[:48])
        assert torch.equal(found, expected[:48])
        runner.logits(images[:48].flip(0))
    assert torch.equal(found, expected[:48])
    images.requires_grad_(True)
    runner.logits(images).square().sum().backward()
    gradient, images.grad = images.grad, None
    torch.cat([module.net(part) for part in images[:48].split(16)]).square().sum().backward()
    assert torch.equal(gradient[:48], images.grad[:48])


def test_folding_keeps_the_function(network, samples):
    fold = folded(network)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fold.modules())
    torch.testing.assert_close(fold(samples), network(samples), rtol=1e-4, atol=1e-4)


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = SmallCNN()

    def forward(self, images: Tensor) -> Tensor:
        if float(images.sum()) > -1e9:
            return self.inner(images)
        return self.inner(-images)


def test_what_cannot_be_traced_is_not_folded_which_is_said_and_still_runs():
    net = nn.Sequential(Untraceable(), nn.Unflatten(1, (10, 1, 1)), nn.BatchNorm2d(10), nn.Flatten()).eval()
    with pytest.warns(UserWarning, match="not folded, since the module cannot be traced"):
        half = Bfloat16(net)
    assert half(torch.rand(20, 1, 8, 8)).dtype == torch.float32
    assert next(net.parameters()).dtype == torch.float32  # a copy was rounded


def test_bfloat16_is_near_float32_and_gives_float32_logits(network, samples):
    half, full = Bfloat16(network)(samples), network(samples)
    assert half.dtype == torch.float32
    assert (half - full).abs().max() < 0.1 * full.abs().max()
    assert not torch.equal(half, full)


def test_a_bfloat16_row_does_not_depend_on_its_batch(network, samples):
    half = Engine(Bfloat16(network).requires_grad_(False), 10)
    together = half.logits(samples)
    for size in (1, 7, 16, 25, 100):
        assert torch.equal(torch.cat([half.logits(part) for part in samples.split(size)]), together), size


@pytest.fixture
def half(network) -> nn.Module:
    return Bfloat16(network).requires_grad_(False)


@pytest.fixture
def pretended(monkeypatch):
    """Compiles nothing, and keeps the sizes of the batches that would be compiled."""
    calls: list[int] = []

    def compiled(module: nn.Module, images: Tensor):
        def fast(images: Tensor) -> Tensor:
            calls.append(len(images))
            return module(images)

        return fast

    monkeypatch.setattr(engine, "compiled_alike", compiled)
    monkeypatch.setattr(engine, "compiler_present", lambda device: True)
    monkeypatch.setattr(engine, "COMPILE_AFTER", 3)
    return calls


def test_it_compiles_only_once_that_pays_and_only_whole_batches(half, samples, pretended):
    under_test = Engine(half, 10, batch=50)
    for _ in range(2):
        under_test.answers(samples)  # 50, 50 and 20 rows
    assert pretended == [50, 50]  # the third and the fourth whole batch


def test_float32_is_compiled_only_where_it_is_folded(network, samples, pretended, monkeypatch):
    Engine(network, 10, batch=20).answers(samples)
    assert pretended == [20] * 4
    monkeypatch.setenv(arithmetic.VARIABLE, "as-is")
    Engine(network, 10, batch=20).answers(samples)
    assert pretended == [20] * 4


@pytest.mark.parametrize(
    ("compile_", "message"),
    [
        (RuntimeError("g++: internal compiler error\nand more"), "going on without: g\\+\\+: internal compiler error$"),
        (RuntimeError("fork: Cannot allocate memory"), "going on without: fork: Cannot allocate memory$"),
        (lambda images: torch.zeros(len(images), 10), "rounds otherwise than the plain one, going on without$"),
    ],
)
def test_a_compiler_that_fails_or_rounds_is_said_once_and_done_without(half, samples, monkeypatch, compile_, message):
    def pretend(module: nn.Module, **options: object):
        def fast(images: Tensor) -> Tensor:
            if isinstance(compile_, Exception):
                raise compile_
            return compile_(images)

        return fast

    monkeypatch.setattr(torch, "compile", pretend)
    monkeypatch.setattr(engine, "compiler_present", lambda device: True)
    monkeypatch.setattr(engine, "COMPILE_AFTER", 1)
    under_test = Engine(half, 10, batch=40)
    with pytest.warns(UserWarning, match=message) as caught:
        answers = under_test.answers(samples)
    assert len(caught) == 1
    assert under_test.batch == 40
    assert torch.equal(answers, half(samples).argmax(1))


class Cramped(nn.Module):
    """Has memory for ``room`` images at a time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.inner = SmallCNN()
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")
        self.seen.append(len(images))
        return self.inner(images)


def test_a_batch_that_does_not_fit_is_halved_and_said_once():
    torch.manual_seed(0)
    cramped = Cramped(70)
    target = SmoothedClassifier(cramped, sigma=0.5, num_classes=10, batch=200)
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with pytest.warns(UserWarning, match="does not fit in memory, going on with") as caught:
        votes = target.votes(images, 200)
    assert [str(w.message).split()[-1] for w in caught] == ["100", "50"]
    assert max(cramped.seen) == 50
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target.votes(images, 200)
    roomy = SmoothedClassifier(cramped.inner, sigma=0.5, num_classes=10)
    assert (votes == roomy.votes(images, 200)).all()


def test_no_room_for_even_a_few_images_is_an_error():
    target = SmoothedClassifier(Cramped(3), sigma=0.5, num_classes=10, batch=64)
    with (
        pytest.warns(UserWarning, match="does not fit"),
        pytest.raises(TargetError, match="a batch of 16 noisy images does not fit in memory"),
    ):
        target.votes(torch.rand(1, 1, 8, 8), 64)


def test_another_runtime_error_is_not_taken_for_want_of_memory():
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    words = "^the base classifier failed: RuntimeError: mat1 and mat2 shapes cannot be multiplied$"
    with pytest.raises(TargetError, match=words):
        SmoothedClassifier(Broken(), sigma=0.5, num_classes=10).votes(torch.rand(1, 1, 8, 8), 20)


def gradient(function, images: Tensor) -> Tensor:
    images = images.clone().requires_grad_()
    weights = torch.linspace(-1, 1, 10)
    (result,) = torch.autograd.grad((function(images).softmax(1) @ weights).sum(), images)
    return result


def test_gradients_are_those_of_the_plain_module(network, samples, monkeypatch):
    monkeypatch.setenv(arithmetic.VARIABLE, "as-is")
    packed = gradient(Engine(network, 10, batch=50).logits, samples)
    alone = torch.cat([gradient(network, part) for part in samples.split(24)])
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-7)


def test_activations_beyond_the_bound_are_computed_again(network, samples, monkeypatch):
    monkeypatch.setenv(arithmetic.VARIABLE, "as-is")  # the module itself tells of each pass
    direct = gradient(Engine(network, 10, batch=40).logits, samples)
    calls: list[int] = []
    handle = network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    monkeypatch.setattr(engine, "KEPT", 1)
    try:
        assert torch.equal(gradient(Engine(network, 10, batch=40).logits, samples), direct)
        assert calls == [40] * 5  # three passes, and all but the first once more
        calls.clear()
        with torch.no_grad():
            Engine(network, 10, batch=40).logits(samples)
        assert calls == [40] * 3
    finally:
        handle.remove()


def test_no_images(network):
    assert Engine(network, 10).logits(torch.zeros(0, 3, 32, 32)).shape == (0, 10)


def test_rows_too_many_are_an_error():
    class Twice(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.zeros(2 * len(images), 10)

    class Scalar(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum()

    for count in (3, 30):
        with pytest.raises(TargetError, match="the base classifier returned"):
            Engine(Twice(), 10).answers(torch.rand(count, 1, 8, 8))
        with pytest.raises(TargetError, match=r"returned \(\) for"):
            Engine(Scalar(), 10).answers(torch.rand(count, 1, 8, 8))
