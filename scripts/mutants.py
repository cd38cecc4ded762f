"""Plants bugs in a module, one at a time, and says which of them the tests do not find.

python -m scripts.mutants addonctl/orchestrator.py tests/simulation [--at-most N]
python -m scripts.mutants addonctl/orchestrator.py addonctl/executor.py --seeds 400 [--at-most N]

A bug is one small change of the syntax tree: another comparison, a condition turned round, a number off by one, a call
or an assignment left out, a case without its guard. Each is run in a process of its own, with the changed module in
place of the real one; nothing is written to disk. Bugs that live are printed with their line.

With --seeds no test is asked: so many simulated updates are, of four mixes by turns (calm, with bad versions, with all
that `addonctl simulate` draws, with workers and runs in competition), but for seeds that end badly without a bug as
well. A bug is found when the auditor finds something, harm is missed, a run is left for a person, or something crashes.
--at-most counts bugs a module. That a limit is a second longer, or a value can be changed, is no bug: neither is
planted.
"""

import argparse
import ast
import copy
import os
import random
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

# Of CPU; a loop without end counts as found.
_SECONDS, _SECONDS_A_SEED = 20, 0.4
# What no bug is planted in: imported once, before the processes for the bugs are forked.
_BEFORE = ("model", "sim.world", "sim.store", "sim.controllers", "sim.eks", "sim.helm", "sim.gitops", "sim.traffic")
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
Change = tuple[int, str, Callable[[], ast.Module]]
"""(line, what is changed, makes the module with it)."""


def changes(tree: ast.Module) -> Iterator[Change]:
    """Every bug that can be planted, one by one."""
    limits = {id(held) for node in ast.walk(tree) if _is_limit(node) for held in ast.walk(node)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in limits:
            continue
        line = node.pattern.lineno if isinstance(node, ast.match_case) else getattr(node, "lineno", 0)
        for what, twin in _twins(node):
            yield line, what, partial(_with, tree, number, twin)


def _is_limit(node: ast.AST) -> bool:
    """Whether a node says how many seconds something may take, how often it is tried, or how values are made."""
    match node:
        case ast.Call(func=ast.Name(id="dataclass")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name.endswith("_S") or (isinstance(node.value, ast.Call) and "timedelta" in ast.unparse(node.value))
        case ast.Assign(targets=[ast.Tuple(elts=names)]):
            return all(isinstance(each, ast.Name) and each.id.endswith("_S") for each in names)
    return False


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


class Planted(MetaPathFinder):
    """Imports one module as the changed tree."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._module, self._code = module, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec, code = PathFinder.find_spec(fullname, path, target), self._code
        assert spec is not None, fullname
        assert isinstance(spec.loader, SourceFileLoader), fullname
        spec.loader.get_code = lambda fullname: code  # type: ignore[method-assign]
        return spec


def lives(module: str, path: Path, tree: ast.Module, given: argparse.Namespace) -> bool:
    """Whether nothing is found with the module changed so."""
    pid = os.fork()
    if pid == 0:
        limit = round(_SECONDS + _SECONDS_A_SEED * given.seeds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            sys.meta_path.insert(0, Planted(module, compile(tree, str(path), "exec")))
            code = by_seeds(given.sound) if given.seeds else by_tests(given.tests)
        except BaseException:  # noqa: BLE001 - a module that cannot even be made is found
            code = 1
        os._exit(int(code))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def by_tests(tests: list[str]) -> int:
    return int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]))


def by_seeds(seeds: Sequence[int]) -> int:
    return int(any(ends_badly(seed) for seed in seeds))


def ends_badly(seed: int) -> bool:
    from addonctl.sim.scenario import Mix
    from addonctl.sim.simulation import End, simulate

    mixes = (
        Mix(harmful=0, faults_most=0, asked=0),
        Mix(harmful=1, faults_most=0),
        Mix(),
        Mix(faults_most=0, hangs=1, rivals=1),
    )
    return simulate(seed, mixes[seed % 4]).end in (End.WRONG, End.MISSED, End.STUCK)


def sound(seeds: int) -> tuple[int, ...]:
    """The seeds that end well without a bug, found in a process of its own: this one is to import nothing of it."""
    with ProcessPoolExecutor(1) as pool:
        bad = tuple(pool.map(ends_badly, range(seeds), chunksize=seeds or 1))
    return tuple(seed for seed, badly in enumerate(bad) if not badly)


def planted_in(path: Path, at_most: int) -> list[Change]:
    """All bugs of a module, or so many of them, drawn by a fixed seed."""
    planted = list(changes(ast.parse(path.read_text())))
    if at_most and at_most < len(planted):
        planted = sorted(random.Random(1).sample(planted, at_most), key=lambda change: change[0])
    return planted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="modules; without --seeds one, and tests")
    parser.add_argument("--seeds", type=int, default=0, help="so many simulated updates instead of tests")
    parser.add_argument("--at-most", type=int, default=0, help="so many a module, drawn by a fixed seed")
    given = parser.parse_args()
    if not given.seeds:
        given.modules, given.tests = given.modules[:1], given.modules[1:]
    given.sound = sound(given.seeds)
    for module in _BEFORE:
        import_module(f"addonctl.{module}")
    found, of = 0, 0
    for path in map(Path, given.modules):
        name, mine = ".".join(path.with_suffix("").parts), planted_in(path, given.at_most)
        alive = 0
        for number, (line, what, made) in enumerate(mine):
            print(f"{path}: {number} of {len(mine)} tried, {alive} live", end="\r", file=sys.stderr, flush=True)
            if lives(name, path, made(), given):
                alive += 1
                print(f"{path}:{line}: {what}", flush=True)
        print(f"{path}: {len(mine) - alive} of {len(mine)} bugs found", flush=True)
        found, of = found + len(mine) - alive, of + len(mine)
    print(f"{found} of {of} bugs found, {found / (of or 1):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
