"""Reads the author's script of airbench, which is not copied here, and changes it for a comparison."""

import ast
from pathlib import Path
from typing import Any


class Uncompiled(ast.NodeTransformer):
    """Takes the decorators away from their functions, which compile."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Takes decorators away."""
        node.decorator_list = [] if "compile" in "".join(map(ast.unparse, node.decorator_list)) else node.decorator_list
        return self.generic_visit(node)


class InPrecision(Uncompiled):
    """Changes their code: no compilation, and another precision.

    Args:
        precision: "float" or "double".
        also: Whether Muon's matrix products, in bfloat16, change too, as ours do on a CPU.
    """

    def __init__(self, precision: str, also: bool):
        self.precision = precision
        self.changed = ("half", "float", "bfloat16") if also else ("half", "float")

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replaces the methods `half`, `float` and `bfloat16`."""
        node.attr = self.precision if node.attr in self.changed else node.attr
        return self.generic_visit(node)


def definitions(script: Path, *changes: ast.NodeTransformer) -> dict[str, Any]:
    """Returns the imports, constants, functions and classes of a script, without what it runs."""
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)
    tree = ast.parse(script.read_text("utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, kept) and "backends" not in ast.unparse(node)]
    for change in changes:
        tree = change.visit(tree)
    names: dict[str, Any] = {"__name__": "airbench94_muon"}
    exec(compile(ast.fix_missing_locations(tree), str(script), "exec"), names)
    return names
