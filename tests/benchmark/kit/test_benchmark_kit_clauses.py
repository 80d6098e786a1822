"""Each clause of the attacks' contract: an attack that breaks it is told so, with where, and one that keeps it not."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from attacks import ATTACKS, Access, Attack, Decision, NoAccess, Score, WhiteBox, register
from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.bench import Bench
from benchmark.kit.clause import Finding, check_all
from benchmark.kit.plane import EPSILON, Plane
from benchmark.kit.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.closed_form(tmp_path_factory.mktemp("store"))


def told(world: World, act, access: type[Access] = NoAccess, leave: tuple[str, ...] = ("process",), **options):
    """What is found, by clause, of an attack that does ``act(model, images, labels, generator)``."""
    granted = access
    if "tried" in ATTACKS:
        ATTACKS.remove("tried")

    @register("tried")
    class Tried(Attack):
        """An attack of a test."""

        access = granted
        steps: int = 3

        def __call__(self, model, images, labels, epsilon, generator):
            return act(model, images, labels, generator)

    clauses = [clause for clause in ATTACK_CLAUSES if clause.name not in leave]
    with world.entered():
        return {one.clause: one for one in check_all(clauses, Bench(world, "tried", **options))}


def broken(findings: dict[str, Finding]) -> set[str]:
    return {name for name, one in findings.items() if one.status == "BROKEN"}


def shifted(images: Tensor, by: float) -> Tensor:
    """Images moved so far along one direction."""
    return images + by / images[0].numel() ** 0.5 if len(images) else images.clone()


def test_what_keeps_the_contract(world: World):
    findings = told(world, lambda model, images, labels, generator: shifted(images, 0.1))
    assert broken(findings) == set()
    assert findings["described"].found == "steps = 3"
    assert findings["shape"].found == "(10, 3, 8, 8) float32"
    assert findings["budget"].found == "ε = 0.5, the largest ℓ2 norm is 0.1"
    assert findings["queries"].status == "–"
    assert "without an attack" in findings["optimum"].found


@pytest.mark.parametrize(
    ("act", "clauses", "words"),
    [
        (lambda m, x, y, g: x[:2], {"shape"}, "expected floating point of shape (10, 3, 8, 8)"),
        (lambda m, x, y, g: None, {"shape", "no images"}, "returned NoneType"),
        (lambda m, x, y, g: x + torch.inf, {"finite"}, "10 of 10 images hold NaN or infinite values (image 0, 1, 2"),
        (lambda m, x, y, g: x.index_fill(1, torch.tensor([0]), 1.1), {"range", "budget"}, "leave [0, 1] (image 0"),
        (lambda m, x, y, g: shifted(x, 0.6), {"budget"}, "10 of 10 images are farther than ε = 0.5"),
        (lambda m, x, y, g: x.add_(0.001), {"inputs"}, "writes into the images that it is given"),
        (lambda m, x, y, g: (y.zero_(), x.clone())[1], {"inputs"}, "writes into the labels"),
    ],
)
def test_what_is_no_batch_of_images_within_the_budget(act, clauses, words, world: World):
    findings = told(world, act)
    assert broken(findings) - {"optimum"} == clauses
    assert any(words in findings[name].found for name in clauses), findings


def test_how_far_over_the_budget(world: World):
    findings = told(world, lambda m, x, y, g: torch.cat([shifted(x[:1], 0.75), x[1:]]) if len(x) == 10 else x)
    found = findings["budget"].found
    assert "1 of 10 images are farther than ε = 0.5 from the original (image 0), the worst by 50.00% (image 0" in found
    assert "ℓ2 norm 0.75" in found
    kept = told(world, lambda m, x, y, g: shifted(x, 0.6), minimum_norm=True)
    assert kept["budget"].found == (
        "ε = 0.5; 10 of 10 images are over it, as a minimum-norm attack's may be: their originals are sent"
    )


@pytest.mark.parametrize(
    ("draw", "whose"),
    [
        (lambda: torch.rand(1), "torch's"),
        (lambda: torch.manual_seed(3), "torch's"),
        (lambda: torch.tensor(np.random.random()), "NumPy's"),  # noqa: NPY002
        (lambda: torch.tensor(random.random()), "Python's"),
    ],
)
def test_global_generators_are_not_drawn_from(draw, whose: str, world: World):
    def act(model, images, labels, generator):
        drawn = draw()
        return shifted(images, 0.1 * float(drawn) if isinstance(drawn, Tensor) else 0.1)

    findings = told(world, act)
    assert f"draws from {whose} global random generator, or seeds it" in findings["generators"].found
    if "manual_seed" not in str(draw.__code__.co_names):
        assert "repeats" in broken(findings)
        assert f"it draws from {whose} global random generator" in findings["repeats"].found


def test_draws_from_the_streams_of_the_images_are_as_they_should_be(world: World):
    def act(model, images, labels, generator):
        return (images + 0.01 * generator.normal(images.shape[1:])).clamp(0, 1)

    assert broken(told(world, act)) == set()


def test_the_neighbours_in_a_batch(world: World):
    findings = told(world, lambda m, x, y, g: (x + 0.01 * x.mean(0, keepdim=True)).clamp(0, 1))
    assert broken(findings) == {"batch"}
    assert "images in batches of 1 give other results for 1 of 1 images (image 0), by up to" in findings["batch"].found
    findings = told(world, lambda m, x, y, g: (x + 0.01 * x[:1]).clamp(0, 1))
    assert broken(findings) == {"batch", "order"}
    assert "the same images in another order give other results" in findings["order"].found


def test_another_process(tmp_path: Path, world: World):
    from benchmark.plugins.loading import load_file

    plugin = tmp_path / "sets.py"
    plugin.write_text(
        "from attacks import Attack, NoAccess, register\n\n\n"
        "@register('sets')\n"
        "class Sets(Attack):\n"
        '    """By the hash of a text, which differs from process to process."""\n'
        "    access = NoAccess\n"
        "    def __call__(self, model, images, labels, epsilon, generator):\n"
        "        return images * (1 - 0.1 * (hash('a text') % 2**20) / 2**20)\n",
        encoding="utf-8",
    )
    load_file(plugin)
    clauses = [clause for clause in ATTACK_CLAUSES if clause.name in ("process", "repeats")]
    with world.entered():
        repeats, process = check_all(clauses, Bench(world, "sets", plugin))
        assert repeats.status == "kept"
        assert process.status == "BROKEN"
        assert "another process give other results for 10 of 10 images" in process.found
        (kept,) = check_all(clauses[1:], Bench(world, "gaussian"))
    assert kept.found == "the same to the bit"


def test_an_attack_that_raises_is_told_once_with_its_lines(world: World):
    def helper(images):
        raise ValueError("out of ideas")

    findings = told(world, lambda m, x, y, g: helper(x))
    assert broken(findings) == {"runs"}
    found = findings["runs"].found
    assert "raises on 10 images: ValueError: out of ideas (test_benchmark_kit_clauses.py, line " in found
    assert "in helper)" in found
    assert findings["shape"] == Finding("shape", "–", "the attack raises")


def test_an_attack_that_raises_on_no_images(world: World):
    findings = told(world, lambda m, x, y, g: x - 0 * x.max())
    assert broken(findings) == {"no images"}
    assert "raises on 0 images" in findings["no images"].found


def test_more_than_the_access_offers(world: World):
    findings = told(world, lambda m, x, y, g: m.logits(x), Score)
    assert broken(findings) == {"runs"}
    assert "Score access offers" in findings["runs"].found
    assert "no logits" in findings["runs"].found


def test_what_bypasses_the_access(world: World):
    def act(model, images, labels, generator):
        if len(images):
            world.target.logits(images)
        return images.clone()

    findings = told(world, act, NoAccess)
    assert broken(findings) == {"access"}
    assert "none access allows none" in findings["access"].found
    findings = told(world, act, WhiteBox)
    assert "that nobody counts" in findings["access"].found

    def gradient(model, images, labels, generator):
        if len(images):
            model.predict(images)
            world.target.logits(images.clone().requires_grad_())
        return images.clone()

    found = told(world, gradient, Decision, leave=("process", "queries"))["access"].found
    assert "takes gradients of " in found


def test_a_query_budget_that_is_not_minded(world: World):
    def act(model, images, labels, generator):
        for _ in range(7):
            if len(images):
                model.predict(images)
        return images.clone()

    findings = told(world, act, Decision)
    assert broken(findings) == {"queries"}
    found = findings["queries"].found
    assert "raises on 10 images under a budget of 1 queries: BudgetExhausted" in found
    assert "ask model.queries_left(row) before each query" in found
    assert "decision: 7 queries" in findings["access"].found


def test_the_optimum_and_how_much_of_it_is_asked_for(world: World):
    base = Plane()

    def best(model, images, labels, generator):
        margin = base.margin(images).clamp(-EPSILON * (1 - 1e-6), EPSILON * (1 - 1e-6))
        return (images.double() - margin[:, None, None, None] * base.normal).float()

    findings = told(world, best, least_share=0.99)
    assert broken(findings) == set()
    assert "100% of the best possible" in findings["optimum"].found
    found = told(world, lambda m, x, y, g: x.clone(), least_share=0.5)["optimum"]
    assert found.status == "BROKEN"
    assert "at least 50% of the best are asked for" in found.found


def test_seconds_an_image(world: World):
    found = told(world, lambda m, x, y, g: x.clone(), most_seconds=0.0)["time"]
    assert found.status == "BROKEN"
    assert "s an image; 0 are allowed" in found.found


def test_hyper_parameters_without_an_annotation(world: World):
    @register("loose")
    class Loose(Attack):
        """An attack of a test."""

        access = NoAccess
        steps = 10

        def __call__(self, model, images, labels, epsilon, generator):
            return images

    with world.entered():
        found = check_all(ATTACK_CLAUSES[:1], Bench(world, "loose"))[0]
    assert found.status == "BROKEN"
    assert "Loose.steps = 10 has no annotation" in found.found
