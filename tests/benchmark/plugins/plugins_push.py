"""A plugin whose attack goes as far as a number says that it takes from elsewhere."""

from __future__ import annotations

from pathlib import Path

HEAD = "from attacks import Attack, NoAccess, Transfer, register\n"
PUSH = '''

@register("push")
class Push(Attack):
    """Push every pixel towards grey by a share of the budget."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        {inner}
        delta = 0.5 - images
        return images + STRENGTH * epsilon * delta / delta.flatten(1).norm(dim=1)[:, None, None, None]
'''


def plugin(outer: str = "", inner: str = "pass") -> str:
    return HEAD + outer + PUSH.format(inner=inner)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content + "\n", encoding="utf-8")
