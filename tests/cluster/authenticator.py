"""Tells the API server who an AWS token is, as aws-iam-authenticator does on EKS.

A token is a presigned GetCallerIdentity; whoever can sign it may come in, under the ARN that STS answers.
"""

import base64
import binascii
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree

_PREFIX = "k8s-aws-v1."
_ARN = ".//{https://sts.amazonaws.com/doc/2011-06-15/}Arn"
_NAME_HEADER = "x-k8s-aws-id"


class Authenticator(ThreadingHTTPServer):
    """A webhook on loopback for tokens of one EKS cluster; `sts` is where presigned requests may go, and nowhere else.

    Started at once, because the API server wants the address before the rest is there; `sts` may come later.
    """

    daemon_threads = True

    def __init__(self, cluster: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._cluster, self.sts = cluster, ""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def review(self, token: str) -> dict[str, Any]:
        """The status of a TokenReview."""
        try:
            arn = self._caller(_presigned(token))
        except (ValueError, OSError, ElementTree.ParseError) as error:
            return {"authenticated": False, "error": str(error)}
        return {"authenticated": True, "user": {"username": arn, "uid": arn, "groups": ["system:masters"]}}

    def _caller(self, url: str) -> str:
        signed = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        if not self.sts or not url.startswith(f"{self.sts}/?"):
            raise ValueError("the token does not lead to STS")
        headers = signed.get("X-Amz-SignedHeaders", [""])[0]
        if signed.get("Action") != ["GetCallerIdentity"] or _NAME_HEADER not in headers.split(";"):
            raise ValueError("the token is no GetCallerIdentity that names a cluster")
        # AWS sees by its name that STS is asked; moto, which is all services under one, by this header alone.
        service = f"AWS4-HMAC-SHA256 Credential={signed.get('X-Amz-Credential', [''])[0]}"
        request = urllib.request.Request(url, headers={_NAME_HEADER: self._cluster, "Authorization": service})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = ElementTree.fromstring(answer.read()).findtext(_ARN)
        if not found:
            raise ValueError("STS did not answer with an ARN")
        return found


def _presigned(token: str) -> str:
    """The URL in a token."""
    if not token.startswith(_PREFIX):
        raise ValueError("not a token of AWS")
    encoded = token.removeprefix(_PREFIX)
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except binascii.Error as error:
        raise ValueError("not a token of AWS") from error


class _Handler(BaseHTTPRequestHandler):
    server: Authenticator

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {
            "apiVersion": review["apiVersion"],
            "kind": "TokenReview",
            "status": self.server.review(review["spec"].get("token", "")),
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """The lab prints what it is for, not its requests."""
