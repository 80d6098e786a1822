"""The options of `new`, `check` and `show`."""

from __future__ import annotations

from pathlib import Path

from benchmark.options.shared import add_plugin, add_results
from benchmark.options.verb import Verbs


def add_kit(verbs: Verbs) -> None:
    """The verbs for authors of plugins."""
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
    add_plugin(check)
    check.set_defaults(command="benchmark.commands.check", parser=check)

    show = verbs.add_parser("show", help="show a cell's settings, and its traceback if it failed", allow_abbrev=False)
    show.add_argument("cell", nargs="?", metavar="CELL", help="its key, or the beginning of it; without, what failed")
    add_results(show)
    show.set_defaults(command="benchmark.commands.show", parser=show)
