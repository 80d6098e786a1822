"""The seed paper's whole experiment, run again, with every number beside the paper's.

Covington, "Towards Inducing Abstention in Certified Defense (Maybe)". The paper attacks a smoothed CIFAR-10 classifier
that it can only query: it trains a surrogate on the answers, with abstention as a class, attacks the surrogate, and
counts how often the adversarial images make the smoothed classifier abstain.

In: :class:`Settings` (a target, how many images, PREDICT's n, the training of the surrogates, a seed), and a results
folder, where each finished stage is kept. Out: a report (REPORT.md, report.json, figures) that repeats the paper's
tables and figures and carries out the steps that its discussion proposes.

The files, in the order of the story:

* ``paper``: the numbers that the paper prints;
* ``settings``: everything that can change ours;
* ``stages``: computes what takes long in shards, and keeps them, so that a stopped run goes on where it was;
* ``queries``: the adversary's images, and the black box's answers to them;
* ``trained_surrogate``: surrogates trained on true labels or on those answers;
* ``surrogate_quality``: how good they are (Table 1, fidelity);
* ``adversarial``: the attacks' images;
* ``evaluation``: the black box's answers to those (Tables 2 to 4);
* ``experiment``: all of these in turn;
* ``findings``, ``tables``: the numbers that the report shows, and how they follow from the answers;
* ``report``, ``report_tables``, ``prose``, ``wording``, ``figures``: the report.
"""

from benchmark.seed_paper.experiment import Result, reproduce
from benchmark.seed_paper.report import prepare_report, write_report
from benchmark.seed_paper.settings import Settings

__all__ = ["Result", "Settings", "prepare_report", "reproduce", "write_report"]
