"""The options of `train`, `certify` and `predict`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_data, add_device, add_plugin, add_quiet, number
from benchmark.options.verb import Verb, Verbs


def add_classifiers(verbs: Verbs) -> None:
    """The verbs of a target without attacks."""
    train = verbs.add_parser("train", help="retrain a target's base classifier", allow_abbrev=False)
    train.add_argument("target", metavar="TARGET", help="a shipped target, as `list targets` prints it")
    train.add_argument(
        "--output", type=Path, default=Path("weights"), metavar="DIR", help="where the weights go (default: weights)"
    )
    train.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of initial weights, order and noise (default 0)"
    )
    add_device(train)
    add_data(train)
    add_quiet(train, "print no progress bar")
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


def _add_answers(verb: Verb, name: str, samples: int) -> None:
    """The options of ``certify`` and ``predict``."""
    verb.add_argument("--images", type=int, metavar="N", help="evaluation images, evenly spaced (default 500, or all)")
    verb.add_argument(
        "--samples", type=int, default=samples, metavar="N", help=f"{name.upper()}'s n (default {samples})"
    )
    verb.add_argument("--alpha", type=number, default=0.001, metavar="A", help="error level (default 0.001)")
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the noise (default 0)")
    add_device(verb)
    verb.add_argument("--output", type=Path, metavar="FILE.tsv", help=f"default: results/TARGET.{name}.tsv")
    add_data(verb)
    add_plugin(verb)
    add_quiet(verb, "print no progress bar")
