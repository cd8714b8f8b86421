"""The replies and pushes that the server sends to LINE, rebuilt by LINE's own models."""

import json
import uuid
from typing import Any

from checks import Checks
from linebot.v3.messaging import PushMessageRequest, ReplyMessageRequest, TextMessage
from program import Program

PUSH = "/v2/bot/message/push"
REPLY = "/v2/bot/message/reply"
UNITS_PER_BUBBLE = 5_000
TEXTS = [
    "hi",
    "👨‍👩‍👧‍👦😀 and a flag 🇯🇵",
    "こんにちは、世界。お元気ですか？",
    "  spaces, \ttabs, \\ back\\slashes, </script> and \u2028 \x7f  ",
    ('He said "yes", then\n' * 700)[:12_000],
    "長い文章。" * 3_000,
    "😀" * 12_500,
]


def check(checks: Checks, program: Program) -> None:
    """Sends each text through the server and reads what came out at LINE's side."""
    conversation = program.api("GET", "/conversations")["result"][0]
    _reply(checks, program, conversation)
    account = program.api("GET", "/conversation_accounts")["result"][0]
    program.api("PUT", f"/conversation_accounts/{account['id']}", {"delivery_mode": "push_only"})
    for text in TEXTS:
        program.control("DELETE", "/records")
        path = f"/conversations/{conversation['id']}/messages"
        answer = program.api("POST", path, {"text": text})
        what = f"the text {text[:20]!r}… of {len(text)} characters"
        checks.equal((answer["status"], answer["text"]), ("sent", text), what)
        requests = program.control("GET", "/requests")
        pushes = [request for request in requests if request["path"] == PUSH]
        checks.equal(len(pushes), 1, f"{what}: pushes")
        _push(checks, pushes[0], (conversation["reference_id"], text), what)
        checks.equal(program.control("GET", "/violations"), [], f"{what}: violations")


def _reply(checks: Checks, program: Program, conversation: dict[str, Any]) -> None:
    program.control("POST", f"/users/{conversation['reference_id']}/say", {"text": "are you there?"})
    program.control("DELETE", "/records")
    answer = program.api("POST", f"/conversations/{conversation['id']}/messages", {"text": "yes"})
    checks.equal((answer["status"], answer["cost"]), ("sent", 0), "an answer to a fresh message")
    [reply] = [one for one in program.control("GET", "/requests") if one["path"] == REPLY]
    checks.equal((reply["status"], reply["retry_key"]), (200, None), "a reply has no retry key")
    body = json.loads(reply["body"])
    request = ReplyMessageRequest.from_dict(body)
    checks.equal(request.to_dict(), {"notificationDisabled": False} | body, "the body of a reply")
    checks.equal([message.text for message in request.messages], ["yes"], "the text of a reply")
    checks.equal(program.control("GET", "/violations"), [], "violations of a reply")


def _push(checks: Checks, push: dict[str, Any], expected: tuple[str, str], what: str) -> None:
    checks.equal((push["method"], push["status"]), ("POST", 200), f"{what}: the push")
    key = push["retry_key"]
    checks.true(key is not None, f"{what}: a push has a retry key")
    checks.equal(str(uuid.UUID(key)), key, f"{what}: the retry key is a UUID as LINE writes it")
    body = json.loads(push["body"])
    request = PushMessageRequest.from_dict(body)
    # The SDK writes this default of LINE's out; the server leaves it away.
    checks.equal(request.to_dict(), {"notificationDisabled": False} | body, f"{what}: the body")
    checks.true(all(type(message) is TextMessage for message in request.messages), f"{what}: texts only")
    texts = [message.text for message in request.messages]
    checks.equal((request.to, "".join(texts)), expected, f"{what}: recipient and text")
    units = [len(text.encode("utf-16-le")) // 2 for text in texts]
    checks.true(all(1 <= count <= UNITS_PER_BUBBLE for count in units), f"{what}: bubbles of {units} units")
