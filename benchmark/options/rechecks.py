"""The options of `reevaluate`, `submit`, `export`, `compare` and `verify`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_data, add_device, add_plugin, add_quiet, add_results, number
from benchmark.options.verb import Verbs


def add_rechecks(verbs: Verbs) -> None:
    """The verbs that check results again, and let in what was made elsewhere."""
    again = verbs.add_parser(
        "reevaluate", help="score stored images again under other n, alpha or seed", allow_abbrev=False
    )
    again.add_argument("--samples", nargs="+", type=int, metavar="N", help="PREDICT's n; rows for each")
    again.add_argument(
        "--alpha", type=number, metavar="A", help="PREDICT's level (default: as it was; with --sequential 0.001)"
    )
    again.add_argument("--seed", nargs="+", type=int, metavar="S", help="keys the noise; rows for each")
    again.add_argument(
        "--sequential",
        action="store_true",
        help="score nothing; measure what the images cost the sequential predictor, "
        "with one --samples N as the most (default 10,000) and no --seed",
    )
    again.add_argument("--suite", nargs="+", metavar="PATTERN", help="rows of these suites (default: all)")
    again.add_argument("--targets", nargs="+", metavar="PATTERN", help="of these targets")
    again.add_argument("--attacks", nargs="+", metavar="PATTERN", help="of these attacks, best-of included")
    again.add_argument("--epsilons", nargs="+", type=number, metavar="E", help="at these ε")
    add_device(again)
    add_results(again)
    add_data(again)
    add_plugin(again)
    add_quiet(again)
    again.set_defaults(command="benchmark.commands.reevaluate", parser=again)

    submit = verbs.add_parser("submit", help="score images that another program made", allow_abbrev=False)
    submit.add_argument(
        "file", type=Path, metavar="FILE.npz", help="arrays images (N, C, H, W) and, optionally, indices"
    )
    submit.add_argument("--target", required=True, metavar="T", help="the target that they attack")
    submit.add_argument("--epsilon", required=True, type=number, metavar="E", help="ℓ2 budget in [0, 1] pixel units")
    submit.add_argument("--name", required=True, metavar="NAME", help="what the method is called on the board")
    submit.add_argument("--queries", type=int, metavar="N", help="queries an image to the target, as you say")
    submit.add_argument("--suite", metavar="NAME", help="the suite whose rows it joins (default: that of the target's)")
    submit.add_argument("--samples", type=int, metavar="N", help="PREDICT's n (default: that of the rows it joins)")
    submit.add_argument("--alpha", type=number, metavar="A", help="PREDICT's level (default: likewise)")
    submit.add_argument("--seed", type=int, metavar="S", help="keys the noise (default: drawn now, and recorded)")
    add_device(submit)
    add_results(submit)
    add_data(submit)
    add_plugin(submit)
    add_quiet(submit)
    submit.set_defaults(command="benchmark.commands.submit", parser=submit)

    export = verbs.add_parser(
        "export", help="write a target's clean images for a method in another program", allow_abbrev=False
    )
    export.add_argument("target", metavar="TARGET")
    export.add_argument("--images", type=int, default=50, metavar="N", help="spread evenly (default 50)")
    export.add_argument("--samples", type=int, default=1000, metavar="N", help="PREDICT's n to attack (default 1000)")
    export.add_argument("--alpha", type=number, default=0.001, metavar="A", help="its level (default 0.001)")
    export.add_argument("--output", type=Path, required=True, metavar="FILE.npz")
    add_data(export)
    add_plugin(export)
    export.set_defaults(command="benchmark.commands.export", parser=export)

    compare = verbs.add_parser(
        "compare", help="compare two attacks, or two results folders or boards", allow_abbrev=False
    )
    compare.add_argument("first", metavar="A", help="an attack's name, or a results folder or a board")
    compare.add_argument("second", metavar="B", help="the other one, of the same kind")
    compare.add_argument("--targets", nargs="+", metavar="PATTERN", help="on these targets")
    compare.add_argument("--attacks", nargs="+", metavar="PATTERN", help="of two folders, these attacks")
    compare.add_argument("--epsilons", nargs="+", type=number, metavar="E", help="at these ε")
    compare.add_argument(
        "--fail-below",
        type=number,
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
    add_data(verify)
    add_plugin(verify)
    verify.set_defaults(command="benchmark.commands.verify", parser=verify)
