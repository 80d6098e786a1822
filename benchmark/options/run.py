"""The options of `run`, `list` and `audit`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_data, add_device, add_plugin, add_quiet, add_results, number
from benchmark.options.verb import Verb, Verbs


def add_run(verbs: Verbs) -> None:
    """The verbs that run attacks, and the one that lists what there is to run."""
    run = verbs.add_parser("run", help="run attacks on targets and print the board", allow_abbrev=False)
    what = run.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="run the default suite: every attack on each of its targets")
    what.add_argument("--suite", metavar="NAME|FILE.toml", help="a suite by name, or your own file (default: digits)")
    run.add_argument("--targets", nargs="+", metavar="PATTERN", help="targets, by name or shell-style pattern")
    run.add_argument("--attacks", nargs="+", metavar="PATTERN", help="attacks, by name or shell-style pattern")
    run.add_argument("--epsilons", nargs="+", type=number, metavar="E", help="ℓ2 budgets (default: the suite's)")
    run.add_argument(
        "--query-budgets",
        nargs="+",
        type=int,
        metavar="Q",
        help="query budgets per image for score, decision and hybrid access; one row each (default: the suite's)",
    )
    run.add_argument("--images", type=int, metavar="N", help="number of evaluation images, evenly spaced")
    run.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: the suite's)")
    run.add_argument("--alpha", type=number, metavar="A", help="PREDICT's error level (default: the suite's)")
    run.add_argument("--seed", type=int, metavar="S", help="seed of every random stream (default: the suite's)")
    run.add_argument(
        "--ceiling-samples",
        type=int,
        metavar="N",
        help="noise samples behind a ceiling (default: the suite's)",
    )
    run.add_argument(
        "--ceiling-samples-max",
        type=int,
        metavar="N",
        help="most noise samples behind a ceiling, where they may decide; 0: no more (default: the suite's)",
    )
    run.add_argument(
        "--no-best-of",
        dest="best_of",
        action="store_false",
        default=None,
        help="leave out best-of rows",
    )
    run.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="ATTACK.NAME=VALUE",
        help="hyper-parameters, such as margin.steps=30 (default: the suite's, else the attack's)",
    )
    add_device(run)
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of worker processes, or 0 for none (default: one per GPU; one per core if images are small and "
        "cells are many; else 1)",
    )
    _add_engine(run)
    add_results(run)
    add_data(run)
    add_plugin(run)
    run.add_argument("--tables", action="store_true", help="print every row at the end instead of one matrix per suite")
    add_quiet(run, "print no progress, only the board")
    run.set_defaults(command="benchmark.commands.run", parser=run)

    listing = verbs.add_parser("list", help="list what is registered", allow_abbrev=False)
    listing.add_argument("what", choices=("targets", "attacks", "suites"))
    listing.add_argument("--json", action="store_true", help="print JSON")
    add_plugin(listing)
    listing.set_defaults(command="benchmark.commands.listing", parser=listing)

    audit = verbs.add_parser(
        "audit",
        help="attack one classifier, and report",
        description="Run the strongest attack of each access on one target, and say how often it keeps answering: "
        "under attack, and provably. Then measure what the same images cost the sequential predictor.",
        allow_abbrev=False,
    )
    audit.add_argument(
        "target", metavar="TARGET", help="a name that `list targets` prints, or that a --plugin file registers"
    )
    audit.add_argument(
        "--epsilons", nargs="+", type=number, metavar="E", help="ℓ2 budgets, for pixels in [0, 1] (default: 0.5 1.0)"
    )
    audit.add_argument("--images", type=int, metavar="N", help="number of evaluation images (default: 50)")
    audit.add_argument(
        "--samples",
        nargs="+",
        type=int,
        metavar="N",
        help="PREDICT's n (default: 1000); several show how n buys availability",
    )
    add_device(audit)
    audit.add_argument("--results", type=Path, metavar="DIR", help="default: audit-TARGET")
    add_data(audit)
    add_plugin(audit)
    add_quiet(audit)
    audit.set_defaults(command="benchmark.commands.audit", parser=audit)


def _add_engine(verb: Verb) -> None:
    """Where cells run, and what each may use."""
    verb.add_argument(
        "--engine",
        choices=("local", "dask", "submitit"),
        default="local",
        help="what runs cells: processes of this machine (default), a Dask cluster, or jobs of a Slurm cluster",
    )
    verb.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster (default: one on this machine)")
    verb.add_argument(
        "--engine-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="submitit's parameters, such as slurm_partition=gpu timeout_min=240; cluster=local runs jobs here",
    )
    verb.add_argument("--cell-timeout", type=number, metavar="SECONDS", help="end an attack that takes longer")
    verb.add_argument("--cell-memory", type=number, metavar="GB", help="main memory that an attack may take")
    verb.add_argument("--dry-run", action="store_true", help="only say what would be run, and how long it may take")
