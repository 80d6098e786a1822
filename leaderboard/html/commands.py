"""The command that computes one row again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leaderboard.board import is_best_of
from leaderboard.machines import Asked
from leaderboard.stored.cell import StoredCell


def row_command(cell: StoredCell, images: int, command: Callable[[Asked], str]) -> str:
    """What runs the row that this cell is the newest of, over so many images, as `command` says it.

    What the run that asked for the cell said otherwise (plugins, settings) is said again. Of a best-of row, its
    attacks are run.
    """
    settings = cell.settings
    requests = [request for request in cell.asked if request["images"] == images] or cell.asked
    words = _groups(requests[-1]["options"] if requests else [])
    words.setdefault("--suite", [[settings["suite"]]])
    attack, parameters = settings["attack"], settings["parameters"]
    members = str(parameters.get("attacks", "")).split(", ") if is_best_of(attack) else [attack]
    own = {
        "--targets": [settings["target"]],
        "--attacks": members,
        "--epsilons": [f"{settings['epsilon']:.15g}"],
        "--query-budgets": [str(settings["query_budget"])] if settings.get("query_budget") else [],
        "--images": [str(images)],
        "--samples": [str(settings["n"])],
        "--alpha": [f"{settings['alpha']:.15g}"],
        "--seed": [str(settings["seed"])],
    }
    words |= {option: [values] for option, values in own.items() if values}
    words["--set"] = [
        chosen
        for values in words.get("--set", [])
        if (chosen := [value for value in values if value.partition(".")[0] in members])
    ]
    options = [word for option, uses in words.items() for values in uses for word in (option, *values)]
    asked = Asked(
        suite=settings["suite"],
        n=settings["n"],
        alpha=settings["alpha"],
        seed=settings["seed"],
        images=images,
        epsilons=[settings["epsilon"]],
        query_budgets=[settings["query_budget"]] if settings.get("query_budget") else [],
        options=options,
    )
    return command(asked)


def _groups(words: Sequence[str]) -> dict[str, list[list[str]]]:
    """A command line's options, each with the values of each of its uses."""
    found: dict[str, list[list[str]]] = {}
    last: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            last = []
            found.setdefault(word, []).append(last)
        elif last is not None:
            last.append(word)
    return found
