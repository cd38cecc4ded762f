"""A control plane as processes of this machine, with real and simulated nodes; everything ends with `stop`."""

import base64
import contextlib
import fcntl
import json
import signal
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Self

from tests.cluster import build
from tests.cluster.node import Node
from tests.cluster.processes import Records, clean, sh, wait_for

BRIDGE, HOST, PORT = "addonctl0", "10.250.0.1", 16443
SERVICES, SERVICE_HOST, DNS_ADDRESS = "10.0.0.0/16", "10.0.0.1", "10.0.0.10"
ADMIN_TOKEN = "admin"  # a cluster on a bridge of this machine, gone in minutes
RUN = Path(tempfile.gettempdir()) / "addonctl-cluster"
_NODE_IP = "10.251.0.1"  # of every simulated node: without one, pods on a node's own network never become ready
# Beside real nodes, simulated ones are kept for the pods that tolerate them: an add-on that landed there would run in
# name only.
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
_ETCD = "http://127.0.0.1:12379"
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


class Cluster:
    """One cluster at a time on a machine; `with Cluster() as cluster:` starts and ends it."""

    def __init__(
        self,
        real_nodes: int = 2,
        simulated_nodes: int = 0,
        stages: Sequence[Path] = (),
        *,
        controllers: bool = True,
        all_apis: bool = False,
        context: str = "cluster",
        authenticator: str = "",
    ) -> None:
        self._real, self._simulated, self._stages = real_nodes, simulated_nodes, stages
        self._controllers = controllers  # without them objects are stored and nothing follows from them
        self._all_apis = all_apis  # also alpha and beta versions, which are off by default
        self._context = context  # its name in the kubeconfig
        self._authenticator = authenticator  # URL of a webhook that reviews tokens which the API server does not know
        self._nodes: list[Node] = []
        self._lock: IO[str] | None = None
        self._bin = RUN / "bin"
        self._records = Records(RUN)
        self.kubeconfig = RUN / "kubeconfig"
        self.audit_log = RUN / "audit.log"
        self.server = f"https://{HOST}:{PORT}"
        self.ca_file = RUN / "pki" / "ca.crt"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts control plane and nodes; whatever goes wrong, nothing stays behind."""
        self._lock = RUN.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise RuntimeError("another cluster runs on this machine; end it first") from None
        clean(RUN)
        self._records = Records(RUN)
        try:
            self._prepare()
            self._control_plane()
            self._real_nodes()
            if self._simulated:
                self.simulate_nodes(self._simulated)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends everything that `start` made."""
        clean(RUN)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints. Raises RuntimeError with its stderr when it fails."""
        done = subprocess.run(
            [self._bin / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()[:2000]}")
        return done.stdout

    def helm(self, *arguments: str) -> str:
        """What helm prints."""
        helm = build.HELM.folder / "helm"
        return sh(helm, f"--kubeconfig={self.kubeconfig}", *arguments)

    def apply(self, manifest: str, manager: str = "kubectl") -> None:
        """Server-side apply of YAML or JSON."""
        self.kubectl(
            "apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-", stdin=manifest
        )

    def ready(self, workload: str, namespace: str = "kube-system", timeout_s: int = 90) -> None:
        """Waits until a rollout is complete."""
        self.kubectl("-n", namespace, "rollout", "status", workload, f"--timeout={timeout_s}s")

    def kubeconfig_of(self, service_account: str, namespace: str = "default") -> Path:
        """A kubeconfig with the rights of a service account and no others."""
        token = self.kubectl("-n", namespace, "create", "token", service_account).strip()
        path = RUN / f"kubeconfig-{namespace}-{service_account}"
        path.write_text(json.dumps(self._kubeconfig(token)))
        return path

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The network namespaces of the real nodes."""
        return tuple(node.netns for node in self._nodes)

    def name_image(self, image: str, name: str) -> None:
        """Gives an image another name on every real node, as a mirror or AWS would serve it."""
        for node in self._nodes:
            node.name_image(image, name)

    def import_images(self, file: Path) -> None:
        """Takes the images of a tar on every real node."""
        for node in self._nodes:
            node.import_images(file)

    def simulate_nodes(self, count: int) -> None:
        """Adds nodes that kwok plays; their pods run nothing."""
        if not any("kwok" in line for line in self._records.noted("process")):
            self._records.spawn(
                "kwok",
                build.KWOK.folder / "kwok",
                f"--kubeconfig={self.kubeconfig}",
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                "--cidr=10.240.0.0/16",
                "--node-lease-duration-seconds=40",
                f"--node-ip={_NODE_IP}",
                "--server-address=127.0.0.1:20247",
                *(f"--config={stage}" for stage in self._stages or (build.STAGES.folder / "stages.yaml",)),
            )
        have = self.kubectl("get", "nodes", "-l", "type=kwok", "--no-headers", check=False).count("\n")
        nodes = (_simulated(number, taint=bool(self._real)) for number in range(have, have + count))
        self.apply("\n---\n".join(map(json.dumps, nodes)))

    def freeze(self, process: str) -> None:
        """Makes a process of the cluster hang (`kubelet-1`), until it is thawed."""
        self._records.send(signal.SIGSTOP, process)

    def thaw(self, process: str) -> None:
        self._records.send(signal.SIGCONT, process)

    # ── Making ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self) -> None:
        self._bin.mkdir()
        for name in build.COMPONENTS:
            (self._bin / name).symlink_to(build.CONTROL_PLANE.folder / "kubernetes")
        for existing in sh("ip", "netns", "list").splitlines():
            self._records.note("netns-before", existing.split()[0])
        self._records.note("link", BRIDGE)
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "addr", "add", f"{HOST}/24", "dev", BRIDGE)
        # Whoever asks a simulated node's kubelet is refused at once, where nobody's address would make him wait.
        sh("ip", "addr", "add", f"{_NODE_IP}/32", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
        sh("sysctl", "-w", "net.ipv4.ip_forward=1")
        write_certificates(RUN / "pki")
        (RUN / "tokens.csv").write_text(f"{ADMIN_TOKEN},admin,admin,system:masters\n")
        (RUN / "audit-policy.yaml").write_text(_AUDIT_POLICY)
        self.kubeconfig.write_text(json.dumps(self._kubeconfig(ADMIN_TOKEN)))
        if self._authenticator:
            (RUN / "authenticator.json").write_text(json.dumps(_webhook(self._authenticator)))

    def _real_nodes(self) -> None:
        self._nodes = [Node(number, self._real, RUN, self._records) for number in range(self._real)]
        with ThreadPoolExecutor() as pool:  # importing images is most of a node's start
            list(pool.map(lambda node: node.start(HOST, self.kubeconfig, DNS_ADDRESS), self._nodes))
        wait_for("nodes", lambda: self.kubectl("get", "nodes", "--no-headers").count(" Ready ") == self._real, 90)

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        ca = base64.b64encode(self.ca_file.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self._context,
            "clusters": [{"name": "cluster", "cluster": {"server": self.server, "certificate-authority-data": ca}}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": self._context, "context": {"cluster": "cluster", "user": "user"}}],
        }

    def _control_plane(self) -> None:
        self._records.spawn(
            "etcd",
            self._bin / "etcd",
            f"--data-dir={RUN}/etcd",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            "--listen-peer-urls=http://127.0.0.1:12380",
            "--initial-advertise-peer-urls=http://127.0.0.1:12380",
            "--initial-cluster=default=http://127.0.0.1:12380",
            "--unsafe-no-fsync=true",
            "--log-level=warn",
        )
        self._records.spawn("kube-apiserver", self._bin / "kube-apiserver", *self._api_server_flags())
        wait_for("kube-apiserver", self._api_ready, 60)
        if not self._controllers:
            return
        auth = [f"--{kind}kubeconfig={self.kubeconfig}" for kind in ("", "authentication-", "authorization-")]
        # The default of 20 requests a second makes a rollout of 500 pods take most of a minute.
        speed = ["--kube-api-qps=300", "--kube-api-burst=400", "--leader-elect=false"]
        # Kubelets here report every 4 s, so a node that hangs can be told from a slow one earlier than after 50 s.
        notice = ["--node-monitor-grace-period=20s", "--horizontal-pod-autoscaler-sync-period=5s"]
        volumes = ["--enable-hostpath-provisioner=true"]  # kubernetes.io/host-path: folders below /tmp/hostpath_pv
        self._records.spawn(
            "kube-controller-manager",
            self._bin / "kube-controller-manager",
            *auth,
            *speed,
            *notice,
            *volumes,
            "--secure-port=20257",
            f"--service-account-private-key-file={RUN}/pki/sa.key",
            f"--root-ca-file={self.ca_file}",
            "--use-service-account-credentials=true",
            f"--cert-dir={RUN}/controller-manager",
        )
        self._records.spawn(
            "kube-scheduler",
            self._bin / "kube-scheduler",
            *auth,
            *speed,
            "--secure-port=20259",
            f"--cert-dir={RUN}/scheduler",
        )

    def _api_server_flags(self) -> list[str]:
        pki = RUN / "pki"
        return [
            f"--etcd-servers={_ETCD}",
            f"--secure-port={PORT}",
            "--bind-address=0.0.0.0",
            # Pods reach the API server through its Service, so this must not be loopback.
            f"--advertise-address={HOST}",
            f"--tls-cert-file={pki}/server.crt",
            f"--tls-private-key-file={pki}/server.key",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            f"--token-auth-file={RUN}/tokens.csv",
            f"--client-ca-file={pki}/ca.crt",
            f"--service-account-key-file={pki}/sa.key",
            f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            "--max-requests-inflight=800",
            "--max-mutating-requests-inflight=400",
            # The server stands outside the pod network: it must call aggregated APIs at their pods.
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy.crt",
            f"--proxy-client-key-file={pki}/front-proxy.key",
            *(["--runtime-config=api/all=true"] if self._all_apis else []),
            *(self._token_review_flags() if self._authenticator else []),
            f"--audit-policy-file={RUN}/audit-policy.yaml",
            f"--audit-log-path={self.audit_log}",
        ]

    def _token_review_flags(self) -> list[str]:
        return [
            f"--authentication-token-webhook-config-file={RUN}/authenticator.json",
            "--authentication-token-webhook-version=v1",
        ]

    def _api_ready(self) -> bool:
        request = urllib.request.Request(f"{self.server}/readyz", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        context = ssl.create_default_context(cafile=self.ca_file)
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(request, context=context, timeout=2) as r,
        ):
            return bool(r.status == 200)
        return False


def _webhook(url: str) -> dict[str, Any]:
    """A webhook as the API server wants it described: a kubeconfig."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "webhook",
        "clusters": [{"name": "webhook", "cluster": {"server": url}}],
        "users": [{"name": "api-server", "user": {}}],
        "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "api-server"}}],
    }


def _simulated(number: int, *, taint: bool) -> dict[str, Any]:
    size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"simulated-{number}",
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": f"simulated-{number}",
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": f"eu-1{'abc'[number % 3]}",
                "node.kubernetes.io/instance-type": "m5.2xlarge",
            },
        },
        "spec": {"taints": [TAINT] if taint else []},
        "status": {"allocatable": size, "capacity": size},
    }


def write_certificates(folder: Path) -> None:
    """A CA; the API server's certificate and the front proxy's; a key for service account tokens. All end in a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    folder.mkdir()
    now = datetime.now(UTC) - timedelta(minutes=1)
    ca_key = rsa.generate_private_key(65537, 2048)
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "addonctl-test")])
    hosts: list[x509.GeneralName] = [x509.IPAddress(ip_address(a)) for a in (HOST, SERVICE_HOST, "127.0.0.1")]
    hosts += [x509.DNSName(f"kubernetes{end}") for end in ("", ".default", ".default.svc")]

    def save_key(name: str, key: rsa.RSAPrivateKey) -> None:
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )

    def issue(name: str, subject: x509.Name, key: rsa.RSAPrivateKey, *, ca: bool = False) -> None:
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        )
        signed = built.sign(ca_key, hashes.SHA256())
        (folder / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    issue("ca", ca_name, ca_key, ca=True)
    for name in ("server", "front-proxy"):
        key = rsa.generate_private_key(65537, 2048)
        save_key(name, key)
        issue(name, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
    save_key("sa", rsa.generate_private_key(65537, 2048))
