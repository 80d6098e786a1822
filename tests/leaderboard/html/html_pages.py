"""What the tests of pages share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PUBLISHED = Path(__file__).parents[3] / "leaderboard" / "published"

SCRIPT = "</script><script>document.title='taken'</script>"
QUOTED = 'it\'s "quoted" | piped & <b>bold</b>'


def command(asked: Any) -> str:
    return "bench run " + " ".join(asked["options"] or [])


def embedded(page: str) -> dict[str, Any]:
    """The data in a page."""
    [found] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data
