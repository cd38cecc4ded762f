"""What an address answers, over TLS on loopback; and what is packed with zstd."""

import gzip
import http.server
import shutil
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from addonctl.adapters import files
from addonctl.errors import BadInput

POD = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
PATHS = {"/pod.yaml": POD, "/pod.yaml.gz": gzip.compress(POD)}


class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what is printed."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/pod.yaml")
            self.end_headers()
        elif self.path in PATHS:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PATHS[self.path])
        else:
            self.send_error(404)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for localhost, which nobody trusts but who is told to."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    done = subprocess.run([*make, *subject, "-keyout", "-"], capture_output=True, check=True, timeout=60)
    path.write_bytes(done.stdout)
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    served.socket = context.wrap_socket(served.socket, server_side=True)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{served.server_port}"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("path", PATHS)
def test_an_address_of_https_is_read_like_a_file(server: str, path: str) -> None:
    (found,) = files.files([server + path])
    assert (found.name, found.body, found.error) == (server + path, POD, "")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("path", "why"),
    [("/nothing", "cannot be fetched"), ("/away", "leads to http://127.0.0.1:9/pod.yaml, which is not https")],
    ids=["not found", "leads away from https"],
)
def test_what_cannot_be_fetched_is_refused_in_words(server: str, path: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        list(files.files([server + path]))


def test_who_is_not_trusted_is_not_read(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(BadInput, match=r"certificate verify failed"):
        list(files.files([f"{server}/pod.yaml"]))


# ── zstd ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def zstd() -> str:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("there is no zstd")
    return program


def packed(program: str, path: Path) -> Path:
    subprocess.run([program, "-q", "--rm", str(path)], check=True, timeout=60)
    return path.with_name(f"{path.name}.zst")


def test_what_zstd_packed_is_read(zstd: str, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_bytes(POD)
    with tarfile.open(tmp_path / "bundle.tar", "w") as archive:
        archive.add(tmp_path / "pod.yaml", "inner/pod.yaml")
    for name in ("pod.yaml", "bundle.tar"):
        packed(zstd, tmp_path / name)
    found = {(Path(each.name).name, each.member): each.body for each in files.files([str(tmp_path)])}
    assert found == {("pod.yaml.zst", ""): POD, ("bundle.tar.zst", "inner/pod.yaml"): POD}


def test_a_bomb_and_a_cut_file_of_zstd_cost_themselves(zstd: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_bytes(b" " * (64 << 20))
    (tmp_path / "cut.yaml").write_bytes(POD * 100)
    bomb, cut = (packed(zstd, tmp_path / f"{name}.yaml") for name in ("bomb", "cut"))
    cut.write_bytes(cut.read_bytes()[:-8])
    said = {Path(each.name).name: each.error for each in files.files([str(tmp_path)])}
    assert "unpacks to more than" in said[bomb.name]
    assert said[cut.name] == "it cannot be unpacked by zstd: it is cut off or damaged"


def test_without_the_program_it_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pod.yaml.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"\0" * 20)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = files.files([str(tmp_path / "pod.yaml.zst")])
    assert found.error.endswith("unpack it with `zstd -d`")
