"""The command line. Nothing heavy is imported here: each verb imports what it needs when it runs."""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from benchmark.commands.signals import INTERRUPTED
from benchmark.message import one_line
from benchmark.numeral import numeral
from benchmark.terminal.console import tolerant

REPRODUCED = "cifar10-sigma0.50-bf16"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {one_line(message)}; see {self.prog} --help\n")


def _number(text: str) -> float:
    try:
        return numeral(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
    except OverflowError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def program() -> str:
    """How this was started, for others to start it so."""
    return "abstention-bench" if Path(sys.argv[0]).stem == "abstention-bench" else "python -m benchmark"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = _Parser(
        prog=program(),
        description="Can an attacker make a certified classifier refuse to answer?",
        allow_abbrev=False,
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = verbs.add_parser("run", help="run attacks on targets and print the board", allow_abbrev=False)
    what = run.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="the default suite, every attack on every target of it")
    what.add_argument("--suite", metavar="NAME|FILE.toml", help="a suite by name, or one of your own (default: digits)")
    run.add_argument("--targets", nargs="+", metavar="PATTERN", help="targets, by name or shell-style pattern")
    run.add_argument("--attacks", nargs="+", metavar="PATTERN", help="attacks, by name or shell-style pattern")
    run.add_argument("--epsilons", nargs="+", type=_number, metavar="E", help="ℓ2 budgets (default: the suite's)")
    run.add_argument(
        "--query-budgets",
        nargs="+",
        type=int,
        metavar="Q",
        help="most queries an image, for score, decision and hybrid access; a row for each (default: the suite's)",
    )
    run.add_argument("--images", type=int, metavar="N", help="evaluation images, spread evenly")
    run.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: the suite's)")
    run.add_argument("--alpha", type=_number, metavar="A", help="PREDICT's level (default: the suite's)")
    run.add_argument("--seed", type=int, metavar="S", help="keys every random stream (default: the suite's)")
    run.add_argument(
        "--ceiling-samples", type=int, metavar="N", help="noise samples a ceiling rests on (default: the suite's)"
    )
    run.add_argument(
        "--no-best-of", dest="best_of", action="store_false", default=None, help="no rows of the best of each access"
    )
    run.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="ATTACK.NAME=VALUE",
        help="a hyper-parameter, as margin.steps=30 (default: the suite's, else the attack's)",
    )
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that run cells (default: one for each core where images are small and cells are many, else 1)",
    )
    run.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    _add_data(run)
    _add_plugin(run)
    run.add_argument("--tables", action="store_true", help="print every row at the end, not one matrix a suite")
    run.add_argument("--quiet", action="store_true", help="no progress, only the board")
    run.set_defaults(command="benchmark.commands.run", parser=run)

    listing = verbs.add_parser("list", help="list what is registered", allow_abbrev=False)
    listing.add_argument("what", choices=("targets", "attacks", "suites"))
    listing.add_argument("--json", action="store_true", help="as JSON")
    _add_plugin(listing)
    listing.set_defaults(command="benchmark.commands.listing", parser=listing)

    publish = verbs.add_parser("publish", help="write the board as a page, JSON and pictures", allow_abbrev=False)
    publish.add_argument("--suite", nargs="+", metavar="NAME", help="only the rows of these suites")
    publish.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    publish.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="default: the results folder, beside what it is of",
    )
    publish.add_argument("--force", action="store_true", help="put it into the place of another board that is there")
    publish.add_argument(
        "--shared",
        action="store_true",
        help="also what cells share (answers, surrogates, what ceilings rest on), for adopt to go on from; megabytes",
    )
    publish.set_defaults(command="benchmark.commands.publish", parser=publish)

    adopt = verbs.add_parser(
        "adopt", help="put a published board's records into a results folder, for a run to go on", allow_abbrev=False
    )
    adopt.add_argument("board", type=Path, metavar="BOARD", help="a published board's folder, or its records.parquet")
    adopt.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    adopt.set_defaults(command="benchmark.commands.adopt", parser=adopt)

    remove = verbs.add_parser("remove", help="remove trials from a results folder", allow_abbrev=False)
    remove.add_argument("--suite", nargs="+", metavar="PATTERN", help="cells of these suites")
    remove.add_argument("--targets", nargs="+", metavar="PATTERN", help="of these targets")
    remove.add_argument("--attacks", nargs="+", metavar="PATTERN", help="of these attacks, best-of included")
    remove.add_argument("--images", type=int, metavar="N", help="of rows of so many images, and of no others")
    remove.add_argument("--damaged", action="store_true", help="cells whose files are not what a run wrote")
    remove.add_argument("--shared", action="store_true", help="also what only these cells share: answers, surrogates")
    remove.add_argument("--yes", action="store_true", help="do it; without, only say what would be removed")
    remove.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    remove.set_defaults(command="benchmark.commands.remove", parser=remove)

    train = verbs.add_parser("train", help="train a target's base classifier again", allow_abbrev=False)
    train.add_argument("target", metavar="TARGET")
    train.add_argument("--output", type=Path, default=Path("weights"), metavar="DIR", help="default: weights")
    train.add_argument("--seed", type=int, default=0, metavar="S")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    _add_data(train)
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(command="benchmark.commands.train", parser=train)

    certify = verbs.add_parser("certify", help="write the field's table of certified radii", allow_abbrev=False)
    certify.add_argument("target", metavar="TARGET")
    certify.add_argument("--n0", type=int, default=100, metavar="N", help="noise samples that select (default 100)")
    _add_answers(certify, "certify", samples=10_000)
    certify.set_defaults(command="benchmark.commands.certify", parser=certify)

    predict = verbs.add_parser("predict", help="write the field's table of predictions", allow_abbrev=False)
    predict.add_argument("target", metavar="TARGET")
    _add_answers(predict, "predict", samples=1000)
    predict.add_argument(
        "--sequential",
        action="store_true",
        help="another predictor: an anytime-valid test that stops as soon as it can, with --samples at most",
    )
    predict.set_defaults(command="benchmark.commands.predict", parser=predict)

    _add_reproduce(verbs.add_parser("reproduce", help="run the seed paper's experiment", allow_abbrev=False))
    return root


ELSEWHERE = {
    "--samples": ("--n", "--num-samples", "--n-samples"),
    "--n0": ("--n0",),
    "--images": ("--num", "--n-examples", "--n-ex", "--num-images", "--num-examples"),
    "--output": ("--outfile", "--out", "--output-file", "--log", "--log-path"),
    "--epsilons": ("--eps", "--epsilon", "--norm-thresh", "--threshold"),
    "--query-budgets": ("--n-queries", "--max-queries", "--queries", "--query-budget"),
    "--attacks": ("--attack", "--attacks-to-run", "--version"),
    "--targets": ("--target", "--model", "--model-name"),
    "--device": ("--gpu", "--cuda"),
    "--data": ("--data-dir", "--dataset-dir", "--root"),
}
"""Our options, and what the field's scripts (Cohen's, RobustBench's, AutoAttack's) call them, in small letters."""

NOT_OPTIONS = {
    ("--skip", "--max"): "images are spread evenly over the split, and --images N says how many",
    ("--batch", "--batch-size", "--bs"): "the batch is chosen by itself and changes no result",
    ("--sigma", "--noise", "--noise-sd"): "σ belongs to the target, and is given where that is registered",
    ("--split", "--dataset"): "images are those of the target's evaluation split",
    ("--norm", "--threat-model"): "budgets are ℓ2, in [0, 1] pixel units",
}
"""What those scripts ask for and we do not."""


def _did_you_mean(option: str, verb: argparse.ArgumentParser) -> str:
    """A hint for an option that the verb lacks: the field's name for one of ours, or a misspelling; else nothing."""
    known = re.findall(r"--[a-z0-9-]+", verb.format_usage())
    asked = option.partition("=")[0].lower().replace("_", "-")
    for ours, names in ELSEWHERE.items():
        if asked in names and ours in known:
            return f"; did you mean {ours}?"
    for names, reason in NOT_OPTIONS.items():
        if asked in names and all(option in known for option in re.findall(r"--[a-z]+", reason)):
            return f"; {reason}"
    close = difflib.get_close_matches(asked, known, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""


def _check_paths(chosen: argparse.Namespace) -> None:
    """End with one line for a path that no file can have: Python's own errors for those come late and unexplained."""
    for name, value in vars(chosen).items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path):
                try:
                    os.lstat(path)
                except ValueError:
                    chosen.parser.error(f"{name}: {str(path)!r} is no path, since it holds a zero character")
                except OSError as error:
                    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
                        chosen.parser.error(f"{name}: {path} is no path: {error.strerror}")


def _add_answers(verb: argparse.ArgumentParser, name: str, samples: int) -> None:
    """The options of ``certify`` and ``predict``."""
    verb.add_argument("--images", type=int, metavar="N", help="evaluation images, spread evenly (default 500, or all)")
    verb.add_argument(
        "--samples", type=int, default=samples, metavar="N", help=f"{name.upper()}'s n (default {samples})"
    )
    verb.add_argument("--alpha", type=_number, default=0.001, metavar="A", help="level (default 0.001)")
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="keys the noise (default 0)")
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    verb.add_argument("--output", type=Path, metavar="FILE.tsv", help=f"default: results/TARGET.{name}.tsv")
    _add_data(verb)
    _add_plugin(verb)
    verb.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_reproduce(verb: argparse.ArgumentParser) -> None:
    verb.description = (
        "The whole experiment of the seed paper on one target, and a report in which every number stands beside the "
        "paper's. With N attacked images the adversary queries 50 N training images, 10 N test images, 2 N images of "
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
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="keys every random stream (default 0)")
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    verb.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    verb.add_argument("--output", type=Path, default=Path("reproduction"), metavar="DIR", help="default: reproduction")
    _add_data(verb)
    _add_plugin(verb)
    verb.add_argument("--quiet", action="store_true", help="no progress")
    verb.set_defaults(command="benchmark.commands.reproduce", parser=verb)


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
        type=Path,
        default=[],
        metavar="FILE.py|FILE.toml",
        help="files that register attacks or targets, or that describe targets",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0: done. 1: done, but some cells failed, or the output could not be written. 2: bad input, said in one line.
    130: interrupted.
    """
    with tolerant() as problems:
        code = _main(arguments)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return code or int(bool(problems))


def _main(arguments: Sequence[str] | None) -> int:
    chosen, strange = parser().parse_known_args(arguments)
    if strange:
        if not strange[0].startswith("-"):
            chosen.parser.error(f"{strange[0]!r} is one argument too many")
        chosen.parser.error(f"unknown option {strange[0]}{_did_you_mean(strange[0], chosen.parser)}")
    _check_paths(chosen)
    # By default OpenMP threads spin while they wait, which on a machine shared with another program costs a factor
    # of ten. It must be said before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from importlib import import_module

    from leaderboard.errors import StoreError

    try:
        command = import_module(chosen.command)
        from targets.errors import InputError, TargetError
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        code: int = command.main(chosen)
    except (InputError, TargetError, StoreError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return code
