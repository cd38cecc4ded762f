"""A real node: containerd and kubelet in a network namespace of their own, on the cluster's bridge."""

import json
from pathlib import Path
from typing import Any

from tests.cluster import build
from tests.cluster.processes import Records, sh

_CGROUPS = Path("/sys/fs/cgroup")


class Node:
    """Number `number` of `total`; its pods have addresses 10.245.NUMBER.0/24."""

    def __init__(self, number: int, total: int, run: Path, records: Records) -> None:
        self.number, self.total, self.records = number, total, records
        self.name = f"node-{number}"
        self.netns = f"addonctl-node-{number}"
        self.address = _address(number)
        self.folder = run / self.name
        self.bin = run / "bin"

    def start(self, gateway: str, kubeconfig: Path, dns: str) -> None:
        """Starts the node; it joins when its kubelet has spoken to the API server."""
        (self.folder / "cni").mkdir(parents=True)
        self._network(gateway)
        self._cgroups()
        self._containerd()
        (self.folder / "kubelet.json").write_text(json.dumps(self._kubelet_configuration(dns)))
        zone = f"eu-1{'abc'[self.number % 3]}"
        self.records.spawn(
            f"kubelet-{self.number}",
            self.bin / "kubelet",
            f"--config={self.folder}/kubelet.json",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={self.name}",
            f"--root-dir={self.folder}/kubelet",
            f"--node-ip={self.address}",
            f"--node-labels=topology.kubernetes.io/zone={zone},node.kubernetes.io/instance-type=m5.large",
            netns=self.netns,
            path="/usr/sbin:/sbin",
        )

    def _network(self, gateway: str) -> None:
        link, inside = f"addonctl-v{self.number}", ("ip", "-n", self.netns)
        self.records.note("netns", self.netns)
        self.records.note("link", link)
        sh("ip", "netns", "add", self.netns)
        sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        sh("ip", "link", "set", link, "master", "addonctl0", "up")
        sh(*inside, "addr", "add", f"{self.address}/24", "dev", "eth0")
        sh(*inside, "link", "set", "eth0", "up")
        sh(*inside, "link", "set", "lo", "up")
        sh(*inside, "route", "add", "default", "via", gateway)
        sh("nsenter", f"--net=/run/netns/{self.netns}", "sysctl", "-w", "net.ipv4.ip_forward=1")
        sh("ip", "route", "replace", f"10.245.{self.number}.0/24", "via", self.address)
        for other in range(self.total):
            if other != self.number:
                sh(*inside, "route", "add", f"10.245.{other}.0/24", "via", _address(other))

    def _cgroups(self) -> None:
        """kubelet does not make its root cgroup; a new cpuset is empty until it is told its processors."""
        self.records.note("cgroup", self.netns)
        for hierarchy in _CGROUPS.iterdir():
            if hierarchy.is_dir():
                (hierarchy / self.netns).mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            parent = _CGROUPS / "cpuset" / setting
            if parent.exists():
                (_CGROUPS / "cpuset" / self.netns / setting).write_text(parent.read_text())

    def _containerd(self) -> None:
        folder, socket, tools = self.folder, self.folder / "c.sock", build.CONTAINERD.folder
        (folder / "containerd.toml").write_text(_CONTAINERD.format(folder=folder, pause=build.PAUSE_IMAGE))
        (folder / "cni" / "10.conflist").write_text(json.dumps(self._cni()))
        (folder / "registries" / "_default").mkdir(parents=True)
        (folder / "registries" / "_default" / "hosts.toml").write_text(_NO_REGISTRY)
        self.records.note("containerd", f"{tools}/ctr {socket}")
        name = f"containerd-{self.number}"
        self.records.spawn(
            name,
            tools / "containerd",
            "-c",
            folder / "containerd.toml",
            netns=self.netns,
            path=f"{tools}:/usr/sbin:/sbin",
        )
        self.records.wait_for(name, lambda: bool(sh(tools / "ctr", "-a", socket, "version")))
        for image in build.images():
            self.import_images(image)

    def import_images(self, file: Path) -> None:
        """Takes the images of a tar."""
        self._ctr("import", file)

    def name_image(self, image: str, name: str) -> None:
        """Gives an image of this node another name; kubelet then finds it under that one, too."""
        self._ctr("tag", "--force", image, name)

    def _ctr(self, *command: str | Path) -> None:
        ctr = build.CONTAINERD.folder / "ctr"
        sh(ctr, "-a", self.folder / "c.sock", "-n", "k8s.io", "images", *command)

    def _cni(self) -> dict[str, Any]:
        ranges = [[{"subnet": f"10.245.{self.number}.0/24"}]]
        ipam = {
            "type": "host-local",
            "dataDir": f"{self.folder}/ipam",
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
        return {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [bridge | {"ipam": ipam}, {"type": "portmap", "capabilities": {"portMappings": True}}],
        }

    def _kubelet_configuration(self, dns: str) -> dict[str, Any]:
        """A Secret that changes is seen in seconds, not after a minute: Gatekeeper waits for its own to start."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.netns}",
            "failSwapOn": False,
            "address": "0.0.0.0",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{self.folder}/c.sock",
            "clusterDNS": [dns],
            "clusterDomain": "cluster.local",
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "100Mi"},
            "resolvConf": "",
            "podLogsDir": f"{self.folder}/logs",
            "maxPods": 60,
            "imageMinimumGCAge": "24h",
            "nodeStatusUpdateFrequency": "4s",
            "syncFrequency": "5s",
        }


def _address(number: int) -> str:
    return f"10.250.0.{10 + number}"


# Whoever pulls is refused at once, where the name of a registry that nobody can reach would take a minute to look up.
_NO_REGISTRY = 'server = "http://127.0.0.1:9"\n'
# Without CAP_SYS_RESOURCE runc cannot lower a pod's OOM score: restrict_oom_score_adj makes containerd not ask.
# Every containerd would bind the one socket of its NRI plugin, and now and then the second dies of that at its start.
_CONTAINERD = """\
version = 3
root = "{folder}/containerd"
state = "{folder}/state"
[grpc]
address = "{folder}/c.sock"
[plugins."io.containerd.nri.v1.nri"]
disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"
[plugins."io.containerd.cri.v1.images".registry]
config_path = "{folder}/registries"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{folder}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "/usr/sbin/runc"
"""
