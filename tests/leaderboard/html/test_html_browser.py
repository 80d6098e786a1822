"""The page in headless Chromium: what visitors do, what assistive technology gets, and that it is all in one file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from html_pages import QUOTED, SCRIPT, embedded
from scipy.stats import binomtest

from leaderboard.html.columns import unpacked
from leaderboard.paired import Paired
from leaderboard.statistics import mcnemar

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra `browser`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")

RULES = (Path(__file__).parent / "html_rules.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a file in a fresh tab; at the end nothing was logged, raised, or asked for beside the file."""
    said, asked, tabs = [], set(), []

    def go(path, view="", **options):
        tab = browser.new_page(**options)
        tabs.append(tab)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.add(request.url.partition("#")[0]))
        tab.goto(path.as_uri() + view)
        asked.discard(path.as_uri())
        return tab

    yield go
    assert said == []
    assert {url for url in asked if not url.startswith("data:")} == set()
    for tab in tabs:
        tab.close()


@pytest.fixture
def rows(largest):
    return unpacked(embedded(largest.read_text(encoding="utf-8"))["table"])


def shown(tab):
    """The visible rows' places on the board, from top to bottom."""
    lines = "lines => lines.filter(line => !line.hidden).map(line => Number(line.dataset.at))"
    return tab.eval_on_selector_all("tr[data-at]", lines)


def opener(tab, place):
    return tab.locator(f'tr[data-at="{place}"] .open')


@pytest.mark.parametrize("key", ["abstention_rate", "share_of_ceiling", "query_budget", "attack", "target", "epsilon"])
def test_sort(visit, largest, rows, key):
    tab = visit(largest, "#epsilon=all")
    assert shown(tab) == list(range(len(rows)))
    header = tab.locator(f'th[data-key="{key}"]')
    first, second = ("ascending", "descending") if isinstance(rows[0][key], str) else ("descending", "ascending")
    for direction in (first, second):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == direction
        values = [rows[place][key] for place in shown(tab)]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=direction == "descending")
        assert values == known + [None] * (len(values) - len(known))
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "none"
    assert shown(tab) == list(range(len(rows)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("suite", "cifar10"),
        ("target", "cifar10-sigma0.50-bf16"),
        ("access", "hybrid"),
        ("epsilon", "0.25"),
        ("n", "10000"),
        ("query_budget", "100"),
    ],
)
def test_filter(visit, largest, rows, name, value):
    tab = visit(largest, "#epsilon=all")
    tab.select_option(f"select[name={name}]", value)
    kept = [place for place, row in enumerate(rows) if str(row[name]) == value]
    assert shown(tab) == kept
    assert tab.inner_text("#count") == f"{len(kept)} of {len(rows)} rows"
    tab.click("#reset")
    assert len(shown(tab)) == len(rows)


def test_filter_by_text(visit, largest, rows):
    tab = visit(largest, "#epsilon=all")
    tab.fill("input[name=q]", "CROSS sigma0.12")
    kept = [rows[place] for place in shown(tab)]
    assert {row["target"] for row in kept} == {"cifar10-sigma0.12-bf16"}
    assert {"cross-and-land", "cross-and-land-hybrid"} <= {row["attack"] for row in kept}
    tab.fill("input[name=q]", "nothing at all")
    assert "No row fits" in tab.inner_text("#count")


def test_at_first_one_epsilon_and_eight_columns(visit, largest, rows):
    tab = visit(largest)
    assert {rows[place]["epsilon"] for place in shown(tab)} == {1.0}
    headers = tab.locator("#board thead th[data-key]")
    assert headers.count() == 8
    tab.click(".columns summary")
    tab.check("input[value=l2_median]")
    tab.check("input[value=mcnemar_p]")
    assert headers.count() == 10
    added = tab.locator(f"tr[data-at='{shown(tab)[0]}'] td.added")
    median = rows[shown(tab)[0]]["l2_median"]
    assert added.all_text_contents() == ["<0.0001", f"{median:.3f}".rstrip("0").rstrip(".")]
    assert "columns=mcnemar_p%2Cl2_median" in tab.url


def test_a_row_opens(visit, largest, rows):
    tab = visit(largest)
    place = next(p for p in shown(tab) if rows[p]["attack"] == "cross-and-land" and rows[p]["n"] == 1000)
    opener(tab, place).click()
    assert opener(tab, place).get_attribute("aria-expanded") == "true"
    panel = tab.locator("tr.detail")
    text = panel.inner_text()
    row = rows[place]
    assert row["description"] in text
    for words in ("Compute it again", f"--attacks {row['attack']}", "commit", "processor", "weights", "torch"):
        assert words in text
    dots = panel.locator(".dots i")
    assert dots.count() == row["images"]
    fell = panel.locator(".dots .fell").count()
    assert f"{fell} silenced" in text
    assert fell + panel.locator(".dots .both").count() == round(row["abstention_rate"] * row["images"])
    assert len(re.findall(r"\d+", panel.locator("details p").text_content())) == fell
    cells = panel.locator(".confusion td").all_text_contents()
    assert sum(int(cell or 0) for cell in cells) == row["images"]
    assert panel.locator(".histogram rect").count() == 20
    opener(tab, place).press("Enter")
    assert tab.locator("tr.detail").count() == 0


def test_two_rows_are_compared(visit, largest, rows):
    tab = visit(largest)
    data = embedded(largest.read_text(encoding="utf-8"))
    wanted = ("margin", "apgd")
    target = "cifar10-sigma0.50-bf16"
    first, second = (
        next(p for p in shown(tab) if rows[p]["attack"] == name and rows[p]["target"] == target) for name in wanted
    )
    tab.check(f'tr[data-at="{first}"] .pick input')
    assert "Tick a second row" in tab.inner_text("#compare")
    tab.check(f'tr[data-at="{second}"] .pick input')
    one, other = (data["details"][place]["answers"] for place in (first, second))
    b = sum(x == "." != y for x, y in zip(one, other, strict=True))
    c = sum(y == "." != x for x, y in zip(one, other, strict=True))
    text = " ".join(tab.inner_text("#compare").replace("−", "-").split())
    assert f"A - B: {100 * (b - c) / 200:+.1f} points" in text
    assert f"A alone silences {b}, B alone {c}" in text
    p = binomtest(b, b + c).pvalue
    assert f"p = {p:.2g}" in text if p >= 1e-4 else "p < 0.0001" in text
    tab.click("#compare .close")
    assert tab.locator("#compare").is_hidden()
    assert not tab.is_checked(f'tr[data-at="{first}"] .pick input')


def test_the_comparison_is_that_of_scipy(visit, largest):
    tab = visit(largest)
    pairs = [(0, 0), (1, 0), (0, 6), (5, 5), (18, 0), (3, 12), (40, 61), (200, 150), (1200, 1100)]
    for b, c in pairs:
        p = tab.evaluate(f"mcnemar({b}, {c})")
        assert p == pytest.approx(mcnemar(b, c), rel=1e-9, abs=1e-300)
        if b + c:
            assert p == pytest.approx(binomtest(b, b + c).pvalue, rel=1e-9)
        for both, neither in [(0, 200), (13, 5), (90, 0)]:
            pair = Paired(both, c, b, neither)  # its difference is B's rate minus A's, the page's A minus B
            fields = f"both: {both}, first: {b}, second: {c}, neither: {neither}, n: {pair.images}"
            assert tab.evaluate(f"pairedInterval({{{fields}}})") == pytest.approx(pair.interval(), abs=1e-12)


def test_a_view_is_a_link(visit, largest, rows):
    tab = visit(largest)
    tab.select_option("select[name=target]", "cifar10-sigma0.25-bf16")
    tab.fill("input[name=q]", "cross")
    tab.locator('th[data-key="abstention_rate"] button').click()
    tab.click(".columns summary")
    tab.check("input[value=ceiling]")
    places = shown(tab)
    opener(tab, places[0]).click()
    for place in places[:2]:
        tab.check(f'tr[data-at="{place}"] .pick input')
    other = visit(largest, "#" + tab.url.partition("#")[2])
    assert shown(other) == places
    assert other.inner_text("#compare") == tab.inner_text("#compare")
    assert other.inner_text("tr.detail") == tab.inner_text("tr.detail")
    assert other.locator("th[aria-sort=descending]").get_attribute("data-key") == "abstention_rate"
    assert other.is_checked("input[value=ceiling]")


def test_a_link_to_a_row_shows_it_whatever_is_filtered_at_first(visit, largest, rows):
    place = next(p for p, row in enumerate(rows) if row["epsilon"] == 0.25)
    row_id = embedded(largest.read_text(encoding="utf-8"))["ids"][place]
    tab = visit(largest, f"#open={row_id}")
    assert tab.locator(f"#d-{row_id}").is_visible()


def test_an_address_of_nothing_is_the_first_view(visit, largest):
    tab = visit(largest, "#open=zzz&sort=nothing&target=gone&columns=rank,nope&compare=,&epsilon=")
    assert len(shown(tab)) > 0
    assert tab.locator("tr.detail").count() == 0
    assert tab.locator("#board thead th[data-key]").count() == 8


def test_the_skip_link_keeps_the_view(visit, largest):
    tab = visit(largest, "#q=cross")
    before = shown(tab)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert shown(tab) == before


def test_charts_say_their_values(visit, largest):
    tab = visit(largest)
    chart = tab.locator(".chart").first
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg").bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 80)
    tip = tab.locator("#tip")
    assert tip.is_visible()
    assert tip.locator("strong").inner_text() == "at 0.5"
    table = chart.locator("table.values tr", has=tab.locator("th", has_text=re.compile("^cross-and-land$")))
    assert table.locator("td").nth(2).text_content() in tip.inner_text()
    tab.keyboard.press("Escape")
    assert tip.is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["largest", "hostile"])
def test_accessibility(visit, request, name, width, scheme):
    tab = visit(request.getfixturevalue(name), viewport={"width": width, "height": 900}, color_scheme=scheme)
    places = shown(tab)
    opener(tab, places[0]).click()
    for place in places[:2]:
        tab.check(f'tr[data-at="{place}"] .pick input')
    tab.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert tab.evaluate(RULES) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_rules_find_what_is_wrong(visit, tmp_path):
    page = "<title></title><p style='color:#999'>grey</p><button></button><input><h1>a</h1><h3 id=a>b</h3><i id=a></i>"
    (tmp_path / "bad.html").write_text(page, encoding="utf-8")
    found = " ".join(visit(tmp_path / "bad.html").evaluate(RULES))
    rules = ("html-has-lang", "document-title", "landmark-one-main", "color-contrast", "button-name", "label")
    assert [rule for rule in (*rules, "heading-order", "duplicate-id") if rule not in found] == []


def test_hostile_names_are_text(visit, hostile):
    tab = visit(hostile, "#epsilon=all")
    assert tab.title().startswith("Abstention leaderboard")
    names = tab.locator("#board .open").all_inner_texts()
    assert SCRIPT in names
    assert QUOTED in names
    rows = json.loads((hostile.parent / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    for place, row in enumerate(rows):
        if row["attack"] in (SCRIPT, QUOTED):
            opener(tab, place).click()
    text = tab.locator("tr.detail").all_inner_texts()
    assert any(QUOTED in found for found in text)
    assert any(SCRIPT in found for found in text)
    tab.select_option("select[name=access]", 'a"b<i>')
    assert len(shown(tab)) == 1
    assert "access=a%22b%3Ci%3E" in tab.url


def test_a_failed_row_opens(visit, hostile):
    tab = visit(hostile)
    line = tab.locator("tr.failed")
    line.locator(".open").click()
    assert "RuntimeError: no | luck" in tab.inner_text("tr.detail")
    assert line.locator(".pick input").count() == 0


def test_without_javascript_every_row_is_there(browser, largest, rows):
    tab = browser.new_page(java_script_enabled=False)
    tab.goto(largest.as_uri())
    assert tab.locator("tr[data-at]:visible").count() == len(rows)
    assert tab.locator("noscript").is_visible()
    tab.close()
