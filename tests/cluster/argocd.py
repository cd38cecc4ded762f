"""A real Argo CD beside the lab: it owns one add-on, and puts back what others change of it.

Redis, repo server and application controller are processes of this machine; in the cluster are Argo CD's CRDs, its
settings and one Application, whose source is a git repository in the cluster's folder, with a tag a version. The add-on
is external-dns under its real image names; its pods only wait. Called by lab.py.
"""

import json
import shutil
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from tests.cluster import build, dozen
from tests.cluster.cluster import RUN, Cluster
from tests.cluster.processes import Records, sh, wait_for

NAMESPACE = "argocd"
ADDON, VERSION = "external-dns", "v0.20.0"
NEWER, NOT_BUILT = "v0.21.0", "v0.22.0"  # the image of the last is not to be had
NAMED = "registry.k8s.io/external-dns/external-dns"
IMAGE = f"{NAMED}:{VERSION}"
REPOSITORY = RUN / "argocd" / "repository"
_API, _KINDS = "argoproj.io", ("applications", "applicationsets", "appprojects")
_SYNC_S = 120
# It runs outside the cluster that it calls its own (then KUBECONFIG names that), without the key ring of its image.
_ENVIRONMENT = {"ARGOCD_FAKE_IN_CLUSTER": "true", "ARGOCD_GPG_ENABLED": "false"}


class ArgoCd:
    """`with ArgoCd(cluster):` hands the add-on over to Argo CD, and ends Argo CD's processes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._records = cluster, Records(RUN)

    def __enter__(self) -> Self:
        try:
            self._settings()
            self._processes()
            self._application()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._records.stop("argocd-")

    def _settings(self) -> None:
        self._cluster.apply((build.ARGOCD_CRDS.folder / "crds.yaml").read_text())
        established = ("wait", "--for=condition=Established", "--timeout=30s", *(f"crd/{k}.{_API}" for k in _KINDS))
        # Asked too early, while a CRD has no conditions yet, `kubectl wait` fails at once.
        wait_for("Argo CD's CRDs", lambda: bool(self._cluster.kubectl(*established)))
        self._cluster.apply("\n---\n".join(map(json.dumps, _SETTINGS)))

    def _processes(self) -> None:
        redis, repo_server, *metrics = _free_ports(4)
        (RUN / "argocd" / "tmp").mkdir(parents=True)
        for name in ("argocd-repo-server", "argocd-application-controller"):
            (RUN / "bin" / name).symlink_to(build.ARGOCD.folder / "argocd")
        (RUN / "bin" / "redis-server").symlink_to(_redis())
        nothing_kept = ("--save", "", "--appendonly", "no", "--set-proc-title", "no", "--dir", str(RUN / "argocd"))
        self._spawn("argocd-redis", "redis-server", "--bind", "127.0.0.1", "--port", str(redis), *nothing_kept)
        self._spawn(
            "argocd-repo-server",
            "argocd-repo-server",
            "--address=127.0.0.1",
            f"--port={repo_server}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={metrics[0]}",
            f"--redis=127.0.0.1:{redis}",
            "--disable-tls",
        )
        for name, port in (("argocd-redis", redis), ("argocd-repo-server", repo_server)):
            self._records.wait_for(name, partial(_serves, port), 30)
        self._spawn(
            "argocd-application-controller",
            "argocd-application-controller",
            f"--kubeconfig={self._cluster.kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--repo-server=127.0.0.1:{repo_server}",
            "--repo-server-plaintext",
            f"--redis=127.0.0.1:{redis}",
            f"--metrics-port={metrics[1]}",  # on every address: it has no flag for that
            "--app-resync=10",
        )

    def _spawn(self, name: str, command: str, *arguments: str) -> None:
        here = {"KUBECONFIG": str(self._cluster.kubeconfig), "TMPDIR": str(RUN / "argocd" / "tmp")}
        path = str(build.HELM.folder)
        self._records.spawn(name, RUN / "bin" / command, *arguments, path=path, environment=_ENVIRONMENT | here)

    def _application(self) -> None:
        for version in (VERSION, NEWER):
            self._cluster.name_image(build.WITNESS_IMAGE, f"{NAMED}:{version}")
        sh("git", "init", "-q", "-b", "main", REPOSITORY)
        for version in (VERSION, NEWER, NOT_BUILT):
            _commit(REPOSITORY, version)
        self._cluster.apply(json.dumps(_APPLICATION))
        self._records.wait_for("argocd-application-controller", self._synced, _SYNC_S)
        self._cluster.ready(f"deployment/{ADDON}", ADDON)

    def _synced(self) -> bool:
        status = "jsonpath={.status.sync.status}"
        return self._cluster.kubectl("-n", NAMESPACE, "get", f"application.{_API}", ADDON, "-o", status) == "Synced"


def _redis() -> Path:
    """Redis's one binary, which serves under the name redis-server. Debian has it in redis-tools, without a service."""
    found = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if not found:
        raise RuntimeError("redis is not installed; `make cluster PARTS=argocd` installs it")
    return Path(found).resolve()


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody has."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _serves(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _commit(repository: Path, version: str) -> None:
    """The manifests of a version, under its tag. They set what an update of ours patches."""
    deployment = dozen.idle_deployment(ADDON, f"{NAMED}:{version}")
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    deployment["spec"] |= {"replicas": 2, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    (repository / ADDON).mkdir(parents=True, exist_ok=True)
    (repository / ADDON / "deployment.json").write_text(json.dumps(deployment, indent=2))
    author = ("-c", "user.name=lab", "-c", "user.email=lab@example.com", "-c", "commit.gpgsign=false")
    sh("git", "-C", repository, "add", ".")
    sh("git", "-C", repository, *author, "commit", "-q", "-m", f"{ADDON} {version}")
    sh("git", "-C", repository, "tag", version)


def _in_namespace(api_version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "argocd"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **more}


_ANY = {"group": "*", "kind": "*"}
_SETTINGS = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    _in_namespace(
        "v1",
        "ConfigMap",
        "argocd-cm",
        # Tracking as Argo CD has done it by default since 3.0.
        data={"timeout.reconciliation": "10s", "application.resourceTrackingMethod": "annotation"},
    ),
    _in_namespace("v1", "Secret", "argocd-secret", stringData={"server.secretkey": "of a lab that is gone in minutes"}),
    _in_namespace(
        f"{_API}/v1alpha1",
        "AppProject",
        "default",
        spec={
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [_ANY],
        },
    ),
)
_APPLICATION = _in_namespace(
    f"{_API}/v1alpha1",
    "Application",
    ADDON,
    spec={
        "project": "default",
        "source": {"repoURL": f"file://{REPOSITORY}", "path": ADDON, "targetRevision": VERSION},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": ADDON},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
    },
)
