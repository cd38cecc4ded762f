"""A change of a version or of values as a commit in a checkout of a GitOps repository: ports.GitOpsSource.

The commit is made beside the checkout's own files, index and HEAD, which stay as they are: only a branch is new. In the
file nothing but these changes, so comments and order stay.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from addonctl.adapters import yaml_edit
from addonctl.errors import BadInput, Conflict, Invalid, NotFound
from addonctl.model import live
from addonctl.model.owners import FluxHelmRelease, FluxKustomization
from addonctl.values import Values
from addonctl.versions import pinned

if TYPE_CHECKING:
    import yaml

_TIMEOUT_S = 60
_MANIFESTS = ("*.yaml", "*.yml", "*.json")


class GitCheckout:
    """See ports.GitOpsSource. Raises BadInput where `folder` is no git checkout with a commit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._git("rev-parse", "--verify", "HEAD")
        self._folder = Path(self._git("rev-parse", "--show-toplevel").strip())

    def propose(self, owner: live.Reconciled, version: str, values: Values | None = None) -> live.Proposal:
        found = list(self._places(owner))
        if not found:
            raise NotFound(f"{self._folder}: no file has {owner}", "Give the checkout of the repository that has it.")
        if len(found) > 1:
            files = ", ".join(file for file, *_ in found)
            raise Invalid(f"{self._folder}: {owner} is in several files: {files}", "Change it by hand.")
        ((file, text, place),) = found
        if place is None:
            raise Invalid(f"{file}: {owner} names no version", "Change it where the version is.")
        node = place.version
        edits = [(node.start_mark.index, node.end_mark.index, _written(version, node.style))]
        try:
            edits += yaml_edit.edits(text, place.around, place.holding(values)) if values else ()
        except Invalid as error:
            raise Invalid(f"{file}: {error.what}", error.fix) from error
        name = f"{owner.name}-{version}" + ("-values" if values else "")
        message = f"{owner.name} {version}" + (" with other values" if values else "")
        commit = self._committed(f"addonctl/{name}", file, yaml_edit.applied(text, edits), message)
        return live.Proposal(branch=f"addonctl/{name}", commit=commit, file=file, was=node.value)

    def push(self, proposal: live.Proposal, remote: str = "origin") -> None:
        self._git("push", remote, f"refs/heads/{proposal.branch}")

    # ── Finding it ──────────────────────────────────────────────────────────────────────────────────────────────

    def _places(self, owner: live.Reconciled) -> Iterator[tuple[str, str, "_Place | None"]]:
        """File, its text, and where the version stands in it."""
        for file in self._files(owner.name):
            text = self._git("show", f"HEAD:{file}")
            for node in _objects(text, owner):
                yield file, text, _place(node, owner)

    def _files(self, name: str) -> list[str]:
        found = self._git("grep", "-l", "-z", "-F", "-e", name, "HEAD", "--", *_MANIFESTS, none=1)
        return [each.removeprefix("HEAD:") for each in found.split("\0") if each]

    # ── Committing ──────────────────────────────────────────────────────────────────────────────────────────────

    def _committed(self, branch: str, file: str, text: str, message: str) -> str:
        blob = self._git("hash-object", "-w", "--stdin", given=text).strip()
        mode = self._git("ls-tree", "HEAD", "--", f":/{file}").split()[0]
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder) / "index"
            self._git("read-tree", "HEAD", index=index)
            self._git("update-index", "--cacheinfo", f"{mode},{blob},{file}", index=index)
            tree = self._git("write-tree", index=index).strip()
        there = self._git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", none=1).strip()
        if there:
            if self._git("rev-parse", f"{there}^{{tree}}").strip() == tree:
                return there
            raise Conflict(
                f"{self._folder}: branch {branch} exists, and holds something else", "Delete it, or merge it."
            )
        commit = self._git("commit-tree", tree, "-p", "HEAD", "-m", message).strip()
        self._git("branch", "--no-track", branch, commit)
        return commit

    def _git(self, *arguments: str, given: str = "", index: Path | None = None, none: int = 0) -> str:
        """What git prints. `none` is the exit code that means that there is nothing."""
        environment = os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {})
        try:
            done = subprocess.run(
                ["git", "-C", str(self._folder), *arguments],
                input=given.encode(),
                capture_output=True,
                timeout=_TIMEOUT_S,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BadInput(f"git {arguments[0]} in {self._folder}: {error}", "Is git installed?") from error
        if done.returncode not in (0, none):
            said = done.stderr.decode(errors="replace").strip()[:300]
            raise BadInput(f"git {arguments[0]} in {self._folder}: {said}", "Give a checkout in which git commits.")
        return done.stdout.decode(errors="replace")


# ── YAML, with its places ───────────────────────────────────────────────────────────────────────────────────────────


def _objects(text: str, owner: live.Reconciled) -> Iterator["yaml.Node"]:
    """The documents that are the owner's object. A file that is no YAML, such as a template, has none."""
    import yaml

    ref = live.object_of(owner)
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return
    for node in documents:
        group, kind = _text(_under(node, "apiVersion")).rpartition("/")[0], _text(_under(node, "kind"))
        name, namespace = (_text(_under(node, "metadata", each)) for each in ("name", "namespace"))
        if (group, kind, name) == (ref.group, ref.kind, ref.name) and namespace in ("", ref.namespace):
            yield node


class _Place(NamedTuple):
    """Where a version stands, and the mapping around it in which values go under some names."""

    version: "yaml.ScalarNode"
    around: "yaml.Node"
    under: tuple[str, ...]

    def holding(self, values: Values) -> Values:
        """Values under those names. Raises Invalid where a text holds them: it would count no more."""
        if self.under[0] == "helm" and _under(self.around, "helm", "values") is not None:
            raise Invalid("its values are a text", "Change it by hand, or make it helm.valuesObject.")
        for name in reversed(self.under):
            values = {name: values}
        return values


def _place(node: "yaml.Node", owner: live.Reconciled) -> _Place | None:
    """Where the version stands: of several sources, in that with a chart. Kustomizations have none."""
    import yaml

    if isinstance(owner, FluxKustomization):
        return None
    if isinstance(owner, FluxHelmRelease):
        version = _under(node, "spec", "chart", "spec", "version")
        spec = _under(node, "spec")
        if isinstance(version, yaml.ScalarNode) and pinned(version.value) and spec:
            return _Place(version, spec, ("values",))
        return None
    several = _under(node, "spec", "sources")
    sources = several.value if isinstance(several, yaml.SequenceNode) else [_under(node, "spec", "source")]
    charts = [each for each in sources if _text(_under(each, "chart"))] or sources
    for each in charts:
        found = _under(each, "targetRevision")
        if each and isinstance(found, yaml.ScalarNode) and pinned(found.value):
            return _Place(found, each, ("helm", "valuesObject"))
    return None


def _under(node: "yaml.Node | None", *path: str) -> "yaml.Node | None":
    import yaml

    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node


def _text(node: "yaml.Node | None") -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def _written(version: str, style: str | None) -> str:
    """As the old one was quoted; what would else be read as a number is."""
    quote = style if style in ("'", '"') else '"' if version.replace(".", "", 1).isdigit() else ""
    return f"{quote}{version}{quote}"
