from __future__ import annotations

import json

import pytest
from html_pages import PUBLISHED, command

from benchmark.cli import main
from benchmark.key import settings_key
from leaderboard import StoreError
from leaderboard.html.site import site


def make(boards, output):
    return site(boards, output, key_of=settings_key, command=command)


def test_a_site_has_an_index_and_a_folder_a_board(board, published, tmp_path):
    own = published()
    paths = make([own.parent, PUBLISHED / "cifar10-larger"], tmp_path / "site")
    names = [str(path.relative_to(tmp_path / "site")) for path in paths]
    assert names == ["index.html", "board/index.html", "cifar10-larger/index.html"]
    index = paths[0].read_text(encoding="utf-8")
    assert 'href="board/index.html"' in index
    assert "cross-and-land makes cifar10-sigma0.50-bf16 abstain on <strong>64.0%</strong>" in index
    assert paths[1].read_bytes() == own.read_bytes()
    assert (paths[2].parent / "leaderboard.json").exists()
    # The board's own JSON says that its rows were adopted, which the page repeats.
    assert paths[2].read_text(encoding="utf-8").count("adopted</span>") == 3


def test_a_folder_without_a_board(tmp_path):
    with pytest.raises(StoreError, match="has no published board"):
        make([tmp_path], tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("missing", ["data", "of_images", "n", "abstention_rate", "created"])
def test_a_board_that_lacks_what_the_index_says(missing, board, published, tmp_path):
    folder = published().parent  # which has a page of its own, so none is made
    content = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    for entry in (content, *content["rows"]):
        entry.pop(missing, None)
    (folder / "leaderboard.json").write_text(json.dumps(content), encoding="utf-8")
    if missing == "of_images":  # as in boards from before it was there
        make([folder], tmp_path / "site")
    else:
        with pytest.raises(StoreError, match="none that publish wrote"):
            make([folder], tmp_path / "site")
        assert not (tmp_path / "site").exists()


def test_two_boards_of_one_name(board, published, tmp_path):
    own = published().parent
    with pytest.raises(StoreError, match="two boards are named board"):
        make([own, own], tmp_path / "site")


def test_a_site_where_a_file_is(board, published, tmp_path):
    (tmp_path / "site").write_text("")
    with pytest.raises(StoreError, match="cannot write into"):
        make([published().parent], tmp_path / "site")


def test_from_the_command_line(tmp_path, capsys):
    assert main(["publish", "--site", str(tmp_path), str(PUBLISHED / "cifar10-larger")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "index.html")
    assert main(["publish", "--site", str(tmp_path)]) == 2
    assert "publish --site DIR BOARD" in capsys.readouterr().err
