"""Resolves kubeconfig files to one cluster and one user, merged as kubectl does; nothing is called yet.

The first file that defines a cluster, user, context or the current context wins; relative paths are relative to their
file. Errors name the file and the location but never a value from it: it contains credentials.
"""

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from addonctl.adapters import redact, shapes
from addonctl.errors import BadInput

_CHECK = "Check it with `kubectl config view`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The address and CA of an API server. An empty `ca_pem` means the system's CAs.

    `proxy_url` is None if the environment decides. `plugin_config` is the cluster entry's configuration for plugins.
    """

    name: str
    url: str
    ca_pem: str = ""
    tls_server_name: str = ""
    insecure: bool = False
    proxy_url: str | None = None
    plugin_config: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program that prints credentials (client.authentication.k8s.io)."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    interactive_mode: str = "IfAvailable"
    gives_cluster: bool = False
    install_hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """How a user authenticates; empty: anonymous."""

    token: str = field(default="", repr=False)
    token_file: str = ""
    basic: tuple[str, str] | None = field(default=None, repr=False)
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    plugin: Plugin | None = None
    impersonation: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One context with its cluster and user."""

    context: str
    server: Server
    user: User


# ── The file's shapes ───────────────────────────────────────────────────────────────────────────────────────────


class _Kebab(msgspec.Struct, rename="kebab", kw_only=True):
    pass


class _Camel(msgspec.Struct, rename="camel", kw_only=True):
    pass


class _Extension(_Camel):
    name: str = ""
    extension: Any = None


class _Cluster(_Kebab):
    server: str = ""
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool = False
    proxy_url: str | None = None
    extensions: list[_Extension] | None = None


class _Variable(_Camel):
    name: str
    value: str = ""


class _Exec(_Camel):
    command: str
    api_version: str = ""
    args: list[str] | None = None
    env: list[_Variable] | None = None
    interactive_mode: str | None = None
    provide_cluster_info: bool = False
    install_hint: str = ""


class _Provider(_Camel):
    name: str = ""


class _User(_Kebab):
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    username: str | None = None
    password: str | None = None
    exec: _Exec | None = None
    auth_provider: _Provider | None = None
    act_as: str | None = msgspec.field(default=None, name="as")
    as_uid: str | None = None
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None


class _Context(_Kebab):
    cluster: str = ""
    user: str = ""


class _NamedCluster(_Kebab):
    name: str
    cluster: _Cluster | None = None


class _NamedUser(_Kebab):
    name: str
    user: _User | None = None


class _NamedContext(_Kebab):
    name: str
    context: _Context | None = None


class _File(_Kebab):
    current_context: str | None = None
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


@dataclass(slots=True)
class _Merged:
    """All files merged; each entry with the folder of its file."""

    current: str = ""
    clusters: dict[str, tuple[_Cluster, Path]] = field(default_factory=dict)
    users: dict[str, tuple[_User, Path]] = field(default_factory=dict)
    contexts: dict[str, _Context] = field(default_factory=dict)

    def add(self, file: _File, folder: Path) -> None:
        self.current = self.current or file.current_context or ""
        for cluster in file.clusters or ():
            self.clusters.setdefault(cluster.name, (cluster.cluster or _Cluster(), folder))
        for user in file.users or ():
            self.users.setdefault(user.name, (user.user or _User(), folder))
        for context in file.contexts or ():
            self.contexts.setdefault(context.name, context.context or _Context())


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def files() -> list[Path]:
    """The existing files of KUBECONFIG, or else the default one. A home directory that cannot be read has none."""
    named = os.environ.get("KUBECONFIG")
    default = os.path.expanduser(os.path.join("~", ".kube", "config"))
    paths = [path for path in named.split(os.pathsep) if path] if named else [default]
    return [Path(path) for path in dict.fromkeys(paths) if os.path.exists(path)]


def choose(context: str = "", path: str = "") -> Chosen:
    """The context with that name, or the current one; from the file at `path`, or from those that `files` finds.

    Raises BadInput with what is wrong and where.
    """
    if path and not os.path.exists(path):
        raise BadInput(f"The kubeconfig {path} does not exist", "Give its path with --kubeconfig or KUBECONFIG.")
    paths = [Path(path)] if path else files()
    if not paths:
        raise BadInput(
            "No kubeconfig was found, and this is not a pod with a service account",
            "Give --kubeconfig, or --eks CLUSTER --region REGION; or read files with -f or --snapshot.",
        )
    merged = _Merged()
    for one in paths:
        merged.add(_read(one), one.absolute().parent)
    return _chosen(merged, context, ", ".join(map(str, paths)))


def contexts(path: str = "") -> tuple[str, ...]:
    """The names of all contexts in the same files as `choose`, for shell completion. Raises BadInput."""
    read = (_read(one) for one in ([Path(path)] if path else files()))
    return tuple(dict.fromkeys(named.name for file in read for named in file.contexts or ()))


def _read(path: Path) -> _File:
    import yaml

    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return shapes.convert({} if document is None else document, _File)
    except OSError as error:
        why = error.strerror or type(error).__name__
    except yaml.MarkedYAMLError as error:  # without its excerpt of the file
        why = f"{error.problem}" + (f" in line {error.problem_mark.line + 1}" if error.problem_mark else "")
    except (yaml.YAMLError, UnicodeError):
        why = "it is not YAML in UTF-8"
    except msgspec.ValidationError as error:
        why = str(error)
    except RecursionError:
        why = "it is nested too deeply"
    raise BadInput(f"The kubeconfig {path} cannot be used: {why}", _CHECK)


def _chosen(merged: _Merged, asked: str, where: str) -> Chosen:
    names = ", ".join(merged.contexts) or "none"
    name = asked or merged.current
    if not name:
        fix = f"Choose one with --context. There are: {names}." if merged.contexts else _CHECK
        raise BadInput(f"The kubeconfig {where} names no current context", fix)
    if name not in merged.contexts:
        raise BadInput(f"There is no context {name!r} in the kubeconfig {where}", f"There are: {names}.")
    context = merged.contexts[name]
    if context.cluster not in merged.clusters:
        raise BadInput(f"Context {name!r} names cluster {context.cluster!r}, which {where} does not hold", _CHECK)
    if context.user and context.user not in merged.users:
        raise BadInput(f"Context {name!r} names user {context.user!r}, which {where} does not hold", _CHECK)
    user, folder = merged.users.get(context.user, (_User(), Path()))
    return Chosen(
        context=name,
        server=_server(context.cluster, *merged.clusters[context.cluster]),
        user=_user(context.user, user, folder),
    )


def _server(name: str, cluster: _Cluster, folder: Path) -> Server:
    what = f"Cluster {name!r} of the kubeconfig"
    url = cluster.server.strip().rstrip("/")
    if not _usable(url):
        raise BadInput(
            f"{what} has no usable server: {redact.url(url)[:100]!r}", "It is a URL such as https://HOST:443."
        )
    configured = (one.extension for one in cluster.extensions or () if one.name == "client.authentication.k8s.io/exec")
    return Server(
        name=name,
        url=url,
        ca_pem=_pem(what, cluster.certificate_authority_data, cluster.certificate_authority, folder),
        tls_server_name=cluster.tls_server_name or "",
        insecure=cluster.insecure_skip_tls_verify,
        proxy_url=cluster.proxy_url or None,
        plugin_config=next(configured, None),
    )


def _usable(url: str) -> bool:
    """Whether it is an HTTP URL with a host and without credentials, which would show in every error."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in url and (parts.port or 1) > 0
    except ValueError:
        return False


def _user(name: str, user: _User, folder: Path) -> User:
    what = f"User {name!r} of the kubeconfig"
    if user.auth_provider is not None and not (user.exec or user.token or user.token_file):
        fix = "Use an exec plugin instead, as kubectl asks for since 1.26 (for OIDC: kubelogin)."
        raise BadInput(f"{what} has auth-provider {user.auth_provider.name!r}, which is not supported", fix)
    return User(
        token=user.token or "",
        token_file=str(folder / user.token_file) if user.token_file else "",
        basic=(user.username, user.password or "") if user.username else None,
        certificate_pem=_pem(what, user.client_certificate_data, user.client_certificate, folder),
        key_pem=_pem(what, user.client_key_data, user.client_key, folder),
        plugin=_plugin(user.exec, folder) if user.exec else None,
        impersonation=tuple(_impersonation(user)),
    )


def _plugin(plugin: _Exec, folder: Path) -> Plugin:
    apart = os.sep in plugin.command or (os.altsep is not None and os.altsep in plugin.command)
    return Plugin(
        api_version=plugin.api_version,
        command=str(folder / plugin.command) if apart else plugin.command,
        args=tuple(plugin.args or ()),
        env={variable.name: variable.value for variable in plugin.env or ()},
        interactive_mode=plugin.interactive_mode or "IfAvailable",
        gives_cluster=plugin.provide_cluster_info,
        install_hint=plugin.install_hint,
    )


def impersonation(user: str, groups: Iterable[str]) -> list[tuple[str, str]]:
    """The headers of acting as another user, which --as asks for. Raises BadInput for groups without a user."""
    named = list(groups)
    if named and not user:
        raise BadInput("--as-group is of a user to act as, and none is given", "Give --as USER as well.")
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in named)] if user else []


def _impersonation(user: _User) -> list[tuple[str, str]]:
    headers = [("Impersonate-User", user.act_as), ("Impersonate-Uid", user.as_uid)]
    headers += [("Impersonate-Group", group) for group in user.as_groups or ()]
    headers += [
        (f"Impersonate-Extra-{quote(key, safe='')}", value)
        for key, values in (user.as_user_extra or {}).items()
        for value in values
    ]
    return [(name, value) for name, value in headers if value]


def _pem(what: str, data: str | None, path: str | None, folder: Path) -> str:
    """PEM from base64 data or a file; the data win, as in kubectl."""
    try:
        if data:
            return base64.b64decode("".join(data.split()), validate=True).decode("ascii")
        return (folder / path).read_text("ascii") if path else ""
    except (binascii.Error, UnicodeError) as error:
        place = "inline data" if data else str(folder / str(path))
        raise BadInput(f"{what} has a certificate or key that is not PEM: {place}", _CHECK) from error
    except OSError as error:
        raise BadInput(f"{what} names {folder / str(path)}, which cannot be read: {error.strerror}", _CHECK) from error
