"""What is published: boards that are what their records say, without a failed cell or a broken certificate; and
certificates of the shipped weights."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from attacks import ATTACKS
from benchmark.cell import Cell
from benchmark.key import settings_key
from benchmark.running.exported import is_exported
from benchmark.suite import Suite
from benchmark.suite_file import load_suite
from benchmark.tables import tsv
from leaderboard import Store
from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.checks import check
from leaderboard.evidence import Evidence
from leaderboard.sequential import costs
from leaderboard.stored import published_arrays, sequential
from leaderboard.stored.archive import RECORDS, adopt, read
from leaderboard.variants import variants
from targets import ABSTAIN, load
from targets.cifar10_targets import TRAINED
from targets.defences import Gaussian

PUBLISHED = Path(__file__).parent.parent / "leaderboard" / "published"
FOLDER = PUBLISHED / "certified"
BOARDS = sorted(PUBLISHED.rglob("leaderboard.json"))
SHA256 = {sigma: digest for sigma, defence, digest in TRAINED if isinstance(defence, Gaussian)}
RADII = (0.0, 0.25, 0.5, 1.0)


def certified_accuracy(table: list[tsv.Row], radius: float) -> float:
    kept = [row for row in table if row.correct and (row.radius or 0) >= radius]
    return len(kept) / len(table)


@pytest.mark.parametrize("sigma", SHA256)
def test_certificates_are_of_the_shipped_weights(sigma):
    settings = json.loads((FOLDER / f"cifar10-sigma{sigma:.2f}-bf16.json").read_text(encoding="utf-8"))["settings"]
    assert settings["weights"] == SHA256[sigma]
    asked = {"n0": 100, "n": 10_000, "alpha": 0.001, "images": 500, "sigma": sigma, "verb": "certify"}
    assert asked.items() <= settings.items()


@pytest.mark.parametrize("sigma", SHA256)
def test_the_page_says_what_the_certificates_say(sigma):
    table = tsv.read(FOLDER / f"cifar10-sigma{sigma:.2f}-bf16.tsv", tsv.CERTIFY)
    assert [row.idx for row in table] == list(range(0, 10_000, 20))
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    line = re.search(rf"^\| `cifar10-sigma{sigma:.2f}-bf16` \|(.*)$", page, re.MULTILINE)
    assert line
    said = [cell.strip() for cell in line[1].split("|")][: len(RADII) + 1]
    abstained = sum(row.predict == ABSTAIN for row in table) / len(table)
    assert said == [f"{value:.1%}" for value in (*(certified_accuracy(table, r) for r in RADII), abstained)]


EVIDENCE_FIELDS = set(Evidence.__annotations__)

ROWS = {
    "cifar10": "abf1fa97a9bf5859968f36772532955459a5dea1c55262221d025f9bcb47b4d0",
    "cifar10-curves": "da5935a1179f27afb2ef561abdf5f764af6cd6d4e54a82b76e63862158618189",
    "cifar10-defences": "df1ae9452d71b3f44070b0547dce524f045b5ee9a914f2cf17a03d66a872202a",
    "cifar10-from-10": "da519a4bc01ba74d5a092e396f449bc5222ee72b9d39947acc747c17299278ba",
    "cifar10-hybrid": "3a6b4d6e16fbfca0f10e1f1788b2a0a91e47efa219ee9b62619eb671b797f0b6",
    "cifar10-larger": "bf2aa6550edbdd402f9d804d0dc56c85bce199ebab0b1a48ba40588a0b9384ec",
    "digits": "6f86b2a96914740bd519583005419b6959f8b0ad68f98e0e4a7af99f1111a3a5",
    "digits-curves": "0cb3b7e58aca81a09183ac35b09a9b1c8434a6eea3f9a654a8504e775d1019c4",
    "digits-defences": "580a54414ec9e95c1edf5f9916e2214f9c1e5b3c6c31acbc18307e3428c32bb4",
    "digits-samples": "395efea3b20f4ab6a853df7ef3d0fa96e855ed3d30a48842e35a86856ed57a2f",
}
"""By folder, the SHA-256 of its rows without `Evidence` (see `digest_of_rows`). A board that is computed anew has
another."""

EVIDENCE = {
    "cifar10": "225e3e16b8005af088ba0e9d6ff562a63eaf3fb73e213ed2dc2d2be4355d1376",
    "cifar10-curves": "aced2432d904847fc59db0a4bc1f01ee8266a748e88a6253a936a44fd0eef09e",
    "cifar10-defences": "95d95917d52650b9d37753bbbe75d055b08bdd341799d21431a422cc941ea8c2",
    "cifar10-from-10": "3994370d9ab8bc356f9751f7cfa92298e29ad09e42633cf4029ee7aee482305d",
    "cifar10-hybrid": "d8c41e2d8a0e76489c8ea1f004118884f6c7381381728261cbaafc4d2dc745f3",
    "cifar10-larger": "9b44af027b5f507a0a5b0182a1a711f2289c10d49008a6ac6c035efd05657124",
    "digits": "c2a985c42391b7df2f53106f76bad2c5feec5c14628d75dd503ba4fa74d0cc73",
    "digits-curves": "dca3a6b92957b1a2da9942789a8c9b424502f61dc990f85c8e30ee6043c3be8c",
    "digits-defences": "3f1e5c959f123e3d73bd4f3302aad3465f49a1d8e7c0da80d4865021f5fe83be",
    "digits-samples": "5201b65207136d5433cb0b581f812b93111ec422515c4a0cce92343d96f064b6",
}
"""The same of `Evidence` alone: paired tests, net shares and which rows are vacuous."""


def digest_of_rows(path: Path, evidence: bool) -> str:
    """Of what the rows say, without what does not bear on their numbers: `of_images`, `source`, and how many replaced
    cells lie beside."""
    board = json.loads(path.read_text(encoding="utf-8"))
    ignored = {"of_images", "source", "superseded_cells"}
    said = [
        {name: row[name] for name in sorted(row) if name not in ignored and (name in EVIDENCE_FIELDS) == evidence}
        for row in board["rows"]
    ]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def test_the_boards_are_there_and_say_what_they_said():
    assert {path.parent.name: digest_of_rows(path, evidence=False) for path in BOARDS} == ROWS
    assert {path.parent.name: digest_of_rows(path, evidence=True) for path in BOARDS} == EVIDENCE


def test_the_index_names_every_folder_once():
    index = (PUBLISHED / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \[([\w-]+)\]\(([\w./-]+)\)", index, re.MULTILINE)
    assert sorted(name for name, _ in named) == sorted(path.name for path in PUBLISHED.iterdir() if path.is_dir())
    assert all((PUBLISHED / page).is_file() and page.startswith(f"{name}/") for name, page in named)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_no_published_row_failed_or_beats_its_proof(path):
    board = json.loads(path.read_text(encoding="utf-8"))
    for row in board["rows"]:
        assert row["status"] == "ok", (row["target"], row["attack"], row["epsilon"])
        # The ceiling bounds the expected rate: the observed one may be above it by sampling alone.
        assert row["abstention_low"] <= row["ceiling"]
    assert board["audit"]["flips_inside_radius"] <= board["audit"]["flips_allowed"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_on_a_published_board_every_target_has_the_same_images(path):
    board = json.loads(path.read_text(encoding="utf-8"))
    assert len({row["images"] for row in board["rows"]}) == 1


IDLE = {"cw-transfer", "tv-transfer", "margin-transfer", "cross-and-land-transfer", "same-data-transfer", "zoo"}
"""Attacks that the controls equal on some target of some board, which README says of those that it names."""


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_the_check_of_the_attacks_finds_on_a_published_board_what_is_known_of_it(path):
    board = json.loads(path.read_text(encoding="utf-8"))
    found = check(board["rows"])
    assert found == board["checks"]
    assert [finding["text"] for finding in found if finding["severity"] == "warning"] == []
    assert {attack for finding in found for attack in finding["attacks"]} <= IDLE
    assert len(found) <= len(IDLE)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_a_published_board_is_what_its_records_say(path, tmp_path):
    store = Store.open(tmp_path)
    adopted = adopt(store, read(path.parent / RECORDS, settings_key))
    board = json.loads(path.read_text(encoding="utf-8"))
    found = measured(store, variants(store.cells()))
    assert [row for row, _ in found] == [{**row, "source": "adopted"} for row in board["rows"]]
    assert standings(found) == board["standings"]
    drawn = sequential.of_cells(sequential.read(path.parent), store.cells())
    assert costs(variants(store.cells()), drawn) == board.get("sequential", [])
    assert adopted >= sum(machine["cells"] for machine in board["machines"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_a_run_of_today_finds_every_published_cell(path):
    """Under the key that is computed from registries and data of today, not from what is written beside the records."""
    from pyarrow import parquet

    targets, found = {}, 0
    for text in parquet.read_table(path.parent / RECORDS, columns=["cell"])["cell"].unique().to_pylist():
        cell = json.loads(text)
        settings = cell["settings"]
        if settings["attack"] not in ATTACKS:  # best-of
            continue
        attack, name = ATTACKS[settings["attack"]], settings["target"]
        if settings["version"] != attack.version:  # superseded since
            continue
        if name not in targets:
            targets[name] = load(name, "cpu")
        suite = Suite(settings["suite"], samples=settings["n"], alpha=settings["alpha"], seed=settings["seed"])
        today = Cell(
            suite,
            targets[name],
            settings["attack"],
            attack(**settings["parameters"]),
            settings["epsilon"],
            tuple(settings["images"]),
            settings.get("query_budget"),
        )
        # On a CPU whose arithmetic is another the published cells are found under the keys of this one.
        keys = {today.key, *map(settings_key, today.elsewhere())}
        assert cell["key"] in keys, (name, settings["attack"])
        found += 1
    assert found


def test_the_curves_suite_still_asks_for_what_it_published():
    from pyarrow import parquet

    suite = load_suite("cifar10-curves")
    cells = parquet.read_table(PUBLISHED / suite.name / RECORDS, columns=["cell"])["cell"].unique().to_pylist()
    for settings in (json.loads(cell)["settings"] for cell in cells):
        name = settings["attack"]
        assert settings["parameters"] == suite.attack(name).parameters(), name


SHARED = sorted(PUBLISHED.rglob("shared"))


@pytest.mark.parametrize("folder", SHARED, ids=lambda folder: folder.parent.name)
def test_what_cells_share_is_found_too(folder):
    keys, others = published_arrays.read(folder.parent, is_exported)
    assert (len(keys), others) == (len(list(folder.glob("*.json"))), 0)
