"""The options of every command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from benchmark.message import one_line
from benchmark.numeral import numeral

REPRODUCED = "cifar10-sigma0.50-bf16"
"""The target of the seed paper's experiment."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {one_line(message)}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the installed version, which is looked up only then, and ends."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"abstention-bench {version('abstention-bench')}")
        parser.exit(0)


def _number(text: str) -> float:
    try:
        return numeral(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
    except OverflowError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def program() -> str:
    """The command that started this process, to be shown in help texts."""
    return "abstention-bench" if Path(sys.argv[0]).stem == "abstention-bench" else "python -m benchmark"


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    root = _Parser(
        prog=program(),
        description="Can an attacker make a certified classifier refuse to answer?",
        allow_abbrev=False,
    )
    root.add_argument("--version", action=_Version, help="print the version")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = verbs.add_parser("run", help="run attacks on targets and print the board", allow_abbrev=False)
    what = run.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="run the default suite: every attack on each of its targets")
    what.add_argument("--suite", metavar="NAME|FILE.toml", help="a suite by name, or your own file (default: digits)")
    run.add_argument("--targets", nargs="+", metavar="PATTERN", help="targets, by name or shell-style pattern")
    run.add_argument("--attacks", nargs="+", metavar="PATTERN", help="attacks, by name or shell-style pattern")
    run.add_argument("--epsilons", nargs="+", type=_number, metavar="E", help="ℓ2 budgets (default: the suite's)")
    run.add_argument(
        "--query-budgets",
        nargs="+",
        type=int,
        metavar="Q",
        help="query budgets per image for score, decision and hybrid access; one row each (default: the suite's)",
    )
    run.add_argument("--images", type=int, metavar="N", help="number of evaluation images, evenly spaced")
    run.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: the suite's)")
    run.add_argument("--alpha", type=_number, metavar="A", help="PREDICT's error level (default: the suite's)")
    run.add_argument("--seed", type=int, metavar="S", help="seed of every random stream (default: the suite's)")
    run.add_argument(
        "--ceiling-samples",
        type=int,
        metavar="N",
        help="noise samples behind a ceiling (default: the suite's)",
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
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of worker processes, or 0 for none (default: one per GPU; one per core if images are small and "
        "cells are many; else 1)",
    )
    _add_engine(run)
    run.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    _add_data(run)
    _add_plugin(run)
    run.add_argument("--tables", action="store_true", help="print every row at the end instead of one matrix per suite")
    run.add_argument("--quiet", action="store_true", help="print no progress, only the board")
    run.set_defaults(command="benchmark.commands.run", parser=run)

    listing = verbs.add_parser("list", help="list what is registered", allow_abbrev=False)
    listing.add_argument("what", choices=("targets", "attacks", "suites"))
    listing.add_argument("--json", action="store_true", help="print JSON")
    _add_plugin(listing)
    listing.set_defaults(command="benchmark.commands.listing", parser=listing)

    _add_audit(verbs.add_parser("audit", help="attack one classifier, and report", allow_abbrev=False))

    _add_kit(verbs)

    publish = verbs.add_parser("publish", help="write the board: a page, JSON and pictures", allow_abbrev=False)
    publish.add_argument("--suite", nargs="+", metavar="NAME", help="only rows of these suites")
    publish.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    publish.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="default: the results folder",
    )
    publish.add_argument("--force", action="store_true", help="replace another board in the output folder")
    publish.add_argument(
        "--shared",
        action="store_true",
        help="also write what cells share (answers, surrogates, evidence of ceilings), for adopt; some megabytes",
    )
    publish.add_argument("--site", type=Path, metavar="DIR", help="instead: a site of published boards, with an index")
    publish.add_argument("boards", nargs="*", type=Path, metavar="BOARD", help="with --site: published boards' folders")
    publish.set_defaults(command="benchmark.commands.publish", parser=publish)

    adopt = verbs.add_parser(
        "adopt",
        help="import a published board into a results folder",
        allow_abbrev=False,
    )
    adopt.add_argument("board", type=Path, metavar="BOARD", help="a published board's folder, or its records.parquet")
    adopt.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    adopt.set_defaults(command="benchmark.commands.adopt", parser=adopt)

    remove = verbs.add_parser("remove", help="remove cells from a results folder", allow_abbrev=False)
    remove.add_argument("--suite", nargs="+", metavar="PATTERN", help="only cells of these suites")
    remove.add_argument("--targets", nargs="+", metavar="PATTERN", help="only cells of these targets")
    remove.add_argument(
        "--attacks",
        nargs="+",
        metavar="PATTERN",
        help="only cells of these attacks, best-of included",
    )
    remove.add_argument("--images", type=int, metavar="N", help="only cells of rows over exactly N images")
    remove.add_argument("--damaged", action="store_true", help="only cells whose files are damaged")
    remove.add_argument("--shared", action="store_true", help="also what only they use: answers, surrogates")
    remove.add_argument("--yes", action="store_true", help="remove them; without this option, only list them")
    remove.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    remove.set_defaults(command="benchmark.commands.remove", parser=remove)

    _add_rechecks(verbs)

    train = verbs.add_parser("train", help="retrain a target's base classifier", allow_abbrev=False)
    train.add_argument("target", metavar="TARGET")
    train.add_argument("--output", type=Path, default=Path("weights"), metavar="DIR", help="default: weights")
    train.add_argument("--seed", type=int, default=0, metavar="S")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    _add_data(train)
    train.add_argument("--quiet", action="store_true", help="print no progress bar")
    train.set_defaults(command="benchmark.commands.train", parser=train)

    certify = verbs.add_parser("certify", help="write certified radii, in Cohen's format", allow_abbrev=False)
    certify.add_argument("target", metavar="TARGET")
    certify.add_argument("--n0", type=int, default=100, metavar="N", help="samples that select the class (default 100)")
    _add_answers(certify, "certify", samples=10_000)
    certify.set_defaults(command="benchmark.commands.certify", parser=certify)

    predict = verbs.add_parser("predict", help="write predictions, in Cohen's format", allow_abbrev=False)
    predict.add_argument("target", metavar="TARGET")
    _add_answers(predict, "predict", samples=1000)
    predict.add_argument(
        "--sequential",
        action="store_true",
        help="stop sampling as soon as an anytime-valid test allows, at --samples at the latest; a different predictor",
    )
    predict.set_defaults(command="benchmark.commands.predict", parser=predict)

    _add_reproduce(verbs.add_parser("reproduce", help="run the seed paper's experiment", allow_abbrev=False))
    return root


def _add_rechecks(verbs: argparse._SubParsersAction[_Parser]) -> None:
    """The verbs that check results again, and let in what was made elsewhere."""
    again = verbs.add_parser(
        "reevaluate", help="score stored images again under other n, alpha or seed", allow_abbrev=False
    )
    again.add_argument("--samples", nargs="+", type=int, metavar="N", help="PREDICT's n; rows for each")
    again.add_argument("--alpha", type=_number, metavar="A", help="PREDICT's level (default: as it was)")
    again.add_argument("--seed", nargs="+", type=int, metavar="S", help="keys the noise; rows for each")
    again.add_argument("--suite", nargs="+", metavar="PATTERN", help="rows of these suites (default: all)")
    again.add_argument("--targets", nargs="+", metavar="PATTERN", help="of these targets")
    again.add_argument("--attacks", nargs="+", metavar="PATTERN", help="of these attacks, best-of included")
    again.add_argument("--epsilons", nargs="+", type=_number, metavar="E", help="at these ε")
    again.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    again.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    _add_data(again)
    _add_plugin(again)
    again.add_argument("--quiet", action="store_true", help="no progress")
    again.set_defaults(command="benchmark.commands.reevaluate", parser=again)

    submit = verbs.add_parser("submit", help="score images that another program made", allow_abbrev=False)
    submit.add_argument(
        "file", type=Path, metavar="FILE.npz", help="arrays images (N, C, H, W) and, optionally, indices"
    )
    submit.add_argument("--target", required=True, metavar="T", help="the target that they attack")
    submit.add_argument("--epsilon", required=True, type=_number, metavar="E", help="ℓ2 budget in [0, 1] pixel units")
    submit.add_argument("--name", required=True, metavar="NAME", help="what the method is called on the board")
    submit.add_argument("--queries", type=int, metavar="N", help="queries an image to the target, as you say")
    submit.add_argument("--suite", metavar="NAME", help="the suite whose rows it joins (default: that of the target's)")
    submit.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: that of the rows it joins)")
    submit.add_argument("--alpha", type=_number, metavar="A", help="PREDICT's level (default: likewise)")
    submit.add_argument("--seed", type=int, metavar="S", help="keys the noise (default: drawn now, and recorded)")
    submit.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    submit.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    _add_data(submit)
    _add_plugin(submit)
    submit.add_argument("--quiet", action="store_true", help="no progress")
    submit.set_defaults(command="benchmark.commands.submit", parser=submit)

    export = verbs.add_parser(
        "export", help="write a target's clean images for a method in another program", allow_abbrev=False
    )
    export.add_argument("target", metavar="TARGET")
    export.add_argument("--images", type=int, default=50, metavar="N", help="spread evenly (default 50)")
    export.add_argument("--samples", type=int, default=1000, metavar="N", help="PREDICT's n to attack (default 1000)")
    export.add_argument("--alpha", type=_number, default=0.001, metavar="A", help="its level (default 0.001)")
    export.add_argument("--output", type=Path, required=True, metavar="FILE.npz")
    _add_data(export)
    _add_plugin(export)
    export.set_defaults(command="benchmark.commands.export", parser=export)

    compare = verbs.add_parser(
        "compare", help="compare two attacks, or two results folders or boards", allow_abbrev=False
    )
    compare.add_argument("first", metavar="A", help="an attack's name, or a results folder or a board")
    compare.add_argument("second", metavar="B", help="the other one, of the same kind")
    compare.add_argument("--targets", nargs="+", metavar="PATTERN", help="on these targets")
    compare.add_argument("--attacks", nargs="+", metavar="PATTERN", help="of two folders, these attacks")
    compare.add_argument("--epsilons", nargs="+", type=_number, metavar="E", help="at these ε")
    compare.add_argument(
        "--fail-below",
        type=_number,
        metavar="X",
        help="exit code 1 where B abstains in more than X points less than A, with adjusted p < 0.05",
    )
    compare.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="of two attacks: folder or board"
    )
    compare.add_argument("--json", action="store_true", help="as JSON")
    compare.set_defaults(command="benchmark.commands.compare", parser=compare)

    verify = verbs.add_parser("verify", help="check a board or results folder against its records", allow_abbrev=False)
    verify.add_argument("folder", type=Path, metavar="BOARD|RESULTS")
    _add_data(verify)
    _add_plugin(verify)
    verify.set_defaults(command="benchmark.commands.verify", parser=verify)


def _add_answers(verb: argparse.ArgumentParser, name: str, samples: int) -> None:
    """The options of ``certify`` and ``predict``."""
    verb.add_argument("--images", type=int, metavar="N", help="evaluation images, evenly spaced (default 500, or all)")
    verb.add_argument(
        "--samples", type=int, default=samples, metavar="N", help=f"{name.upper()}'s n (default {samples})"
    )
    verb.add_argument("--alpha", type=_number, default=0.001, metavar="A", help="error level (default 0.001)")
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the noise (default 0)")
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    verb.add_argument("--output", type=Path, metavar="FILE.tsv", help=f"default: results/TARGET.{name}.tsv")
    _add_data(verb)
    _add_plugin(verb)
    verb.add_argument("--quiet", action="store_true", help="print no progress bar")


def _add_reproduce(verb: argparse.ArgumentParser) -> None:
    verb.description = (
        "The whole experiment of the seed paper on one target, and a report with every number beside the paper's. "
        "With N attacked images the adversary queries 50 N training images, 10 N test images, 2 N images of "
        "uniform noise and 2 N unrelated ones (as far as there are so many), and the black box is evaluated on 10 N "
        "originals: 1,000 give the paper's 50,000 and 10,000. --images 1000 is estimated at nine hours on two cores: "
        "six for 85 million passes of a ResNet-20 at 4,000 a second (two where a -bf16 target runs at 12,000), three "
        "for surrogates and attacks. --images 5 --query-samples 100 --samples 100 --epochs 1 shows in a minute or two "
        "that everything runs. A run that is stopped loses about a minute and goes on where it was."
    )
    verb.add_argument("--images", type=int, default=1000, metavar="N", help="attacked test images (default 1000)")
    verb.add_argument("--target", default=REPRODUCED, metavar="NAME", help=f"default: {REPRODUCED}")
    verb.add_argument(
        "--samples", type=int, nargs="+", default=[1000, 10_000], metavar="N", help="PREDICT's n (default 1000 10000)"
    )
    verb.add_argument("--query-samples", type=int, default=1000, metavar="N", help="n of the queries (default 1000)")
    verb.add_argument(
        "--epochs", type=int, default=20, metavar="E", help="for 50,000 images; up to 4 E for fewer (default 20)"
    )
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="seed of every random stream (default 0)")
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    verb.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    verb.add_argument("--output", type=Path, default=Path("reproduction"), metavar="DIR", help="default: reproduction")
    _add_data(verb)
    _add_plugin(verb)
    verb.add_argument("--quiet", action="store_true", help="print no progress")
    verb.set_defaults(command="benchmark.commands.reproduce", parser=verb)


def _add_kit(verbs: argparse._SubParsersAction[_Parser]) -> None:
    """The verbs for authors of plugins: ``new``, ``check`` and ``show``."""
    new = verbs.add_parser("new", help="write an attack or a target to begin with, and its test", allow_abbrev=False)
    new.add_argument("kind", choices=("attack", "target"))
    new.add_argument("name", metavar="NAME", help="that it is registered under, as my-attack")
    new.add_argument(
        "--access",
        choices=("white-box", "score", "decision", "transfer", "hybrid", "none"),
        help="what the attack may use (default: white-box)",
    )
    new.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    new.set_defaults(command="benchmark.commands.new", parser=new)

    check = verbs.add_parser("check", help="say what an attack or a target keeps of its contract", allow_abbrev=False)
    check.add_argument("what", metavar="FILE|NAME", help="a plugin file, or the name of an attack or a target")
    _add_plugin(check)
    check.set_defaults(command="benchmark.commands.check", parser=check)

    show = verbs.add_parser("show", help="show a cell's settings, and its traceback if it failed", allow_abbrev=False)
    show.add_argument("cell", nargs="?", metavar="CELL", help="its key, or the beginning of it; without, what failed")
    show.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    show.set_defaults(command="benchmark.commands.show", parser=show)


def _add_engine(verb: argparse.ArgumentParser) -> None:
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
    verb.add_argument("--cell-timeout", type=_number, metavar="SECONDS", help="end an attack that takes longer")
    verb.add_argument("--cell-memory", type=_number, metavar="GB", help="main memory that an attack may take")
    verb.add_argument("--dry-run", action="store_true", help="only say what would be run, and how long it may take")


def _add_audit(audit: _Parser) -> None:
    """What an audit may choose."""
    audit.add_argument("target", metavar="TARGET")
    audit.add_argument("--epsilons", nargs="+", type=_number, metavar="E", help="ℓ2 budgets (default: 0.5 1.0)")
    audit.add_argument("--images", type=int, metavar="N", help="number of evaluation images (default: 50)")
    audit.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: 1000)")
    audit.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    audit.add_argument("--results", type=Path, metavar="DIR", help="default: audit-TARGET")
    _add_data(audit)
    _add_plugin(audit)
    audit.add_argument("--quiet", action="store_true", help="print no progress")
    audit.set_defaults(command="benchmark.commands.audit", parser=audit)


def _add_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds cifar-10-batches-py (default: $ABSTENTION_BENCH_DATA, else CIFAR-10 is downloaded)",
    )


def _add_plugin(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="FILE.py|FILE.toml",
        help="Python files that register attacks or targets, or TOML files that describe targets",
    )
