"""Secrets in the forms that they really have, planted wherever addonctl reads; and the search for them afterwards.

Every canary holds MARK, so that one search finds them all: as it is, in base64 and in any case. `planted()` is a
cluster full of them, for files, for a server that plays the API, and for a real cluster.
"""

import base64
import gzip
import json
import re
from typing import Any

MARK = "c4n4ry7Kx9Zq2Wp"
CNI = "602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:v1.22.4"
DNS = "registry.k8s.io/coredns/coredns:v1.12.4"


def _base64_forms(text: str) -> list[str]:
    """What base64 makes of `text` inside of anything, at each of three offsets, without the uncertain ends."""
    forms = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode()).decode().rstrip("=")
        forms.append(encoded[(0, 2, 3)[before] : -2])
    return forms


_SEARCHED = [re.compile(re.escape(MARK), re.IGNORECASE), *(re.compile(re.escape(f)) for f in _base64_forms(MARK))]


def leaks(text: str) -> list[str]:
    """Where a canary shows in `text`, with what stands around it."""
    return [text[max(0, m.start() - 60) : m.end() + 20] for form in _SEARCHED for m in form.finditer(text)]


def _jwt() -> str:
    parts = ({"alg": "RS256", "kid": "a"}, {"sub": f"system:serviceaccount:{MARK}"})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*coded, MARK))


PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIEow{MARK}\n{MARK}\n-----END RSA PRIVATE KEY-----"
KUBECONFIG = (
    f"apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    token: {MARK}\n"
    f"    client-key-data: {base64.b64encode(PEM.encode()).decode()}\n    password: {MARK}\n"
)
# Free text as people and controllers write it.
MESSAGES = (
    f"login failed: password={MARK}",
    f'cannot use {{"bindPW": "{MARK} and {MARK}", "user": "x"}}',
    f"exec failed: mysql --password {MARK} -h db",
    f"AWS_SECRET_ACCESS_KEY {MARK} is not valid",
    f"cannot clone https://me:{MARK}@git.example.com/r.git: refused",
    f"cannot clone https://me:a/{MARK}@git.example.com/r.git: refused",
    f"cannot clone https://{MARK}@git.example.com/r.git: refused",
    f"GET https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA{MARK.upper()}&X-Amz-Signature={MARK}: 403",
    f"Authorization: Bearer {MARK}",
    f"refused: bearer {_jwt()}",
    f"token k8s-aws-v1.{MARK}",
    f"key AKIA{MARK.upper()} is disabled",
    f"github_pat_{MARK} has expired, and so has ghp_{MARK}{MARK}",
    f"glpat-{MARK}abcde npm_{MARK} sk-{MARK} AIza{MARK}{MARK}",
    f"sk_live_{MARK} SG.{MARK}.{MARK} xoxb-{MARK}",
    f"post to https://hooks.slack.com/services/T00/B00/{MARK} failed",
    f"the key is\n{PEM}",
    f"the key is cut off -----BEGIN EC PRIVATE KEY-----\n{MARK}",
    KUBECONFIG,
    "x" * 392 + f" token={MARK}",
)
URLS = (
    f"https://me:{MARK}@git.example.com/r.git",
    f"https://me:a/{MARK}@git.example.com/r.git",
    f"https://{MARK}@git.example.com/r.git",
    f"https://git.example.com/r.git?access_token={MARK}#{MARK}",
    f"https://git.example.com/t/{MARK}Longer0Key/r.git",
    f"https://oauth2:glpat-{MARK}@git.example.com/r.git",
)
COREFILE = f"""
.:53 {{
    errors
    kubernetes cluster.local in-addr.arpa {{
        tls /c.pem {MARK} /ca.pem
    }}
    route53 example.org.:Z1 {{
        aws_access_key AKIA{MARK.upper()} {MARK}
    }}
    etcd skydns.local {{
        credentials root {MARK}
    }}
    forward . tls://9.9.9.9 https://me:{MARK}@dns.example.com {{
        tls /c.pem {MARK} /ca.pem
        tls_servername {MARK}.example.com
    }}
    # token: {MARK}
}}
"""
DEX = f"""
connectors:
- type: ldap
  config: {{bindDN: cn=admin, bindPW: {MARK}}}
- type: github
  config: {{clientID: x, clientSecret: {MARK}}}
"""
CONFIG_MAPS: dict[str, dict[str, str]] = {
    "kube-system/coredns": {"Corefile": COREFILE, "NodeHosts": MARK},
    "kube-system/cilium-config": {
        "kube-proxy-replacement": MARK,
        "cni-chaining-mode": MARK,
        "etcd-config": f"password: {MARK}",
    },
    "kube-system/kube-proxy": {"kubeconfig.conf": KUBECONFIG},
    "kube-system/amazon-vpc-cni": {"branch-eni-cooldown": MARK},
    "argocd/argocd-cm": {
        "dex.config": DEX,
        "oidc.config": f"clientSecret: {MARK}",
        "repositories": f"- password: {MARK}",
        "webhook.github.secret": MARK,
        "accounts.x": MARK,
    },
    "istio-system/istio": {"mesh": f"token: {MARK}"},
    "apps/mine": {"x": MARK},
}


def _meta(name: str, namespace: str = "apps", **more: Any) -> dict[str, Any]:
    """An object's metadata with a last-applied annotation and others that hold canaries."""
    notes = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"apiVersion": "v1", "data": {"p": MARK}}),
        "example.com/token": MARK,
        "argocd.argoproj.io/tracking-id": f"a:apps/Deployment:apps/{name} token={MARK}",
        **more.pop("annotations", {}),
    }
    return {"name": name, **({"namespace": namespace} if namespace else {}), "annotations": notes, **more}


def _conditions() -> list[dict[str, Any]]:
    return [{"type": f"C{n}", "status": "False", "reason": "R", "message": said} for n, said in enumerate(MESSAGES)]


def helm_secret() -> dict[str, Any]:
    values = {"auth": {"password": MARK}, "note": MARK, "list": [MARK], "token": MARK, "tls": {"key": PEM}}
    manifest = (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations: {{x: {MARK}}}\nstringData:\n  p: {MARK}\n"
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, annotations: {{x: {MARK}}}}}\n"
    )
    release = {
        "name": "dns",
        "namespace": "apps",
        "version": 3,
        "config": values,
        "manifest": manifest,
        "info": {"status": "failed", "notes": MARK, "description": MESSAGES[0], "last_deployed": MARK},
        "hooks": [{"name": "h", "manifest": manifest}],
        "chart": {
            "metadata": {"name": "coredns", "version": "1.43.2", "annotations": {"x": MARK}},
            "values": values,
            "templates": [{"data": MARK}],
            "files": [{"data": MARK}],
        },
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = {"owner": "helm", "name": "dns", "status": "failed", "version": "3"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": _meta("sh.helm.release.v1.dns.v3", labels=labels),
        "data": {"release": base64.b64encode(packed).decode()},
    }


def _workloads() -> list[dict[str, Any]]:
    names = ("PASSWORD", "WARM_IP_TARGET", "ENABLE_POD_ENI", "NETWORK_POLICY_ENFORCING_MODE", "X")
    env = [{"name": name, "value": MARK} for name in names]
    env.append({"name": "CLUSTER_ENDPOINT", "value": f"https://svc:{MARK}@api.example.com"})
    env.append({"name": "WARM_ENI_TARGET", "value": "1"})
    labels = {"app": "dns"}
    made = []
    for kind, name, image in (("Deployment", "dns", DNS), ("DaemonSet", "aws-node", CNI)):
        container = {"name": "main", "image": image, "env": env, "args": [f"--token={MARK}"], "command": ["x", MARK]}
        spec: dict[str, Any] = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": _meta("t", "", labels=labels), "spec": {"containers": [container]}},
        }
        del spec["template"]["metadata"]["name"]
        made.append(
            {
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": _meta(name),
                "spec": spec,
                "status": {"conditions": _conditions()},
            }
        )
    return made


def _pods() -> list[dict[str, Any]]:
    """One a message: in what it waits for, in how it ended, in its conditions."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": _meta(f"dns-{n}", labels={"app": "dns"}),
            "spec": {"containers": [{"name": "main", "image": DNS, "env": [{"name": "P", "value": MARK}]}]},
            "status": {
                "phase": "Pending",
                "message": said,
                "conditions": [{"type": "Ready", "status": "False", "message": said}],
                "containerStatuses": [
                    {
                        "name": "main",
                        "image": DNS,
                        "imageID": "",
                        "ready": False,
                        "restartCount": 9,
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": said}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": said}},
                    }
                ],
            },
        }
        for n, said in enumerate(MESSAGES)
    ]


def _events() -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": _meta(f"e{n}"),
            "type": "Warning",
            "reason": "Failed",
            "message": said,
            "involvedObject": {"kind": "Pod", "name": "dns-0", "namespace": "apps"},
        }
        for n, said in enumerate(MESSAGES)
    ]


def _configuration() -> list[dict[str, Any]]:
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(*reversed(name.split("/"))), "data": data}
        for name, data in CONFIG_MAPS.items()
    ]
    argo = {"labels": {"argocd.argoproj.io/secret-type": "repository"}}
    secrets = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": _meta("argocd-secret", "argocd"),
            "stringData": {"admin.password": MARK, "server.secretkey": MARK},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": _meta("repo-a", "argocd", **argo),
            "stringData": {"url": URLS[0], "password": MARK, "sshPrivateKey": PEM},
        },
    ]
    role = {"eks.amazonaws.com/role-arn": f"arn:aws:iam::123456789012:role/a token={MARK}"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta("dns", annotations=role)}
    parameters = {"type": MARK, "adminSecret": MARK, "csi.storage.k8s.io/provisioner-secret-name": MARK, "iops": MARK}
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": _meta("s", ""),
        "provisioner": "ebs.csi.aws.com",
        "parameters": parameters,
    }
    return [*maps, *secrets, helm_secret(), account, storage]


def _extensions() -> list[dict[str, Any]]:
    common = {"sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore"}
    hooks = [
        {
            "name": f"w{n}.example.com",
            **common,
            "clientConfig": {"url": url.replace("git.example.com", "hooks.example.com")},
        }
        for n, url in enumerate(URLS)
    ]
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": _meta("w", ""),
            "webhooks": hooks,
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": _meta("v1.x.example.com", ""),
            "spec": {
                "group": "x.example.com",
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "apps", "name": "x"},
            },
            "status": {"conditions": [{"type": "Available", "status": "False", "message": m} for m in MESSAGES]},
        },
    ]


def _gitops() -> list[dict[str, Any]]:
    helm = {"values": MARK, "valuesObject": {"p": MARK}, "parameters": [{"name": "password", "value": MARK}]}
    failed = {"phase": "Failed", "message": " ".join(MESSAGES)}
    made: list[dict[str, Any]] = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": _meta(f"a{n}", "argocd"),
            "spec": {
                "project": "default",
                "source": {"repoURL": url, "path": "p", "targetRevision": "v1", "helm": helm},
                "destination": {"server": url, "namespace": "apps"},
            },
            "status": {
                "operationState": failed,
                "conditions": [{"type": "SyncError", "message": m} for m in MESSAGES],
                "sync": {"status": "Unknown"},
                "health": {"status": "Degraded", "message": MESSAGES[n]},
            },
        }
        for n, url in enumerate(URLS)
    ]
    for n, url in enumerate(URLS):
        for kind in ("GitRepository", "HelmRepository", "OCIRepository", "Bucket"):
            made.append(
                {
                    "apiVersion": "source.toolkit.fluxcd.io/v1",
                    "kind": kind,
                    "metadata": _meta(f"s{n}", "flux"),
                    "spec": {"url": url, "secretRef": {"name": "s"}},
                    "status": {"conditions": _conditions()},
                }
            )
    made += [
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": _meta("h", "flux"),
            "spec": {"values": {"password": MARK}, "chart": {"spec": {"chart": "c", "sourceRef": {"name": "s0"}}}},
            "status": {"conditions": _conditions()},
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": _meta("k", "flux"),
            "spec": {"path": f"./x?token={MARK}", "postBuild": {"substitute": {"P": MARK}}},
            "status": {"conditions": _conditions()},
        },
    ]
    return made


def _others() -> list[dict[str, Any]]:
    """Custom resources: of their spec nothing free is kept, of their status messages, cleaned."""
    return [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": _meta(f"c{n}"),
            "spec": {"password": MARK, "image": {"token": MARK}, "suspend": MARK, "mode": said},
            "status": {
                "conditions": [{"type": "Ready", "status": "False", "message": said}],
                "phase": "Failed",
                "message": said,
                "error": {"message": said},
                "reason": said,
                "secret": MARK,
                "failureReason": said,
                "byPod": [{"id": "x", "errors": [{"message": said}]}],
            },
        }
        for n, said in enumerate(MESSAGES)
    ]


# Documents that cannot be read: their errors are shown.
BROKEN = f"""
kind: Deployment
apiVersion: apps/v1
metadata: {{name: a, labels: {MARK}}}
---
kind: Deployment
apiVersion: apps/v1
metadata: {{name: b, labels: {{x: [{MARK}]}}}}
---
kind: Deployment
apiVersion: apps/v1
metadata: {{name: c}}
spec: {{template: {{spec: {{containers: {MARK}}}}}}}
---
password: "{MARK}
---
password: *{MARK}
---
password: {MARK}: {MARK}
---
kind: Secret
apiVersion: v1
type: helm.sh/release.v1
metadata: {{name: s, labels: {{owner: helm}}}}
data: {{release: {MARK}}}
"""


def planted() -> list[dict[str, Any]]:
    """A cluster in which everything that is read, and much that is not, holds a canary."""
    return [*_workloads(), *_pods(), *_events(), *_configuration(), *_extensions(), *_gitops(), *_others()]
