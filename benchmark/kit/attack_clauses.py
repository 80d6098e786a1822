"""The contract of attacks, clause by clause."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from attacks import ATTACKS, NoAccess, Transfer, WhiteBox
from attacks.budget import SLACK
from benchmark.kit.bench import Bench, Run
from benchmark.kit.clause import Broken, Clause, NotApplicable
from benchmark.kit.elsewhere import ask
from benchmark.plugins.attributes import unannotated
from benchmark.running.evaluation import AttackError

BUDGETS = (1, 5, 30)
"""Query budgets that a metered attack is tried under."""

CERTAIN = 1e-6
"""Rounding that a rate may be above the optimum by: images are float32."""


def _described(bench: Bench) -> str:
    cls = ATTACKS[bench.name]
    if loose := unannotated(cls):
        raise Broken("; ".join(loose))
    if not cls.summary():
        raise Broken(f"class {cls.__name__} has no docstring; its first line is shown on the board")
    values = bench.attack.parameters()
    return ", ".join(f"{name} = {value!r}" for name, value in values.items()) or "no hyper-parameters"


def _runs(bench: Bench) -> str:
    bench.begin()
    images = bench.world.images
    return f"{len(images)} images of {bench.world.target.name}"


def _shape(bench: Bench) -> str:
    try:
        returned = bench.returned
    except AttackError as error:
        raise Broken(str(error)) from error
    return f"{tuple(returned.shape)} {str(bench.first.returned.dtype).removeprefix('torch.')}"


def _batch(bench: Bench) -> Tensor:
    """What it returned. Raises :class:`NotApplicable` where that is no batch of images."""
    try:
        return bench.returned
    except AttackError as error:
        raise NotApplicable("what it returns is no batch of images") from error


def _finite(bench: Bench) -> str:
    bad = ~torch.isfinite(_batch(bench)).flatten(1).all(1)
    if bad.any():
        raise Broken(f"{_count(bad)} hold NaN or infinite values{_images(bench, bad)}: their originals are sent")
    return "every value"


def _range(bench: Bench) -> str:
    flat = _batch(bench).flatten(1).nan_to_num(0.5, 0.5, 0.5)
    bad = ((flat < 0) | (flat > 1)).any(1)
    if bad.any():
        low, high = (float(bound) for bound in flat.aminmax())
        raise Broken(
            f"{_count(bad)} leave [0, 1]{_images(bench, bad)}, with values from {low:.4g} to {high:.4g}: their "
            "originals are sent; end with .clamp(0, 1)"
        )
    return "inside [0, 1]"


def _budget(bench: Bench) -> str:
    _batch(bench)
    epsilon, norms = bench.world.epsilon, np.nan_to_num(bench.sent.l2)
    bad = torch.from_numpy(norms > epsilon * (1 + SLACK))
    worst = int(norms.argmax())
    if bad.any() and (bench.minimum_norm or ATTACKS[bench.name].minimum_norm):
        return (
            f"ε = {epsilon:g}; {_count(bad)} are over it, as a minimum-norm attack's may be: their originals are sent"
        )
    if bad.any():
        raise Broken(
            f"{_count(bad)} are farther than ε = {epsilon:g} from the original{_images(bench, bad)}, the worst by "
            f"{norms[worst] / epsilon - 1:.2%} (image {bench.world.images[worst]}: ℓ2 norm {norms[worst]:.6g}): their "
            f"originals are sent; {SLACK:g} of ε is allowed for rounding (an attack that means it, in search of the "
            "smallest perturbation, says minimum_norm = True)"
        )
    return f"ε = {epsilon:g}, the largest ℓ2 norm is {norms[worst]:.4g}"


def _no_images(bench: Bench) -> str:
    _ = bench.first
    returned = bench.run(images=()).returned
    expected = (0, *bench.first.images.shape[1:])
    if not isinstance(returned, Tensor) or tuple(returned.shape) != expected:
        found = tuple(returned.shape) if isinstance(returned, Tensor) else type(returned).__name__
        raise Broken(f"returns {found} for a batch of no images; return a tensor of shape {expected}")
    return "an empty batch gives an empty batch"


def _inputs(bench: Bench) -> str:
    run = bench.first
    changed = [name for name, a, b in _inputs_of(run) if a.shape != b.shape or not torch.equal(a, b)]
    if changed:
        raise Broken(f"writes into the {' and the '.join(changed)} that it is given; work on images.clone()")
    return "images and labels are as they were"


def _inputs_of(run: Run) -> list[tuple[str, Tensor, Tensor]]:
    return [("images", run.given, run.images), ("labels", run.labels, run.true)]


def _generators(bench: Bench) -> str:
    if names := bench.first.drawn:
        raise Broken(
            f"draws from {' and '.join(names)} global random generator, or seeds it; draw from generator: "
            "generator.normal(shape) for tensors, generator[row] for a NumPy generator"
        )
    return "torch's, NumPy's and Python's are not touched"


def _repeats(bench: Bench) -> str:
    return _same(bench, bench.again, "two runs of the same images")


def _order(bench: Bench) -> str:
    _batch(bench)
    order = bench.world.images[::-1]
    return _same(bench, bench.run(images=order), "the same images in another order", order)


def _split(bench: Bench) -> str:
    _batch(bench)
    images = bench.world.images
    cuts = [images[:1], images[1 : 1 + len(images) // 2], images[1 + len(images) // 2 :]]
    found = [_same(bench, bench.run(images=cut), f"images in batches of {len(cut)}", cut) for cut in cuts if cut]
    return f"batches of {', '.join(str(len(cut)) for cut in cuts if cut)}: {found[0]}"


def _process(bench: Bench) -> str:
    here = _batch(bench)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "images.npy"
        plugin = None if bench.plugin is None else str(bench.plugin.absolute())
        ask(
            {
                "what": "attack",
                "name": bench.name,
                "plugin": plugin,
                "settings": dict(bench.settings),
                "world": bench.world.settings,
                "output": str(output),
            }
        )
        there = torch.from_numpy(np.load(output))
    return _alike(bench, here, there, "another process", bench.world.images)


def _access(bench: Bench) -> str:
    access, run = ATTACKS[bench.name].access, bench.again
    samples, with_gradient = run.spied
    if issubclass(access, NoAccess) or (issubclass(access, Transfer) and not access.metered):
        if samples:
            raise Broken(f"shows the target {samples:,} noisy images; {access.kind} access allows none")
    elif samples and not run.meter.forward.any():
        raise Broken(f"shows the target {samples:,} noisy images that nobody counts; ask by model only")
    if with_gradient and not issubclass(access, WhiteBox):
        raise Broken(f"takes gradients of {with_gradient:,} noisy images; {access.kind} access has none")
    forward, backward = run.meter.forward.mean(), run.meter.backward.mean()
    queries = f"{run.meter.queries.mean():.4g} queries, " if access.metered else ""
    return f"{access.kind}: {queries}{forward:,.0f} samples forward and {backward:,.0f} backward an image"


def _queries(bench: Bench) -> str:
    _, access = bench.first, ATTACKS[bench.name].access
    if not access.metered:
        raise NotApplicable(f"{access.kind} access has no queries")
    for budget in BUDGETS:
        run = bench.run(query_budget=budget)
        if not isinstance(run.returned, Tensor) or run.returned.shape != run.images.shape:
            raise Broken(f"returns no batch of images under a budget of {budget} queries an image")
        if not _inside(run):
            raise Broken(f"leaves [0, 1] under a budget of {budget} queries an image")
    return f"keeps to {', '.join(map(str, BUDGETS))} queries an image"


def _inside(run: Run) -> bool:
    return bool(((run.returned >= 0) & (run.returned <= 1)).all())


def _time(bench: Bench) -> str:
    seconds = bench.again.seconds / len(bench.world.images)
    if seconds > bench.most_seconds:
        raise Broken(f"{seconds:.3g} s an image; {bench.most_seconds:g} are allowed")
    return f"{seconds:.3g} s an image"


def _optimum(bench: Bench) -> str:
    plane = bench.world.plane
    if plane is None:
        raise NotApplicable(f"the optimum on {bench.world.target.name} is not known")
    _batch(bench)
    images = bench.first.images
    rate, clean = plane.abstention(bench.sent.images).mean(), plane.abstention(images).mean()
    best = plane.best(images, bench.world.epsilon).mean()
    share = rate / best
    text = f"abstention {rate:.1%}, {share:.0%} of the best possible {best:.1%}; {clean:.1%} without an attack"
    if rate > best + CERTAIN:
        raise Broken(f"{text}: more than is possible")
    if share < bench.least_share:
        raise Broken(f"{text}; at least {bench.least_share:.0%} of the best are asked for")
    return text


def _same(bench: Bench, run: Run, what: str, images: Sequence[int] | None = None) -> str:
    here = _batch(bench)
    chosen = bench.world.images if images is None else tuple(images)
    rows = [bench.world.images.index(image) for image in chosen]
    if not isinstance(run.returned, Tensor):
        raise Broken(f"{what}: returns {type(run.returned).__name__}")
    return _alike(bench, here[rows], run.returned.to("cpu", torch.float32), what, chosen)


def _alike(bench: Bench, one: Tensor, other: Tensor, what: str, images: Sequence[int]) -> str:
    """Say how alike two results (N, C, H, W) of the same images are. Raises :class:`Broken` where they are not."""
    if one.shape != other.shape:
        raise Broken(f"{what}: returns shape {tuple(other.shape)}, not {tuple(one.shape)}")
    apart = (one.nan_to_num() - other.nan_to_num()).abs().flatten(1).amax(1)
    bad = apart > bench.tolerance
    if bad.any():
        names = [image for image, is_bad in zip(images, bad.tolist(), strict=True) if is_bad]
        raise Broken(
            f"{what} give other results for {_count(bad)} (image {_some(names)}), by up to {float(apart.max()):.3g} a "
            f"pixel{_suspects(bench)}"
        )
    return "the same to the bit" if float(apart.max()) == 0 else f"the same to {float(apart.max()):.1g} a pixel"


def _suspects(bench: Bench) -> str:
    return f"; it draws from {' and '.join(bench.first.drawn)} global random generator" if bench.first.drawn else ""


def _count(bad: Tensor) -> str:
    return f"{int(bad.sum())} of {len(bad)} images"


def _images(bench: Bench, bad: Tensor) -> str:
    names = [image for image, is_bad in zip(bench.world.images, bad.tolist(), strict=True) if is_bad]
    return f" (image {_some(names)})"


def _some(names: Sequence[int]) -> str:
    return ", ".join(map(str, names[:5])) + (" …" if len(names) > 5 else "")


ATTACK_CLAUSES: tuple[Clause[Bench], ...] = (
    Clause("described", _described),
    Clause("runs", _runs),
    Clause("shape", _shape),
    Clause("finite", _finite),
    Clause("range", _range),
    Clause("budget", _budget),
    Clause("no images", _no_images),
    Clause("inputs", _inputs),
    Clause("generators", _generators),
    Clause("repeats", _repeats),
    Clause("order", _order),
    Clause("batch", _split),
    Clause("process", _process),
    Clause("access", _access),
    Clause("queries", _queries),
    Clause("time", _time),
    Clause("optimum", _optimum),
)
"""In the order in which they are told; all but a few look at one and the same run."""
