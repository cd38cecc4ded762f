"""Plants bugs in a module, one at a time, and says which of them the tests do not find.

python -m scripts.mutants addonctl/orchestrator.py tests/simulation [--at-most N]

A bug is one small change of the syntax tree: another comparison, a condition turned round, a number off by one, a call
or an assignment left out, a case without its guard. Each is run in a process of its own, with the changed module in
place of the real one; nothing is written to disk. Bugs that the tests let live are printed with their line.
"""

import argparse
import ast
import copy
import os
import random
import signal
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

_SECONDS = 180
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
Change = tuple[int, str, ast.Module]
"""(line, what was changed, the module with it)."""


def changes(tree: ast.Module) -> Iterator[Change]:
    """Every bug that can be planted, one by one."""
    for number, node in enumerate(ast.walk(tree)):
        line = node.pattern.lineno if isinstance(node, ast.match_case) else getattr(node, "lineno", 0)
        for what, twin in _twins(node):
            yield line, what, _with(tree, number, twin)


def _twins(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(ops=[operator, *_]) if type(operator) in _COMPARISONS:
            twin = copy.deepcopy(node)
            twin.ops[0] = _COMPARISONS[type(operator)]()
            yield f"{type(operator).__name__} → {type(twin.ops[0]).__name__}", twin
        case ast.BoolOp(op=operator):
            twin_bool = copy.deepcopy(node)
            twin_bool.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield f"{type(operator).__name__} → {type(twin_bool.op).__name__}", twin_bool
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", node.operand
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC:
            twin_bin = copy.deepcopy(node)
            twin_bin.op = _ARITHMETIC[type(operator)]()
            yield f"{type(operator).__name__} → {type(twin_bin.op).__name__}", twin_bin
        case ast.Constant(value=bool(value)):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
        case ast.If(test=test) | ast.IfExp(test=test):
            twin_if = copy.deepcopy(node)
            twin_if.test = ast.UnaryOp(ast.Not(), copy.deepcopy(test))
            yield "condition turned round", twin_if
        case ast.Expr(value=ast.Call()) | ast.Assign() | ast.AugAssign():
            yield f"left out: {ast.unparse(node)[:60]}", ast.Pass()
        case ast.match_case(guard=guard) if guard is not None:
            twin_case = copy.deepcopy(node)
            twin_case.guard = None
            yield f"guard left out: {ast.unparse(guard)[:60]}", twin_case


def _with(tree: ast.Module, number: int, twin: ast.AST) -> ast.Module:
    """A copy of the tree with its node of that number in `ast.walk`'s order replaced."""
    whole = copy.deepcopy(tree)
    old = list(ast.walk(whole))[number]
    for parent in ast.walk(whole):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, twin)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, name, [twin if item is old else item for item in value])
    return ast.fix_missing_locations(whole)


def lives(module: str, path: Path, tree: ast.Module, tests: list[str]) -> bool:
    """Whether all tests pass with the module changed so."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(_SECONDS)  # a loop without end counts as found
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        made = types.ModuleType(module)
        made.__file__ = str(path)
        sys.modules[module] = made
        try:
            exec(compile(tree, str(path), "exec"), made.__dict__)
            code = pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"])
        except BaseException:  # noqa: BLE001 - a module that cannot even be made is found
            code = 1
        os._exit(int(code))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--at-most", type=int, default=0, help="so many, drawn by a fixed seed")
    given = parser.parse_args()
    name = ".".join(given.module.with_suffix("").parts)
    planted = list(changes(ast.parse(given.module.read_text())))
    if given.at_most and given.at_most < len(planted):
        planted = sorted(random.Random(1).sample(planted, given.at_most), key=lambda change: change[0])
    alive = []
    for line, what, tree in planted:
        if lives(name, given.module, tree, given.tests):
            alive.append((line, what))
            print(f"{given.module}:{line}: {what}", flush=True)
    print(f"{given.module}: {len(planted) - len(alive)} of {len(planted)} bugs found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
