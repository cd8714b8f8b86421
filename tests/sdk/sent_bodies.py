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


PICTURE = "https://example.com/a.png"
PRESS = {"type": "message", "label": "yes", "text": "yes"}
AREA = {"x": 0, "y": 0, "width": 520, "height": 520}
BODY = {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "hi", "wrap": True}]}
# One of each kind, and the name of the SDK's model of what becomes of it.
MEDIAS: list[tuple[str, dict[str, Any]]] = [
    ("StickerMessage", {"type": "sticker", "package_id": "446", "sticker_id": "1988"}),
    (
        "LocationMessage",
        {"type": "location", "title": "Tower", "address": "1-1", "latitude": 35.5, "longitude": -1.25},
    ),
    ("ImageMessage", {"type": "image", "uri": PICTURE}),
    ("VideoMessage", {"type": "video", "uri": "https://example.com/a.mp4", "preview_uri": PICTURE}),
    ("AudioMessage", {"type": "audio", "uri": "https://example.com/a.m4a", "duration_ms": 60_000}),
    ("TextMessage", {"type": "file", "filename": "r.pdf", "uri": "https://example.com/r.pdf"}),
    (
        "TemplateMessage",
        {
            "type": "template",
            "alt_text": "a question",
            "contents": {"type": "confirm", "text": "?", "actions": [PRESS, PRESS]},
        },
    ),
    (
        "ImagemapMessage",
        {
            "type": "imagemap",
            "alt_text": "a map",
            "contents": {
                "baseUrl": "https://example.com/map",
                "baseSize": {"width": 1040, "height": 585},
                "actions": [{"type": "message", "text": "here", "area": AREA}],
            },
        },
    ),
    ("FlexMessage", {"type": "flex", "alt_text": "a card", "contents": {"type": "bubble", "body": BODY}}),
]


def check(checks: Checks, program: Program) -> None:
    """Sends all that can be sent through the server and reads what came out at LINE's side."""
    conversation = program.api("GET", "/conversations")["result"][0]
    _reply(checks, program, conversation)
    account = program.api("GET", "/conversation_accounts")["result"][0]
    program.api("PUT", f"/conversation_accounts/{account['id']}", {"delivery_mode": "push_only"})
    for text in TEXTS:
        what = f"the text {text[:20]!r}… of {len(text)} characters"
        answer, push = _send(checks, program, conversation, {"text": text}, what)
        checks.equal(answer["text"], text, what)
        _texts(checks, _push(checks, push, what), (conversation["reference_id"], text), what)
    _medias(checks, program, conversation)


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


def _medias(checks: Checks, program: Program, conversation: dict[str, Any]) -> None:
    quoted = None
    for model, media in MEDIAS:
        body: dict[str, Any] = {
            "text": "look:",
            "medias": [media],
            "quick_replies": [{"type": "action", "imageUrl": PICTURE, "action": PRESS}],
            "sender": {"name": "Ann", "icon_uri": PICTURE},
            "notification_disabled": True,
        }
        if quoted is not None:
            body["quote"] = quoted
        answer, push = _send(checks, program, conversation, body, model)
        request = _push(checks, push, model)
        text, sent = request.messages
        checks.equal((type(text).__name__, type(sent).__name__), ("TextMessage", model), model)
        checks.equal(text.quote_token is not None, quoted is not None, f"{model}: the quote")
        checks.equal((text.quick_reply, len(sent.quick_reply.items)), (None, 1), f"{model}: quick replies")
        checks.equal((text.sender.name, sent.sender.name), ("Ann", "Ann"), f"{model}: the sender")
        checks.equal(request.notification_disabled, True, f"{model}: silence")
        quoted = answer["id"]


def _send(
    checks: Checks, program: Program, conversation: dict[str, Any], body: dict[str, Any], what: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a message, and the one push that it led to."""
    program.control("DELETE", "/records")
    answer = program.api("POST", f"/conversations/{conversation['id']}/messages", body)
    checks.equal(answer["status"], "sent", what)
    requests = program.control("GET", "/requests")
    pushes = [request for request in requests if request["path"] == PUSH]
    checks.equal(len(pushes), 1, f"{what}: pushes")
    checks.equal(program.control("GET", "/violations"), [], f"{what}: violations")
    return answer, pushes[0]


def _push(checks: Checks, push: dict[str, Any], what: str) -> PushMessageRequest:
    """The push as LINE's model reads it, which is to the last property what the server wrote."""
    checks.equal((push["method"], push["status"]), ("POST", 200), f"{what}: the push")
    key = push["retry_key"]
    checks.true(key is not None, f"{what}: a push has a retry key")
    checks.equal(str(uuid.UUID(key)), key, f"{what}: the retry key is a UUID as LINE writes it")
    body = json.loads(push["body"])
    request = PushMessageRequest.from_dict(body)
    # The SDK writes this default of LINE's out; the server leaves it away.
    checks.equal(request.to_dict(), {"notificationDisabled": False} | body, f"{what}: the body")
    return request


def _texts(checks: Checks, request: PushMessageRequest, expected: tuple[str, str], what: str) -> None:
    checks.true(all(type(message) is TextMessage for message in request.messages), f"{what}: texts only")
    texts = [message.text for message in request.messages]
    checks.equal((request.to, "".join(texts)), expected, f"{what}: recipient and text")
    units = [len(text.encode("utf-16-le")) // 2 for text in texts]
    checks.true(all(1 <= count <= UNITS_PER_BUBBLE for count in units), f"{what}: bubbles of {units} units")
