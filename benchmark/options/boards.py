"""The options of `publish`, `adopt` and `remove`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_data, add_device, add_plugin, add_results
from benchmark.options.verb import Verbs


def add_boards(verbs: Verbs) -> None:
    """The verbs that write a board, take one in, and clear up."""
    publish = verbs.add_parser("publish", help="write the board: a page, JSON and pictures", allow_abbrev=False)
    publish.add_argument("--suite", nargs="+", metavar="NAME", help="only rows of these suites")
    add_results(publish)
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
    add_results(adopt)
    adopt.add_argument(
        "--recheck", type=int, metavar="K", help="first compute K records again, drawn at random; refuse if one differs"
    )
    add_device(adopt)
    add_data(adopt)
    add_plugin(adopt)
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
    add_results(remove)
    remove.set_defaults(command="benchmark.commands.remove", parser=remove)
