"""The options of `reproduce`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_data, add_device, add_plugin, add_quiet, add_results
from benchmark.options.verb import Verbs

REPRODUCED = "cifar10-sigma0.50-bf16"
"""The target of the seed paper's experiment."""


def add_reproduce(verbs: Verbs) -> None:
    """The verb of the seed paper."""
    verb = verbs.add_parser("reproduce", help="run the seed paper's experiment", allow_abbrev=False)
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
    add_device(verb)
    add_results(verb)
    verb.add_argument("--output", type=Path, default=Path("reproduction"), metavar="DIR", help="default: reproduction")
    add_data(verb)
    add_plugin(verb)
    add_quiet(verb)
    verb.set_defaults(command="benchmark.commands.reproduce", parser=verb)
