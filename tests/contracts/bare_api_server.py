"""A real kube-apiserver over a real etcd on loopback, and nothing else: what it stores, nobody acts upon.

Lighter than tests/cluster, beside which it may run: it takes free ports and a folder of its own. ConfigMaps are not
kept in its watch cache, so that compacting etcd is enough to make a place in their past expire.
"""

import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster import build

TOKEN = "admin"  # of a server on loopback that is gone in a minute
_READY_S = 60


def missing() -> str:
    """What has to be built first, empty if nothing."""
    return "" if build.CONTROL_PLANE.built else "the control plane (python -m tests.cluster build)"


class BareApiServer:
    """`with BareApiServer() as server:` starts and ends it."""

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="addonctl-api-")))
            self.kubeconfig = folder / "kubeconfig"
            etcd, peer, port = (_free_port() for _ in range(3))
            self._etcd, self._server = f"http://127.0.0.1:{etcd}", f"https://127.0.0.1:{port}"
            for program in ("etcd", "kube-apiserver"):  # one binary, called by its parts' names
                os.symlink(build.CONTROL_PLANE.folder / "kubernetes", folder / program)
            _spawn(
                undo,
                folder,
                "etcd",
                f"--data-dir={folder}/etcd-data",
                f"--listen-client-urls={self._etcd}",
                f"--advertise-client-urls={self._etcd}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            )
            _spawn(undo, folder, "kube-apiserver", *_flags(folder, self._etcd, port))
            self._write_kubeconfig()
            self._wait(folder)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def compact(self, revision: str) -> None:
        """Makes etcd forget what was before a resourceVersion."""
        body = json.dumps({"revision": revision, "physical": True}).encode()
        request = urllib.request.Request(f"{self._etcd}/v3/kv/compaction", body)
        urllib.request.urlopen(request, timeout=10).close()

    def _write_kubeconfig(self) -> None:
        cluster = {"server": self._server, "insecure-skip-tls-verify": True}
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "bare",
                    "clusters": [{"name": "bare", "cluster": cluster}],
                    "users": [{"name": "admin", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "admin"}}],
                }
            )
        )

    def _wait(self, folder: Path) -> None:
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            try:
                self._get("/api/v1/namespaces/default")  # made by the server itself, last
                return
            except (OSError, urllib.error.HTTPError):
                time.sleep(0.1)
        raise TimeoutError(f"no API server in {_READY_S} s:\n{(folder / 'kube-apiserver.log').read_text()[-3000:]}")

    def _get(self, path: str) -> Any:
        context = ssl._create_unverified_context()
        request = urllib.request.Request(self._server + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:
            return json.load(answer)


def _flags(folder: Path, etcd: str, port: int) -> list[str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "sa.key").write_bytes(pem)
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\nguest,guest,guest\n")
    return [
        f"--etcd-servers={etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/certs",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={folder}/sa.key",
        f"--service-account-signing-key-file={folder}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--disable-admission-plugins=ServiceAccount",
        "--watch-cache-sizes=configmaps#0",
        "--endpoint-reconciler-type=none",
    ]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _spawn(undo: ExitStack, folder: Path, program: str, *flags: str) -> None:
    log = undo.enter_context((folder / f"{program}.log").open("wb"))
    started = subprocess.Popen([folder / program, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    undo.callback(_end, started)


def _end(started: "subprocess.Popen[bytes]") -> None:
    started.terminate()
    try:
        started.wait(10)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
