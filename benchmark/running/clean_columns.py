"""A record's columns that do not depend on the attack: PREDICT, certificate and ceiling at the original image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.budget import SLACK
from benchmark.cell import Cell, ceiling_settings
from benchmark.key import CEILING, CEILING_VERSION, PROTOCOL, key_of
from benchmark.running.clean_images import CleanImages
from benchmark.running.evaluation import PREDICT_COLUMNS, predicted, take
from benchmark.running.resumable import Report, silent
from leaderboard import Store
from leaderboard.stored.cell import StoredCell
from targets import DATA
from targets.ceiling import ERROR, ceilings
from targets.confidence import certificate
from targets.looks import Looks

if TYPE_CHECKING:
    from pandas import DataFrame

DECISIVE = ("target", "data", "sigma", "weights", "epsilon", "n", "alpha", "seed", "images", *CEILING)
"""The settings of a cell that decide what these columns hold."""

ORIGINALS = "originals"
"""What the store calls these columns."""

PROVEN = ("ceiling", "certified_label", "certified_radius")


def clean_columns(cell: Cell, store: Store, report: Report = silent) -> dict[str, NDArray[Any]]:
    """These columns of a cell's records, each (N,). All cells on these images at this epsilon share them.

    Args:
        report: is told how far sampling is.
    """
    stored = store.shared(_key(cell.settings()))
    if stored is not None:
        return stored
    clean = _clean_images(cell, store, report)
    votes = clean.votes(cell.suite.samples)
    predictions = {f"clean_{name}": column for name, column in predicted(votes, cell.suite.alpha).items()}
    columns = predictions | proven(cell, clean, votes.argmax(1))
    _write(store, cell.settings(), columns)
    return columns


def adopt_clean_columns(store: Store, cell: StoredCell, records: DataFrame) -> None:
    """Store these columns of an adopted cell's records, so that other cells need not sample them again.

    Does nothing for a cell whose ceilings are of an older version.
    """
    if cell.settings.get("ceiling_version") == CEILING_VERSION and store.shared(_key(cell.settings)) is None:
        columns = (*(f"clean_{name}" for name in PREDICT_COLUMNS), *PROVEN)
        _write(store, cell.settings, {name: records[name].to_numpy() for name in columns})


def better_proof(cell: Cell, stored: StoredCell, store: Store) -> Cell | None:
    """A cell whose suite proves better ceilings than the stored cell has; None where there is nothing better.

    It is ``cell`` where its proof is as new or newer and its suite draws as many samples or more. From fewer samples a
    newer proof may give much higher ceilings, so it replaces none. There the newer proof is made from the stored cell's
    own number of samples, if these are stored: it draws none.
    """
    (held_version, *held), (version, *samples) = map(_proof, (stored.settings, ceiling_settings(cell.suite)))
    if version >= held_version and all(new >= old for new, old in zip(samples, held, strict=True)):
        return cell if (version, samples) != (held_version, held) else None
    least, most = held
    if version > held_version and not most and _clean_images(cell, store).has_evidence(least):
        return replace(cell, suite=replace(cell.suite, ceiling_samples=least, ceiling_samples_max=0))
    return None


def renew_ceilings(cell: Cell, stored: StoredCell, store: Store, report: Report = silent) -> None:
    """Prove a stored cell's ceilings again, as this cell's suite does; leave everything else of it as it is."""
    settings = cell.settings()
    records = store.records(stored.key)
    known = store.shared(_key(settings))
    if known is None:
        found = proven(cell, _clean_images(cell, store, report), records.clean_first.to_numpy())
        known = {f"clean_{name}": records[f"clean_{name}"].to_numpy() for name in PREDICT_COLUMNS} | found
        _write(store, settings, known)  # many cells share them
    renewed = records.assign(**{name: known[name] for name in PROVEN})
    store.renew_cell(stored, {name: settings[name] for name in CEILING}, renewed)


def _clean_images(cell: Cell, store: Store, report: Report = silent) -> CleanImages:
    images = take(DATA[cell.target.data].split("evaluation").images, cell.images).to(cell.target.device)
    return CleanImages(store, cell.target, images, cell.images, cell.suite.seed, report)


def proven(cell: Cell, clean: CleanImages, selected: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The columns of `PROVEN`.

    Args:
        selected: the class of each image that CERTIFY and the looks are to certify (N,), chosen on other noise.
    """
    suite, sigma = cell.suite, cell.target.sigma
    votes, halves = clean.evidence(suite.ceiling_samples)
    label, radius = certificate(selected, votes, sigma, suite.alpha)
    reach = cell.epsilon * (1 + SLACK)  # what the budget rule accepts
    error = ERROR / 2 if suite.ceiling_samples_max else ERROR
    bounds = ceilings(votes, reach, sigma, suite.samples, suite.alpha, confidence=1 - error, halves=halves)
    if suite.ceiling_samples_max:
        looks = Looks(
            suite.ceiling_samples, suite.ceiling_samples_max, reach / sigma, suite.samples, suite.alpha, ERROR
        )
        on = np.flatnonzero(looks.promising(votes, selected, bounds))
        bounds[on] = np.minimum(bounds[on], looks.proven(clean.more_votes(looks, on.tolist()), selected[on]))
    return dict(zip(PROVEN, (bounds, label, radius), strict=True))


def _write(store: Store, settings: dict[str, Any], columns: dict[str, NDArray[Any]]) -> None:
    store.write_shared(_key(settings), _identity(settings), columns)


def _key(settings: dict[str, Any]) -> str:
    return key_of(_identity(settings))


def _identity(settings: dict[str, Any]) -> dict[str, Any]:
    identity = {"protocol": PROTOCOL, "what": ORIGINALS, **{name: settings[name] for name in DECISIVE}}
    if "content" in settings:
        identity["content"] = {"images": settings["content"]["images"]}
    return identity


def _proof(settings: dict[str, Any]) -> list[int]:
    """A cell's settings of `CEILING`. Those of the first version name none, those of the second no looks."""
    return [settings.get(name, 0 if name == "ceiling_samples_max" else 1) for name in CEILING]
