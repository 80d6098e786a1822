"""The report's paragraphs: computed comparisons, and fixed texts on the known causes of differences."""

from __future__ import annotations

from benchmark.seed_paper import paper
from benchmark.seed_paper.findings import AttackRow, Findings, Rate
from benchmark.seed_paper.tables import sampled_difference
from benchmark.seed_paper.wording import NAMES, QUERIES, compared, interval, norm
from leaderboard.drawn.numbers import NONE

LEVEL = 0.05
"""Paired p-values below this count as differences."""

HOW_TO_READ = """\
Every share carries its exact 95% interval (Clopper–Pearson) in brackets. **Ours − paper** is in percentage points;
a dagger (†) marks where the paper's value lies outside our interval, which takes that value as exact although it has
a sampling error of its own. p-values are exact McNemar tests on the same images. An image whose perturbation exceeds
the budget, leaves [0, 1] or is not finite is replaced by its original, as in the paper. All noise in the evaluation
is drawn anew: neither the surrogates nor the attacks have seen any of it.
"""


def introduction(found: Findings) -> str:
    """What was run, where and when."""
    settings, origin = found.settings, found.provenance
    return f"""\
Covington's *Towards Inducing Abstention in Certified Defense (Maybe)*, run again on `{settings["target"]}`
(σ = {settings["sigma"]:g}, α = {settings["alpha"]:g}, ℓ2 budget {settings["epsilon"]:g}): {settings["images"]:,}
attacked test images, queries answered at n = {settings["query_samples"]:,}, seed {settings["seed"]}. abstention-bench
{origin["version"]}, commit `{origin["commit"]}`, {origin["device"]} ({origin["threads"]} threads), {found.created}.
"""


def accuracies(found: Findings) -> str:
    """On Table 1."""
    compare = compared([(f"{c.labels}, {_set(c.queries)}", c.held_out, c.paper) for c in found.accuracies])
    unknown = "; ".join(f"{_set(c.queries)}: {interval(c.held_out)}" for c in found.accuracies if c.paper is None)
    return f"""\
{compare} The cell that the paper prints as "?" (black-box labels, {unknown}). PREDICT at the queries' n
and at n = {found.settings["samples"][0]:,} gives the same answer on {interval(found.repeatable)} of the held-out test
images: at a smaller n it abstains on more. Known causes of differences: width factor, epochs and augmentation of the
paper's network, and the n of its queries, are not known to this project; our network has
{found.settings["surrogate_parameters"]:,} parameters and the
recipe given at the end. The black boxes differ: {_black_boxes(found)}. What is held out of black-box labels is a random
tenth of the queried images; the last column asks the surrogate for the answers to the other of the two sets, which the
paper does not print.
"""


def on_surrogate(found: Findings) -> str:
    """On the success on the surrogate."""
    compare = compared([(NAMES[row.attack], row.success, row.paper) for row in found.on_surrogate])
    parameters = found.settings["parameters"]
    cw, tv = parameters["cw-transfer"], parameters["tv-transfer"]
    return f"""\
{compare} "Unattacked" is the share of originals of which the surrogate says so by itself: they are sent back as they
are, and count as reached. The success is no independent finding: of six recipes tried on 3,000 queries and 30 images,
the surrogate's is the one that lets Tabacof–Valle succeed on all 30, where the others let it on 0 to 73%. It memorises
the answers and was the least faithful of the six (57% of held-out answers), so what does not transfer here might
transfer better from another. Tabacof–Valle's search ends at the first point that meets both conditions, so its norms
are no distances. Known causes of differences: the surrogate itself, which decides how far away its abstention class
is; the search, whose steps in the paper are not known to this project (ours: {cw["search_steps"]} × {cw["steps"]} for
Carlini–Wagner with foolbox {found.provenance["foolbox"]}, {tv["search_steps"]} × {tv["evaluations"]} evaluations for
Tabacof–Valle); and foolbox, whose version 3 returns an all-zero image where Carlini–Wagner fails: that is replaced by
the original here and not counted as reached.
"""


def outcomes(found: Findings) -> str:
    """On Table 2."""
    cells = []
    for column in found.columns:
        name = f"{NAMES[column.sent]} at n = {column.n:,}"
        cells.append((f"performance of {name}", column.performance, column.paper_performance))
        cells.append((f"abstention of {name}", column.abstention, column.paper_abstention))
    tested = [column.abstention_p for column in found.columns if column.abstention_p is not None]
    return f"""\
{compared(cells)} Of the {len(tested)} paired tests of abstention against the originals,
{sum(p < LEVEL for p in tested)} have p < {LEVEL:g}. They are not independent: all attacks' images get the
same noise, which is not the originals', and a smaller n is the beginning of a larger one. "Original, again" is the
control: the same images on the attacks' noise.{_of_n(found)} Known causes of differences: n, which the paper does
not state; the weights ({_black_boxes(found)}); the number of images ({found.settings["images"]:,} attacked here,
{paper.IMAGES:,} in the paper); and the surrogate that the adversarial images come from. "Prediction performance" is
taken as the share of all images that are answered correctly, so that an abstention counts as not correct.
"""


def _of_n(found: Findings) -> str:
    change = sampled_difference(found.columns, "original")
    if change is None:
        return ""
    first, last = found.settings["samples"][0], found.settings["samples"][-1]
    return (
        f" On the same originals, going from n = {first:,} to n = {last:,} alone changes abstention by "
        f"{100 * change:+.2f}".replace("-", "−")
        + " points."
    )


def confusions(found: Findings) -> str:
    """On Tables 3 and 4."""
    compare = "; ".join(
        f"{NAMES[c.attack]} at n = {c.n:,}: {c.counts[-1][-1]} of the {sum(c.counts[-1])} that were abstained on "
        f"stayed so, among {c.images:,} images (paper: {c.paper_stayed}, among {paper.IMAGES:,})"
        for c in found.confusions
    )
    return f"""\
Images abstained on before and after: {compare}. Known causes of differences: how many images abstain at all, which is
n's doing first (Table 2); the number of images; and that abstention near a tie is random: when the
originals were asked again on fresh noise at n = {found.again.n:,}, {found.again_stayed} of those
{sum(found.confusions[0].counts[-1])} stayed. Of the paper's matrices only the cell "abstain, abstain" is set
beside ours.
"""


def norms(found: Findings) -> str:
    """On Figure 1."""
    ours = "; ".join(
        f"{NAMES[row.attack]}: {row.norms.count:,} perturbations, mean {norm(row.norms.mean)}, largest "
        f"{norm(row.norms.largest)}"
        for row in found.on_surrogate
        if row.queries == "test"
    )
    over = 1 - paper.ON_SURROGATE["tv-transfer"]
    return f"""\
{ours}. The paper's figure is a picture without numbers; its text says that all norms of CW are at most 1 and that
{over:.1%} of TV's exceed 1. Where an attack returned the original, since it gave up or the surrogate says
"abstain" of it as it is, there is no perturbation to count.
"""


def figure_2(name: str) -> str:
    """On Figure 2, which is not distributed."""
    return f"""\
Originals over CW over TV images: `{name}.png` and `{name}.svg`, made beside this report whenever it is run. They
show images of the data set, which are not this project's to distribute, so they are not published with the report.
"""


def discussion(found: Findings) -> str:
    """On the surrogates' query sets, their fidelity and the stronger attacks."""
    clean = next(column for column in found.columns if column.sent == "original").abstention
    transfer = [row for row in found.attacks if row.queries is not None]
    white = [row for row in found.attacks if row.queries is None]
    return f"""\
Unattacked, these images abstain at {interval(clean)} (n = {found.settings["samples"][0]:,}), and on the attacks'
noise at {interval(found.again.abstention)}. Highest transferred
abstention: {_best(transfer)}. Highest with white-box access: {_best(white)}. Abstention above the unattacked rate
with paired p < {LEVEL:g}: {_raising(transfer, clean)} of {len(transfer)} transferred attacks, {_raising(white, clean)}
of {len(white)} white-box ones. The paper's two attacks look for a surrogate's class "abstain"; the margin objective
looks for a tie of two classes of a smoothed classifier, which is where PREDICT abstains. The smoothed surrogates
(trained with the target's σ, without a class for abstention) answer by PREDICT themselves, so that abstention counts
in their fidelity too. The attacked images are among the test images queried, as in the paper: the surrogates of the
test images learned from the answers to most of them (all but the held-out tenth and, where smoothed, those abstained
on), the others to none. The paper proposes these steps and prints no numbers for them. Of the query sets that it
names, CIFAR-10.1 is not part of this project, and
scikit-learn's digits, resized, stand in for MNIST.
"""


def _raising(rows: list[AttackRow], clean: Rate) -> int:
    return sum((row.abstention.share or 0.0) > (clean.share or 0.0) and row.abstention_p < LEVEL for row in rows)


def _best(rows: list[AttackRow]) -> str:
    best = max(rows, key=lambda row: row.abstention.share or 0.0)
    kind = "smoothed surrogate" if best.success is None else "surrogate"
    queries = f" on the {kind} of the {_set(best.queries)}" if best.queries else ""
    return f"`{best.attack}`{queries}, {interval(best.abstention)}"


def _set(name: str | None) -> str:
    return QUERIES[name] if name else NONE


def _black_boxes(found: Findings) -> str:
    return f"the paper's is Cohen et al.'s, a ResNet-110; ours is \"{found.settings['description']}\""
