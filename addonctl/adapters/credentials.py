"""Credentials for an API server, and when to renew them: tokens, token files, exec plugins, EKS's presigned tokens.

However many requests find at once that a credential is no longer valid, it is renewed once.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from addonctl.adapters import redact, shapes
from addonctl.adapters.kubeconfig import Plugin, Server, User
from addonctl.errors import AddonctlError, BadInput, NotAllowed

# The kubelet replaces a service account token long before it expires; client-go, too, reads the file once a minute.
_TOKEN_FILE_AGE = timedelta(minutes=1)
# A credential is renewed this long before it expires: requests take time, and clocks differ.
_RENEW_BEFORE = timedelta(seconds=10)
# A credential that is rejected again this soon after its renewal is rejected for another reason.
_RENEWED_JUST_NOW_S = 5.0
# A plugin calls a cloud API, or prompts a person.
_PLUGIN_TIMEOUT_S, _LOGIN_TIMEOUT_S = 60, 300
_API = "client.authentication.k8s.io"
_API_VERSIONS = (f"{_API}/v1", f"{_API}/v1beta1")
_LOG_IN = "Run the plugin by hand to see why, or log in again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Proof of identity. If `expires` is None, it is valid until rejected."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    expires: datetime | None = None


@dataclass
class Credentials:
    """The credential in use. Safe to use from several threads; `load` is called by one at a time."""

    load: Callable[[], Credential]
    renewable: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _current: Credential | None = None
    _generation: int = 0
    _renewed_at: float = -_RENEWED_JUST_NOW_S
    _failed: AddonctlError | None = None

    def current(self) -> tuple[Credential, int]:
        """The credential and its generation number. Raises BadInput or NotAllowed."""
        with self._lock:
            if self._current is None or self._lapses(self._current):
                self._renew()
            assert self._current is not None
            return self._current, self._generation

    def refused(self, generation: int) -> bool:
        """The server rejected number `generation`: whether there is a newer one now. Raises the same as `current`."""
        with self._lock:
            if generation != self._generation:
                return True
            just_now = time.monotonic() - self._renewed_at < _RENEWED_JUST_NOW_S
            if just_now and self._failed is not None:
                raise self._failed
            if just_now or not self.renewable:
                return False
            self._renewed_at, self._failed = time.monotonic(), None
            try:
                self._renew()
            except AddonctlError as error:
                self._failed = error
                raise
            finally:
                self._renewed_at = time.monotonic()
            return True

    def _renew(self) -> None:
        self._current = self.load()
        self._generation += 1

    def _lapses(self, credential: Credential) -> bool:
        return credential.expires is not None and datetime.now(UTC) >= credential.expires - _RENEW_BEFORE


# ── Sources of credentials ──────────────────────────────────────────────────────────────────────────────────────


def of_user(user: User, server: Server, context: str) -> Credentials:
    """The credentials of a kubeconfig's user."""
    fixed = Credential(headers=user.impersonation, certificate_pem=user.certificate_pem, key_pem=user.key_pem)
    if user.token_file:
        return of_token_file(Path(user.token_file), fixed)
    if user.token:
        return Credentials(lambda: bearer(user.token, fixed), renewable=False)
    plugin = user.plugin
    if plugin is not None:
        return Credentials(lambda: _by_plugin(plugin, server, context, fixed))
    if user.basic:
        words = base64.b64encode(":".join(user.basic).encode()).decode()
        headers = (*fixed.headers, ("Authorization", f"Basic {words}"))
        return Credentials(lambda: replace(fixed, headers=headers), renewable=False)
    return Credentials(lambda: fixed, renewable=False)


def of_token_file(path: Path, fixed: Credential | None = None) -> Credentials:
    """A token in a file that is replaced from time to time."""

    def load() -> Credential:
        try:
            token = path.read_text("ascii").strip()
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise BadInput(f"The token file {path} cannot be read: {why}", "Mount or write it.") from error
        until = datetime.now(UTC) + _TOKEN_FILE_AGE + _RENEW_BEFORE
        return replace(bearer(token, fixed or Credential()), expires=until)

    return Credentials(load)


def of_tokens(token: Callable[[], tuple[str, datetime]]) -> Credentials:
    """Tokens that are made in this process, each with its expiry."""

    def load() -> Credential:
        text, until = token()
        return replace(bearer(text, Credential()), expires=until)

    return Credentials(load)


def bearer(token: str, fixed: Credential) -> Credential:
    return replace(fixed, headers=(*fixed.headers, ("Authorization", f"Bearer {token}")))


# ── Plugins ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _Status | None = None


def _by_plugin(plugin: Plugin, server: Server, context: str, fixed: Credential) -> Credential:
    printed = _run(plugin, server, f"The credential plugin {plugin.command!r} of context {context!r}")
    what = f"The credential plugin {plugin.command!r} of context {context!r} printed"
    try:
        said = shapes.decode(printed, _ExecCredential)
    except msgspec.DecodeError as error:  # the error names paths and types, not values
        raise NotAllowed(f"{what} no ExecCredential: {error}", _LOG_IN) from error
    if said.kind != "ExecCredential" or said.api_version != plugin.api_version:
        got = f"{said.kind or 'something'} of {said.api_version or 'no version'}"
        raise NotAllowed(f"{what} {got}, not ExecCredential of {plugin.api_version}", "Update the plugin.")
    status = said.status or _Status()
    if not status.token and not (status.client_certificate_data and status.client_key_data):
        raise NotAllowed(f"{what} neither a token nor a certificate with its key", _LOG_IN)
    made = bearer(status.token, fixed) if status.token else fixed
    if status.client_certificate_data:
        made = replace(made, certificate_pem=status.client_certificate_data, key_pem=status.client_key_data)
    expires = status.expiration_timestamp
    return replace(made, expires=expires.replace(tzinfo=expires.tzinfo or UTC) if expires else None)


def _run(plugin: Plugin, server: Server, what: str) -> bytes:
    """The output of a plugin. Its messages go to the terminal if there is one, otherwise into the error."""
    if plugin.api_version not in _API_VERSIONS:
        raise BadInput(f"{what} speaks {plugin.api_version or 'no version'!r}", f"Known: {', '.join(_API_VERSIONS)}.")
    interactive = plugin.interactive_mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive_mode == "Always" and not interactive:
        raise NotAllowed(f"{what} needs a terminal", "Run addonctl in one, or use credentials that need none.")
    command = shutil.which(plugin.command)
    if command is None:
        raise BadInput(f"{what} is not installed", plugin.install_hint.strip() or "Install it, or correct its path.")
    info = json.dumps(_exec_info(plugin, server, interactive))
    try:
        done = subprocess.run(
            [command, *plugin.args],
            env={**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": info},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            timeout=_LOGIN_TIMEOUT_S if interactive else _PLUGIN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotAllowed(f"{what} gave no answer in {error.timeout:.0f} s", _LOG_IN) from error
    except OSError as error:
        raise BadInput(f"{what} cannot be run: {error.strerror}", "Check its path and mode.") from error
    if done.returncode:
        said = redact.text(" ".join((done.stderr or b"").decode(errors="replace").split()))[-300:]
        raise NotAllowed(f"{what} failed with {done.returncode}" + (f": {said}" if said else ""), _LOG_IN)
    return done.stdout


def _exec_info(plugin: Plugin, server: Server, interactive: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.gives_cluster:
        given = {
            "server": server.url,
            "tls-server-name": server.tls_server_name,
            "insecure-skip-tls-verify": server.insecure,
            "certificate-authority-data": base64.b64encode(server.ca_pem.encode()).decode(),
            "proxy-url": server.proxy_url,
            "config": server.plugin_config,
        }
        spec["cluster"] = {key: value for key, value in given.items() if value}
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
