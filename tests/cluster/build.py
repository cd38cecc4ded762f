"""Builds what the cluster runs into a cache: each artefact in a folder named after what it is built from.

A changed version, flag or source gives a new folder, so only that is built again. Artefacts come in parts, so that
whoever needs an API server alone does not wait for the rest. Needs Go, gcc and, to install Debian's runc and CNI
plugins, root.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.oci import write_image

HERE = Path(__file__).parent
KUBERNETES = "v1.36.3"
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
# The versions that the cluster runs, and those that it can be updated to or from.
COREDNS, COREDNS_MORE = ("v1.12.4", "v1.13.2"), ("v1.11.4", "v1.14.3")
METRICS_SERVER, GATEKEEPER = "v0.9.0", "v3.23.1"
_ARGOCD, ARGOCD_VERSION = "github.com/argoproj/argo-cd/v2", "v2.14.11"  # the version that go/argocd requires
PROXY_NAME = f"registry.k8s.io/kube-proxy:{KUBERNETES}"
PAUSE_IMAGE = "registry.local/pause:1"
WITNESS_IMAGE = "registry.local/witness:1"
# Debian's packages: runc (crun refuses the OCI version that kubelet asks for), CNI plugins, packet filters.
DEBIAN = ("runc", "containernetworking-plugins", "iptables", "conntrack", "iproute2", "gcc", "libc6-dev", "util-linux")
# What a part needs besides. redis-tools holds the binary of Debian's redis-server, without the service that starts it.
MORE_DEBIAN = {"argocd": ("redis-tools", "git")}
_BUILD_TIMEOUT_S = 1500
# Go compiles on every core by itself; a second build fills the time in which the first one links.
_SIDE_BY_SIDE = 2


def cache() -> Path:
    """Where artefacts are kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "addonctl" / "cluster"
    return Path(os.environ.get("ADDONCTL_CLUSTER_CACHE") or base)


@dataclass(frozen=True)
class Artefact:
    """Something built once: `inputs` tell it apart from its other versions, `make` fills its folder."""

    name: str
    inputs: tuple[str, ...]
    make: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        key = hashlib.sha256("\0".join(self.inputs).encode()).hexdigest()[:16]
        return cache() / f"{self.name}-{key}"

    @property
    def built(self) -> bool:
        return (self.folder / ".done").exists()

    def build(self) -> None:
        """Builds into a folder that counts only when it is complete."""
        if self.built:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.make(self.folder)
        (self.folder / ".done").touch()


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Runs a build command; its output is shown only when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "CGO_ENABLED": "0", **(env or {})},
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def _go_install(name: str, *packages: str, tags: str = "") -> Artefact:
    """Binaries that `go install PATH@VERSION` makes."""

    def make(folder: Path) -> None:
        flags = ["-trimpath", "-ldflags", "-s -w", *(["-tags", tags] if tags else [])]
        run("go", "install", *flags, *packages, env={"GOBIN": str(folder)})

    return Artefact(name, (*packages, tags), make)


def _module(name: str, package: str, binary: str, ldflags: str = "-s -w") -> Artefact:
    """A binary built from one of our own modules under go/."""
    source = HERE / "go" / name
    texts = tuple(path.read_text() for path in sorted(source.iterdir()) if path.is_file())

    def make(folder: Path) -> None:
        run("go", "build", "-trimpath", "-ldflags", ldflags, "-o", folder / binary, package, cwd=source)

    return Artefact(name, (*texts, ldflags, package), make)


_VERSION = "k8s.io/component-base/version"
# Clients and charts look at the server's version: without these flags it would say v0.0.0.
CONTROL_PLANE = _module(
    "controlplane",
    ".",
    "kubernetes",
    f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36",
)
KWOK = _go_install("kwok", "sigs.k8s.io/kwok/cmd/kwok@v0.8.0")
CONTAINERD = _go_install(
    "containerd",
    *(
        f"github.com/containerd/containerd/v2/cmd/{command}@v2.4.2"
        for command in ("containerd", "containerd-shim-runc-v2", "ctr")
    ),
    tags="no_btrfs no_devmapper no_zfs",
)
HELM = _go_install("helm", "helm.sh/helm/v4/cmd/helm@v4.3.1")
_FLAGGER = "github.com/fluxcd/flagger"
FLAGGER = _go_install("flagger", f"{_FLAGGER}/cmd/flagger@v1.36.1")
# Its web interface is left out, and so are the clouds that it can find targets in. promtool writes history for it.
PROMETHEUS = _go_install(
    "prometheus",
    *(f"github.com/prometheus/prometheus/cmd/{command}@v0.316.0" for command in ("prometheus", "promtool")),
    tags="remove_all_sd enable_kubernetes_sd",
)
POPEYE = _module("popeye", "github.com/derailed/popeye", "popeye")
VPA = _module("vpa", ".", "vpa")
# Controller and repo server are one binary, which looks at the name it is called by.
ARGOCD = _module("argocd", f"{_ARGOCD}/cmd", "argocd")
_WITNESS = _module("witness", ".", "witness")
FAULTY = _module("faulty", ".", "faulty")
_COREDNS = {
    version: _go_install(f"coredns-{version}", f"github.com/coredns/coredns@{version}")
    for version in (*COREDNS, *COREDNS_MORE)
}
_METRICS = _go_install("metrics-server", f"sigs.k8s.io/metrics-server/cmd/metrics-server@{METRICS_SERVER}")
_GATEKEEPER = _go_install("gatekeeper", f"github.com/open-policy-agent/gatekeeper/v3@{GATEKEEPER}")


def _pause(folder: Path) -> None:
    run("gcc", "-static", "-O2", "-o", folder / "pause", HERE / "pause.c")
    write_image(folder / "image.tar", PAUSE_IMAGE, {"pause": folder / "pause"}, ("/pause",))


PAUSE = Artefact("pause", ((HERE / "pause.c").read_text(), (HERE / "oci.py").read_text()), _pause)


def _image(name: str, binary: Artefact, file: str, entry: str) -> Artefact:
    """An image of the real name around one static binary."""

    def make(folder: Path) -> None:
        write_image(folder / "image.tar", name, {entry: binary.folder / file}, (f"/{entry}",))

    return Artefact(f"image-{binary.name}", (name, entry, str(binary.folder), (HERE / "oci.py").read_text()), make)


def coredns_binary(version: str) -> Path:
    return _COREDNS[version].folder / "coredns"


def proxy_files() -> dict[str, Path]:
    """kube-proxy with the packet filter that it calls, and the libraries of that: path in an image → file."""
    tool = Path(shutil.which("xtables-nft-multi") or "/usr/sbin/xtables-nft-multi").resolve()
    files = {"usr/sbin/kube-proxy": CONTROL_PLANE.folder / "kubernetes"}
    for name in ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"):
        files[f"usr/sbin/{name}"] = tool
    conntrack = Path(shutil.which("conntrack") or "/usr/sbin/conntrack")
    files["usr/sbin/conntrack"] = conntrack
    # An extension whose own library is absent is only missed when a rule needs it: `statistic`, for a second endpoint.
    extensions = list(next(Path("/usr/lib").glob("*/xtables")).glob("*.so"))
    libraries = {*extensions, *(found for file in (tool, conntrack, *extensions) for found in _libraries(file))}
    return files | {str(library).lstrip("/"): library for library in libraries}


def _proxy_image(folder: Path) -> None:
    write_image(folder / "image.tar", PROXY_NAME, proxy_files(), ("/usr/sbin/kube-proxy",))


def _libraries(binary: Path) -> Iterable[Path]:
    listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
    return [Path(word) for word in listed.split() if word.startswith("/")]


PROXY_IMAGE = Artefact(
    "image-kube-proxy", (str(CONTROL_PLANE.folder), (HERE / "oci.py").read_text(), "nft, extensions"), _proxy_image
)


def coredns_image(version: str) -> str:
    return f"registry.k8s.io/coredns/coredns:{version}"


METRICS_SERVER_IMAGE = f"registry.k8s.io/metrics-server/metrics-server:{METRICS_SERVER}"
_COREDNS_IMAGES = {v: _image(coredns_image(v), made, "coredns", "coredns") for v, made in _COREDNS.items()}
_WITNESS_ARTEFACT = _image(WITNESS_IMAGE, _WITNESS, "witness", "witness")
_METRICS_IMAGE = _image(METRICS_SERVER_IMAGE, _METRICS, "metrics-server", "metrics-server")
_GATEKEEPER_IMAGE = _image(f"docker.io/openpolicyagent/gatekeeper:{GATEKEEPER}", _GATEKEEPER, "gatekeeper", "manager")
_IMAGES = (PAUSE, _WITNESS_ARTEFACT, PROXY_IMAGE, *_COREDNS_IMAGES.values(), _METRICS_IMAGE, _GATEKEEPER_IMAGE)


def upstream_images(addon: str, version: str) -> list[str]:
    """The image that is built of what an EKS add-on's version is made from; empty where none is."""
    plain = version.partition("-")[0]
    match addon:
        case "kube-proxy":  # EKS names it after another patch than the control plane has here
            return [PROXY_NAME]
        case "metrics-server":
            return [METRICS_SERVER_IMAGE] if plain == METRICS_SERVER else []
        case "coredns":
            return [coredns_image(plain)] if plain in _COREDNS and _COREDNS_IMAGES[plain].built else []
    raise ValueError(addon)


def images() -> list[Path]:
    """The images that are built, to be imported on every node."""
    return [artefact.folder / "image.tar" for artefact in _IMAGES if artefact.built]


def _from_module(name: str, module: str, files: Sequence[str], target: str) -> Artefact:
    """Files that a Go module ships beside its code, joined into one: read where Go keeps it, not copied into ours."""

    def make(folder: Path) -> None:
        source = _downloaded(module)
        (folder / target).write_text("\n---\n".join((source / file).read_text() for file in files))

    return Artefact(name, (module, *files), make)


def _chart(name: str, module: str, chart: str) -> Artefact:
    """A Helm chart that a Go module ships under charts/."""

    def make(folder: Path) -> None:
        shutil.copytree(_downloaded(module) / "charts" / chart, folder / chart)

    return Artefact(name, (module, chart), make)


def _downloaded(module: str) -> Path:
    """Where Go keeps a module."""
    run("go", "mod", "download", module)
    modules = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(modules) / module


_STAGES = (
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/general/pod-create",
    "pod/general/pod-ready",
    "pod/general/pod-complete",
    "pod/general/pod-delete",
)
STAGES = _from_module(
    "stages", "sigs.k8s.io/kwok@v0.8.0", [f"kustomize/stage/{stage}.yaml" for stage in _STAGES], "stages.yaml"
)
GATEKEEPER_MANIFEST = _from_module(
    "gatekeeper-manifest",
    f"github.com/open-policy-agent/gatekeeper/v3@{GATEKEEPER}",
    ["deploy/gatekeeper.yaml"],
    "gatekeeper.yaml",
)
ARGOCD_CRDS = _from_module(
    "argocd-crds",
    f"{_ARGOCD}@{ARGOCD_VERSION}",
    [f"manifests/crds/{kind}-crd.yaml" for kind in ("application", "applicationset", "appproject")],
    "crds.yaml",
)
FLAGGER_CRDS = _from_module("flagger-crds", f"{_FLAGGER}@v1.36.1", ["artifacts/flagger/crd.yaml"], "crds.yaml")
GATEKEEPER_CHART = _chart("gatekeeper-chart", f"github.com/open-policy-agent/gatekeeper/v3@{GATEKEEPER}", "gatekeeper")

# What each part adds; within a part, an image comes after its binary.
PARTS: Mapping[str, tuple[Artefact, ...]] = {
    "control-plane": (CONTROL_PLANE,),
    "simulated": (KWOK, STAGES),
    "helm": (HELM, GATEKEEPER_CHART),
    "nodes": (
        CONTAINERD,
        *(_COREDNS[version] for version in COREDNS),
        _METRICS,
        _GATEKEEPER,
        _WITNESS,
        GATEKEEPER_MANIFEST,
        PAUSE,
        PROXY_IMAGE,
        *(_COREDNS_IMAGES[version] for version in COREDNS),
        _METRICS_IMAGE,
        _GATEKEEPER_IMAGE,
        _WITNESS_ARTEFACT,
    ),
    "more-coredns": (
        *(_COREDNS[version] for version in COREDNS_MORE),
        *(_COREDNS_IMAGES[version] for version in COREDNS_MORE),
    ),
    "faulty": (FAULTY,),
    "flagger": (FLAGGER, FLAGGER_CRDS),
    "popeye": (POPEYE,),
    "prometheus": (PROMETHEUS,),
    "vpa": (VPA,),
    "argocd": (ARGOCD, ARGOCD_CRDS),
}
USUAL = ("control-plane", "simulated", "helm", "nodes")


def missing(*parts: str) -> list[str]:
    """What is missing for a cluster: root, Go, or artefacts that are not built yet. Empty when all is there."""
    absent = [] if os.geteuid() == 0 else ["root"]
    if not shutil.which("go"):
        absent.append("Go")
    unbuilt = [artefact.name for artefact in _unbuilt(parts)]
    return [*absent, *([f"`make cluster` (not built: {', '.join(unbuilt)})"] if unbuilt else [])]


def _unbuilt(parts: Sequence[str]) -> list[Artefact]:
    return [artefact for part in parts or USUAL for artefact in PARTS[part] if not artefact.built]


def install_debian_packages(parts: Sequence[str] = ()) -> None:
    """Installs those of Debian's packages that are not there, with those that only these parts need."""
    wanted = (*DEBIAN, *(name for part in parts for name in MORE_DEBIAN.get(part, ())))
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    absent = [name for name in wanted if f"{name} ii" not in listed]
    if absent and os.geteuid() != 0:
        raise SystemExit(f"Debian packages are missing: {' '.join(absent)}. Install them, or run this as root.")
    if absent:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *absent)


def build(parts: Sequence[str] = ()) -> None:
    """Builds all that is missing of these parts, saying what and how long it took."""
    install_debian_packages(parts)
    began = time.monotonic()
    unbuilt = _unbuilt(parts)
    images = [artefact for artefact in unbuilt if artefact in _IMAGES]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        list(pool.map(_build_one, (artefact for artefact in unbuilt if artefact not in images)))
        list(pool.map(_build_one, images))
    if unbuilt:
        print(f"built in {time.monotonic() - began:.0f} s, into {cache()}", file=sys.stderr)


def _build_one(artefact: Artefact) -> None:
    start = time.monotonic()
    artefact.build()
    print(f"  {artefact.name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
