"""What schemathesis has to know of a server beside its document: loaded by it, not run as a program.

Of the ids that it makes up every second one becomes that of something that exists, so that handlers are reached too.
Requests that would make the server speak to somebody are led to this machine.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import re
from typing import Any
from uuid import UUID

import schemathesis

# What exists: parameters by the beginning of the path they stand in, written by the goal.
EXISTING: dict[str, str] = json.loads(os.environ["KAIWA_GOAL_EXISTING"])
SECRET = os.environ["KAIWA_GOAL_CHANNEL_SECRET"].encode()
NUMBERS = itertools.count()
KEY = re.compile("[ -~]{1,255}")
ACCOUNT = "/v1.0/conversation_accounts/{id}"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9/"


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Lets every second id be one that exists."""
    if not path_parameters:
        return path_parameters
    path = context.operation.path
    known = {"id": _existing(path), "message_id": EXISTING["message"], "account_id": EXISTING["account"]}
    return {name: _sometimes(value, known.get(name)) for name, value in path_parameters.items()}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Lets nobody be called but this machine, gives each request a key of its own, and signs what LINE would have signed."""
    path = case.operation.path
    headers = case.headers or {}
    if KEY.fullmatch(headers.get("Idempotency-Key", "")):
        # Schemathesis has the same few keys for all bodies, and would hear of nothing but that.
        headers["Idempotency-Key"] = f"{headers['Idempotency-Key'][:200]}{next(NUMBERS)}"
    if path.startswith("/m/") and next(NUMBERS) % 2 and _is_id(case.path_parameters["id"]):
        # Schemathesis prefers the ids of uploads, which were not sent.
        case.path_parameters["id"] = EXISTING["/m/"]
    if path == ACCOUNT and case.method.upper() != "GET" and case.path_parameters["id"] == EXISTING["account"]:
        # Found in a list; its credentials are those that everything else goes through.
        case.path_parameters["id"] = EXISTING["/v1.0/conversation_accounts/"]
    if path == "/v1.0/webhook" and isinstance(case.body, dict) and _is_address(case.body.get("uri")):
        case.body["uri"] = NOWHERE
    if path.startswith("/v1.0/conversation/accounts/") and "X-Line-Signature" in headers:
        sent = case.as_transport_kwargs()
        body = sent["data"] if "data" in sent else json.dumps(sent.get("json")).encode()
        body = body.encode() if isinstance(body, str) else body or b""
        mac = hmac.new(SECRET, body, hashlib.sha256).digest()
        headers["X-Line-Signature"] = base64.b64encode(mac).decode()


def _existing(path: str) -> str | None:
    """What exists of the kind that the path is about. A quota is asked for with credentials that nobody exchanges."""
    if path.endswith("/quota"):
        return EXISTING["account"]
    return next((id for beginning, id in EXISTING.items() if path.startswith(beginning)), None)


def _sometimes(value: Any, existing: str | None) -> Any:
    return existing if existing and _is_id(value) and UUID(value).int % 2 else value


def _is_id(value: Any) -> bool:
    try:
        return str(UUID(value)) == value
    except (AttributeError, TypeError, ValueError):
        return False


def _is_address(value: Any) -> bool:
    """Whether a reader that skips blanks and controls, as browsers do, could take it for a web address."""
    return isinstance(value, str) and "".join(sign for sign in value if sign > " ").lower().startswith("http")
