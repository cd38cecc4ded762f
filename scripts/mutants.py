"""Plants bugs in a module, one at a time, and says which of them the tests do not find.

python -m scripts.mutants addonctl/orchestrator.py tests/simulation [--at-most N]
python -m scripts.mutants addonctl/orchestrator.py addonctl/executor.py --seeds 400 [--at-most N]

A bug is one small change of the syntax tree: another comparison, a condition turned round, a number off by one, a call
or an assignment left out, a case without its guard. Each is run in a process of its own, with the changed module in
place of the real one; nothing is written to disk. Bugs that live are printed with their line.

With --seeds no test is asked: so many simulated updates are, of four mixes by turns (calm, with bad versions, with all
that `addonctl simulate` draws, with workers and runs in competition), but for seeds that end badly without a bug as
well. A bug is found when the auditor finds something, harm is missed, a run is left for a person, or something crashes.
Only seeds that come by its lines are tried, those that found the most bugs so far first, until one finds it.
--at-most counts bugs a module. That a limit is a second longer, or a value can be changed, is no bug: neither is
planted.
"""

import argparse
import ast
import copy
import os
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

import pytest

# Of CPU; a loop without end counts as found.
_SECONDS, _SECONDS_A_SEED = 20, 5
# So end the names of seconds, and of how often something is tried.
_LIMITS = ("_S", "_TRIES")
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
Seeds = Mapping[int, frozenset[tuple[str, int]]]
"""Those that end well without a bug, with the lines that each comes by."""


class Change(NamedTuple):
    """`lines`: where it is, if in a function; what stands outside of one concerns all."""

    line: int
    lines: range
    what: str
    made: Callable[[], ast.Module]

    def comes_by(self, seeds: Seeds, path: Path) -> list[int]:
        mine = {(str(path.resolve()), line) for line in self.lines}
        return [seed for seed, lines in seeds.items() if not mine or mine & lines]


def changes(tree: ast.Module) -> Iterator[Change]:
    """Every bug that can be planted, one by one."""
    limits = {id(held) for node in ast.walk(tree) if _is_limit(node) for held in ast.walk(node)}
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    inside = {id(held) for function in functions for one in function.body for held in ast.walk(one)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in limits:
            continue
        first, last = _ends(node)
        for what, twin in _twins(node):
            lines = range(first, last + 1) if id(node) in inside else range(0)
            yield Change(first, lines, what, partial(_with, tree, number, twin))


def _ends(node: ast.AST) -> tuple[int, int]:
    """The first and the last line of what is evaluated in any case."""
    match node:
        case ast.match_case(pattern=pattern):
            return pattern.lineno, (node.guard or pattern).end_lineno or pattern.lineno
        case ast.If(test=test):
            return test.lineno, test.end_lineno or test.lineno
    return getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)


def _is_limit(node: ast.AST) -> bool:
    """Whether a node says how many seconds something may take, how often it is tried, or how values are made."""
    match node:
        case ast.Call(func=ast.Name(id="dataclass")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            is_time = isinstance(node.value, ast.Call) and "timedelta" in ast.unparse(node.value)
            return is_time or name.endswith(_LIMITS)
        case ast.Assign(targets=[ast.Tuple(elts=names)]):
            return all(isinstance(each, ast.Name) and each.id.endswith(_LIMITS) for each in names)
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


def found_by(module: str, path: Path, tree: ast.Module, find: Callable[[], str]) -> str:
    """What finds the module changed so, if anything does: a test or a seed, or that it crashes."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            sys.meta_path.insert(0, Planted(module, compile(tree, str(path), "exec")))
            os.write(writes, find().encode())
        except BaseException:  # noqa: BLE001 - a module that cannot even be made is found
            os._exit(1)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as told:
        found = told.read()
    return found or ("it crashes" if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) else "")


def by_tests(tests: list[str]) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS + 5))
    return "a test" if pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]) else ""


def by_seeds(seeds: Sequence[int]) -> str:
    return next((str(seed) for seed in seeds if is_found(seed)), "")


def is_found(seed: int) -> bool:
    signal.setitimer(signal.ITIMER_PROF, _SECONDS_A_SEED)  # ends the process
    try:
        return ends_badly(seed)
    except Exception:  # noqa: BLE001 - whatever it raises is found
        return True


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


def sound(seeds: int, modules: Sequence[Path]) -> Seeds:
    """Found in a process of its own: this one is to import nothing of it."""
    files = frozenset(str(path.resolve()) for path in modules)
    with ProcessPoolExecutor(1) as pool:
        found = pool.map(partial(lines_run, files=files), range(seeds), chunksize=seeds or 1)
        return {seed: lines for seed, lines in enumerate(found) if lines is not None}


def lines_run(seed: int, files: frozenset[str]) -> frozenset[tuple[str, int]] | None:
    """The lines of some files that a simulated update comes by; None: it ends badly."""
    lines: set[tuple[str, int]] = set()

    def in_function(frame: FrameType, event: str, arg: object) -> Any:
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return in_function

    sys.settrace(lambda frame, event, arg: in_function if frame.f_code.co_filename in files else None)
    try:
        badly = ends_badly(seed)
    finally:
        sys.settrace(None)
    return None if badly else frozenset(lines)


def planted_in(path: Path, at_most: int) -> list[Change]:
    """All bugs of a module, or so many of them, drawn by a fixed seed."""
    planted = list(changes(ast.parse(path.read_text())))
    if at_most and at_most < len(planted):
        planted = sorted(random.Random(1).sample(planted, at_most), key=lambda change: change.line)
    return planted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="modules; without --seeds one, and tests")
    parser.add_argument("--seeds", type=int, default=0, help="so many simulated updates instead of tests")
    parser.add_argument("--at-most", type=int, default=0, help="so many a module, drawn by a fixed seed")
    given = parser.parse_args()
    if not given.seeds:
        given.modules, given.tests = given.modules[:1], given.modules[1:]
    modules = [Path(module) for module in given.modules]
    seeds = sound(given.seeds, modules)
    for module in _BEFORE:
        import_module(f"addonctl.{module}")
    finders: Counter[str] = Counter()
    found, of = 0, 0
    for path in modules:
        mine = planted_in(path, given.at_most)
        alive = 0
        for number, change in enumerate(mine):
            print(f"{path}: {number} of {len(mine)} tried, {alive} live", end="\r", file=sys.stderr, flush=True)
            tried = sorted(change.comes_by(seeds, path), key=lambda seed: -finders[str(seed)])
            find = partial(by_seeds, tried) if given.seeds else partial(by_tests, given.tests)
            by = found_by(".".join(path.with_suffix("").parts), path, change.made(), find)
            finders[by] += 1
            if not by:
                alive += 1
                came_by = f" (tried by {len(tried)} seeds)" if given.seeds else ""
                print(f"{path}:{change.line}: {change.what}{came_by}", flush=True)
        print(f"{path}: {len(mine) - alive} of {len(mine)} bugs found", flush=True)
        found, of = found + len(mine) - alive, of + len(mine)
    print(f"{found} of {of} bugs found, {found / (of or 1):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
