"""What the board's pictures share: colours, style, and the few SVG elements they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from leaderboard.access import CONTROL, DECISION, HYBRID, SCORE, TRANSFER, WHITE_BOX

COLOURS = {
    WHITE_BOX: "#0072b2",
    SCORE: "#009e73",
    DECISION: "#aa3377",
    TRANSFER: "#e69f00",
    HYBRID: "#d55e00",
    CONTROL: "#afb8c1",
}
"""By access. From Okabe and Ito (2008) and Tol (2021): under each simulated colour
blindness (Machado et al. 2009) any two of them, and the ceiling's red, differ by 15 in CIELAB or more."""

CEILING = "#b3261e"

OTHER = "#57606a"
"""Of an access that a plugin brought."""

WIDTH, MARGIN = 960, 28

_STYLE = f"""\
text {{ font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }}
.title {{ font-size: 20px; font-weight: 600; }}
.note {{ font-size: 12.5px; fill: #59636e; }}
.panel {{ font-size: 14px; font-weight: 600; }}
.narrow {{ font-size: 11.5px; font-weight: 600; }}
.name {{ font-size: 13px; text-anchor: end; }}
.together {{ font-size: 13px; font-weight: 600; text-anchor: end; }}
.label {{ font-size: 11px; font-variant-numeric: tabular-nums; }}
.value {{ font-size: 12px; text-anchor: end; font-variant-numeric: tabular-nums; }}
.tick {{ font-size: 10.5px; fill: #59636e; text-anchor: middle; }}
.level {{ font-size: 10.5px; fill: #59636e; text-anchor: end; }}
.grid {{ stroke: #e4e8ec; }}
.clean {{ stroke: #1f2328; stroke-width: 1.2; stroke-dasharray: 3 2.5; }}
.ceiling {{ stroke: {CEILING}; stroke-width: 2; fill: none; stroke-linejoin: round; }}
.whisker {{ stroke: #1f2328; stroke-width: 1.2; opacity: 0.75; }}
.leader {{ stroke: #afb8c1; fill: none; }}
"""

BEYOND = "url(#beyond)"
"""Fill of the region that the certificate excludes."""


def document(height: float, title: str, subtitle: str, parts: Iterable[str]) -> str:
    """A whole picture of that height: title, subtitle and `parts` on a white card."""
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}"'
                f' height="{height:g}" role="img" aria-label="{escape(title)}">',
                f"<style>{_STYLE}</style>",
                '<defs><pattern id="beyond" width="6" height="6" patternUnits="userSpaceOnUse"'
                ' patternTransform="rotate(45)"><rect width="6" height="6" fill="#f3f0ef"/>'
                '<line x1="0" y1="0" x2="0" y2="6" stroke="#dcd3d1" stroke-width="2"/></pattern></defs>',
                f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="12" fill="#ffffff"'
                ' stroke="#d0d7de"/>',
                text(MARGIN, 40, title, "title"),
                text(MARGIN, 62, subtitle, "note"),
                *parts,
                "</svg>",
            ]
        )
        + "\n"
    )


def colour(access: str) -> str:
    """The colour of an access."""
    return COLOURS.get(access, OTHER)


def short(name: str, longest: int = 24) -> str:
    """A name cut to that many characters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def images_seen(counts: Iterable[int]) -> str:
    """How many images rows saw: "50", "20 to 50" or "no"."""
    known = sorted(set(counts))
    return " to ".join(f"{count:,}" for count in dict.fromkeys([known[0], known[-1]])) if known else "no"


def text(x: float, y: float, words: str, style: str) -> str:
    """One line of text with its baseline at `y`."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def polyline(points: Sequence[tuple[float, float]], attributes: str) -> str:
    """A line through points, with these attributes."""
    return f'<polyline points="{_coordinates(points)}" {attributes}/>'


def polygon(points: Sequence[tuple[float, float]], attributes: str) -> str:
    """A closed shape, with these attributes."""
    return f'<polygon points="{_coordinates(points)}" {attributes}/>'


def _coordinates(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
