"""Processes, namespaces, links and mounts that a cluster makes: started with a record, ended by it.

Everything is recorded in the run folder before it is made, so that `down` cleans up after a run that was killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_STOP_S = 5.0
_LOG_SHOWN = 20  # lines
# Our own children, to be reaped; those of an earlier run are only known by their recorded ids.
_CHILDREN: dict[int, "subprocess.Popen[bytes]"] = {}


def sh(*command: str | Path, check: bool = True) -> str:
    """Runs a short command and returns what it prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def wait_for(what: str, ready: Callable[[], bool], timeout_s: float = 60) -> None:
    """Polls until `ready`; raises TimeoutError with the last error otherwise."""
    end, last = time.monotonic() + timeout_s, ""
    while time.monotonic() < end:
        try:
            if ready():
                return
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            last = str(error)
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not ready in {timeout_s} s. {last}")


class Records:
    """What a run has made, in files of its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def note(self, kind: str, value: str) -> None:
        with (self.folder / f"{kind}.made").open("a") as handle:
            handle.write(value + "\n")

    def noted(self, kind: str) -> list[str]:
        path = self.folder / f"{kind}.made"
        return path.read_text().splitlines() if path.exists() else []

    def spawn(
        self,
        name: str,
        *command: str | Path,
        netns: str = "",
        path: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts a process in the background, in a network namespace if given; its output goes to NAME.log."""
        # Not `ip netns exec`: that mounts a fresh /sys, which hides the cgroups.
        enter = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
        with (self.folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [*enter, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={
                    **os.environ,
                    **(environment or {}),
                    "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"],
                },
            )
        _CHILDREN[started.pid] = started
        self.note("process", f"{started.pid} {_born(started.pid)} {name}")

    def wait_for(self, name: str, ready: Callable[[], bool], timeout_s: float = 120) -> None:
        """Waits until a process of ours serves; raises TimeoutError with the end of its log otherwise."""
        try:
            wait_for(name, ready, timeout_s)
        except TimeoutError as error:
            log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-_LOG_SHOWN:]
            raise TimeoutError("\n".join((str(error), *log))) from None

    def send(self, sent: signal.Signals, *prefixes: str) -> list[int]:
        """Sends a signal to the processes whose names begin so, if they are still ours; returns their ids."""
        chosen = []
        for line in self.noted("process"):
            number, born, name = line.split(" ", 2)
            if name.startswith(prefixes) and _born(int(number)) == born:
                chosen.append(int(number))
        for pid in chosen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
        return chosen

    def stop(self, *prefixes: str, kill: bool = False) -> None:
        """Ends the processes whose names begin so (all of them without prefixes), if they are still ours."""
        chosen = self.send(signal.SIGKILL if kill else signal.SIGTERM, *(prefixes or ("",)))
        end = time.monotonic() + _STOP_S
        while time.monotonic() < end and any(_alive(pid) for pid in chosen):
            time.sleep(0.05)
        if not kill and any(_alive(pid) for pid in chosen):
            self.stop(*prefixes, kill=True)


def _born(pid: int) -> str:
    """When a process began, in ticks: tells it from a later one of the same id. Empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _alive(pid: int) -> bool:
    if pid in _CHILDREN:
        return _CHILDREN[pid].poll() is None
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_below(folder: Path) -> Iterator[int]:
    """Processes whose command line names `folder`: shims that containerd left behind."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                yield int(entry.name)


def mounts_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def clean(folder: Path) -> None:
    """Removes everything that the run in `folder` made."""
    records = Records(folder)
    records.stop("kubelet")
    records.stop("kwok", "kube-")
    _end_containers(records, folder)
    records.stop()
    for _ in range(10):
        left = [pid for pid in processes_below(folder) if _is_shim(pid)]
        if not left:
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    for namespace in records.noted("netns"):
        sh("ip", "netns", "del", namespace, check=False)
    for link in records.noted("link"):
        sh("ip", "link", "del", link, check=False)
    for point in mounts_below(folder):
        sh("umount", "-l", point, check=False)
    for name in records.noted("cgroup"):
        _remove_cgroups(name)
    for address in records.noted("pod-netns"):
        sh("ip", "netns", "del", address, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _is_shim(pid: int) -> bool:
    try:
        return b"containerd-shim" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end_containers(records: Records, folder: Path) -> None:
    """Kills the tasks of every node's containerd, and forgets the network namespaces of their pods."""
    for line in records.noted("containerd"):
        ctr, socket = line.split(" ")
        if not Path(socket).exists():
            continue
        base = (ctr, "-a", socket, "-n", "k8s.io")
        for task in sh(*base, "tasks", "ls", "-q", check=False).split():
            sh(*base, "tasks", "kill", "-s", "SIGKILL", task, check=False)
    before = set(records.noted("netns-before"))
    for line in sh("ip", "netns", "list", check=False).splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith("cni-") and name not in before:
            records.note("pod-netns", name)


def _remove_cgroups(name: str) -> None:
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        root = hierarchy / name
        if not root.is_dir():
            continue
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            root.rmdir()
