"""Import statements, and what else imports or runs code, as read from a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

COMPUTING_IMPORTS = {
    "SourceFileLoader",
    "SourcelessFileLoader",
    "__builtins__",
    "__import__",
    "builtins",
    "exec_module",
    "import_module",
    "importlib",
    "iter_modules",
    "load_module",
    "load_source",
    "pkgutil",
    "pydoc",
    "run_module",
    "run_path",
    "runpy",
    "spec_from_file_location",
    "walk_packages",
    "zipimport",
    "zipimporter",
}
"""Names of what can import a module, or run a file, whose name the text does not say.

If a plugin mentions one of them, under whatever alias, all Python files below its folder count as its code.
"""

RUNNING = {"compile", "eval", "exec", "imp"}
"""Names that can do so where they stand alone. As a method, like ``model.eval()`` or ``re.compile``, they cannot."""


def computes(node: ast.AST) -> bool:
    """Whether a node mentions something that can import or run what the text does not name."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {part for alias in node.names for part in alias.name.split(".")}
        names |= set((getattr(node, "module", None) or "").split("."))
        return bool(names & (COMPUTING_IMPORTS | RUNNING))
    if isinstance(node, ast.Attribute):
        return node.attr in COMPUTING_IMPORTS
    if isinstance(node, ast.Name):
        return node.id in COMPUTING_IMPORTS | RUNNING - {"imp"}
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in COMPUTING_IMPORTS


def imported(node: ast.AST, package: str) -> Iterator[str]:
    """Full names of the modules that a node may import: for ``from a import b`` both a and a.b.

    Args:
        package: of the module that the node is in.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            start = package
            for _ in range(node.level - 1):
                parent, dot, _ = start.rpartition(".")
                start = parent or dot
            if not start:
                return
            base = joined(start, base)
        if base != ".":
            yield base
        yield from (joined(base, alias.name) for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.Call) and (name := _named(node)):
        yield joined(package, name.lstrip(".")) if name.startswith(".") else name


def _named(call: ast.Call) -> str | None:
    """The module that a call of ``import_module`` imports, if the text names it."""
    if _name(call.func) in ("import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return None


def joined(package: str, name: str) -> str:
    return f"{package.removesuffix('.')}.{name}" if package and name else package or name


def _name(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr if function.attr != "exec" else None  # that of a database, say
    return function.id if isinstance(function, ast.Name) else None
