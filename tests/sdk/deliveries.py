"""The webhooks that the sandbox sends, judged by LINE's own parser."""

import json
import uuid
from typing import Any

from bot import Bot, Delivery
from checks import Checks
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    ApiClient,
    ButtonsTemplate,
    Configuration,
    DatetimePickerAction,
    LocationAction,
    MessagingApi,
    PostbackAction,
    PushMessageRequest,
    QuickReply,
    QuickReplyItem,
    SetWebhookEndpointRequest,
    TemplateMessage,
)
from linebot.v3.messaging import TestWebhookEndpointRequest as EndpointTest
from linebot.v3.webhook import WebhookParser
from program import Program

UNKNOWN = "UnknownEvent"


class Deliveries:
    """A bot of its own stands where the server's webhook was, until the end of these checks."""

    def __init__(self, checks: Checks, program: Program, bot: Bot) -> None:
        self._checks = checks
        self._program = program
        self._bot = bot
        self._parser = WebhookParser(program.channel_secret)

    def run(self) -> None:
        """All checks, with the webhook's endpoint restored at the end."""
        channel = self._program.control("GET", "/state")["channel"]
        configuration = Configuration(host=self._program.line, access_token=channel["token"])
        with ApiClient(configuration) as client:
            line = MessagingApi(client)
            before = line.get_webhook_endpoint().endpoint
            line.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=self._bot.url))
            try:
                self._endpoint_test(line)
                self._person()
                self._messages()
                self._album()
                self._buttons(line)
                self._group()
                self._room()
                self._any_events()
                self._raw_bytes()
                self._redelivery()
            finally:
                line.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=before))
            self._checks.equal(line.get_webhook_endpoint().endpoint, before, "the endpoint is restored")

    def _endpoint_test(self, line: MessagingApi) -> None:
        answer = line.test_webhook_endpoint(EndpointTest())
        self._checks.equal((answer.success, answer.status_code), (True, 200), "the test of the endpoint")
        [delivery] = self._bot.take(1)
        self._checks.equal(self._verified(delivery), [], "the webhook of a test has no events")

    def _person(self) -> None:
        self._told("POST", "/users", {"name": "Hana"}, "FollowEvent")
        self._told("POST", "/users/Hana/postback", {"data": "buy=1"}, "PostbackEvent")
        date = {"data": "day", "params": {"date": "2024-01-31"}}
        event = self._told("POST", "/users/Hana/postback", date, "PostbackEvent")
        self._checks.equal(event.postback.params, {"date": "2024-01-31"}, "the parameters of a postback")
        self._told("POST", "/users/Hana/block", {}, "UnfollowEvent")
        event = self._told("POST", "/users/Hana/follow", {}, "FollowEvent")
        self._checks.equal(event.follow.is_unblocked, True, "a follow after a block says so")

    def _messages(self) -> None:
        for text in ["hi", "日本語 😀👨‍👩‍👧", 'line\nbreak, "quote", \\ and \u2028', " a trailing space "]:
            event = self._told("POST", "/users/Hana/say", {"text": text}, "MessageEvent")
            self._checks.equal(event.message.text, text, "the text of a message")
        quote = {"text": "that one", "quoted_message_id": event.message.id}
        event = self._told("POST", "/users/Hana/say", quote, "MessageEvent")
        self._checks.equal(event.message.quoted_message_id, quote["quoted_message_id"], "the quoted message")
        messages: list[tuple[dict[str, object], str]] = [
            ({"type": "sticker", "packageId": "446", "stickerId": "1988"}, "StickerMessageContent"),
            ({"type": "image"}, "ImageMessageContent"),
            ({"type": "video", "duration": 5000}, "VideoMessageContent"),
            ({"type": "audio", "duration": 5000}, "AudioMessageContent"),
            ({"type": "file"}, "FileMessageContent"),
            ({"type": "location", "latitude": 35.6, "longitude": 139.7}, "LocationMessageContent"),
        ]
        for message, kind in messages:
            event = self._told("POST", "/users/Hana/send", {"message": message}, "MessageEvent")
            self._checks.equal(type(event.message).__name__, kind, f"the kind of a {message['type']}")
        unsend = {"message_id": event.message.id}
        event = self._told("POST", "/users/Hana/unsend", unsend, "UnsendEvent")
        self._checks.equal(event.unsend.message_id, unsend["message_id"], "the message that was taken back")

    def _album(self) -> None:
        self._program.control("POST", "/users/Hana/album", {"images": 3, "shuffle": True})
        events = [event for delivery in self._bot.take(3) for event in self._verified(delivery)]
        sets = [event.message.image_set for event in events]
        self._checks.equal(sorted(part.index for part in sets), [1, 2, 3], "the pictures of an album")
        self._checks.equal({(part.id, part.total) for part in sets}, {(sets[0].id, 3)}, "one album")

    def _buttons(self, line: MessagingApi) -> None:
        users = self._program.control("GET", "/users")
        [hana] = [user["id"] for user in users if user["name"] == "Hana"]
        actions = [
            PostbackAction(label="Yes", data="answer=yes", displayText="Yes, please"),
            DatetimePickerAction(label="When", data="when", mode="datetime"),
        ]
        message = TemplateMessage(
            altText="Well?",
            template=ButtonsTemplate(text="Well?", actions=actions),
            quickReply=QuickReply(items=[QuickReplyItem(action=LocationAction(label="Here"))]),
        )
        line.push_message(PushMessageRequest(to=hana, messages=[message]), str(uuid.uuid4()))
        event = self._told("POST", "/users/Hana/tap", {"label": "Here"}, "MessageEvent")
        self._checks.equal(type(event.message).__name__, "LocationMessageContent", "a place that was asked for")
        event = self._told("POST", "/users/Hana/tap", {"label": "Yes"}, "PostbackEvent")
        self._checks.equal(event.postback.data, "answer=yes", "the data of a button")
        chosen = {"datetime": "2026-12-24T18:30"}
        event = self._told("POST", "/users/Hana/tap", {"label": "When", "params": chosen}, "PostbackEvent")
        self._checks.equal(event.postback.params, chosen, "what was chosen")

    def _group(self) -> None:
        members = {"members": ["Yui"]}
        event = self._told("POST", "/groups", {"name": "Family", "members": ["Hana", "Ken"]}, "JoinEvent")
        self._checks.equal(type(event.source).__name__, "GroupSource", "the source of a join")
        mention = {"mentionees": [{"index": 0, "length": 4, "type": "user", "isSelf": True}]}
        said = {"text": "@bot hello", "group": "Family", "mention": mention}
        event = self._told("POST", "/users/Hana/say", said, "MessageEvent")
        self._checks.equal(event.message.mention.mentionees[0].is_self, True, "a mention of the bot")
        self._checks.true(event.source.user_id is not None, "a message in a group has its writer")
        change = {"message_id": event.message.id, "text": "hello"}
        event = self._told("POST", "/users/Hana/edit", change, "MessageEditedEvent")
        self._checks.equal((event.message.id, event.message.text), tuple(change.values()), "a changed text")
        self._told("POST", "/users/Ken/postback", {"data": "x", "group": "Family"}, "PostbackEvent")
        event = self._told("POST", "/groups/Family/members", members, "MemberJoinedEvent")
        self._checks.equal(len(event.joined.members), 1, "who joined")
        event = self._told("DELETE", "/groups/Family/members", members, "MemberLeftEvent")
        self._checks.equal(len(event.left.members), 1, "who left")
        self._told("POST", "/groups/Family/leave", {}, "LeaveEvent")

    def _room(self) -> None:
        room = {"name": "Room", "members": ["Hana"], "kind": "room"}
        event = self._told("POST", "/groups", room, "JoinEvent")
        self._checks.equal(type(event.source).__name__, "RoomSource", "the source of a join")
        self._told("POST", "/users/Hana/say", {"text": "hi", "group": "Room"}, "MessageEvent")
        self._told("POST", "/groups/Room/leave", {}, "LeaveEvent")

    def _any_events(self) -> None:
        source = {"type": "user", "userId": "U" + "0" * 32}
        kinds: list[tuple[dict[str, object], str]] = [
            (
                {"type": "videoPlayComplete", "videoPlayComplete": {"trackingId": "t"}},
                "VideoPlayCompleteEvent",
            ),
            ({"type": "beacon", "beacon": {"hwid": "d41d8cd98f", "type": "enter"}}, "BeaconEvent"),
            ({"type": "accountLink", "link": {"result": "ok", "nonce": "n"}}, "AccountLinkEvent"),
            ({"type": "membership", "membership": {"type": "joined", "membershipId": 1}}, "MembershipEvent"),
            ({"type": "somethingNew"}, UNKNOWN),
        ]
        events = [event | {"source": source} for event, _ in kinds]
        self._program.control("POST", "/events", {"events": events, "copies": 2})
        for delivery in self._bot.take(2):
            parsed = [type(event).__name__ for event in self._verified(delivery)]
            self._checks.equal(parsed, [kind for _, kind in kinds], "the kinds of many events in one webhook")

    def _raw_bytes(self) -> None:
        body = b'{ "destination":"U0",  "events":[]} \n'
        self._program.control("POST", "/webhooks", body)
        [delivery] = self._bot.take(1)
        self._checks.equal(delivery.body, body, "bytes that are sent as they are")
        self._verified(delivery)
        self._program.control("POST", "/webhooks?signature=wrong", body)
        [delivery] = self._bot.take(1)
        self._refused(delivery.body, delivery.signature, "a webhook with a wrong signature")
        self._program.control("POST", "/webhooks?signature=missing", body)
        [delivery] = self._bot.take(1)
        self._checks.equal(delivery.signature, None, "a webhook without a signature")

    def _redelivery(self) -> None:
        self._program.control("PUT", "/redelivery", {"enabled": True, "schedule_ms": [10]})
        self._bot.status = 500
        self._program.control("POST", "/users/Hana/say", {"text": "again"})
        deliveries = self._bot.take(2)
        self._bot.status = 200
        self._program.control("PUT", "/redelivery", {"enabled": False, "schedule_ms": []})
        [first], [second] = [self._verified(delivery) for delivery in deliveries]
        self._checks.equal(second.webhook_event_id, first.webhook_event_id, "a redelivery is the same event")
        flags = [event.delivery_context.is_redelivery for event in (first, second)]
        self._checks.equal(flags, [False, True], "a redelivery says that it is one")
        self._checks.equal(second.reply_token, first.reply_token, "a redelivery has the same reply token")

    def _told(self, method: str, path: str, body: dict[str, Any], kind: str) -> Any:
        """Lets something happen, and returns the one event that the bot is told of."""
        outcome = self._program.control(method, path, body)
        self._checks.equal(outcome["reason"], "OK", f"{method} {path} tells the bot")
        [delivery] = self._bot.take(1)
        [event] = self._verified(delivery)
        self._checks.equal(type(event).__name__, kind, f"{method} {path} with {body}")
        return event

    def _verified(self, delivery: Delivery) -> list[Any]:
        """The events as the parser understands them; the slightest change must make it refuse them."""
        body, signature = delivery.body, delivery.signature
        self._checks.true(signature is not None, "a webhook is signed")
        events: list[Any] = self._parser.parse(body.decode(), signature)
        changed = body.replace(b"destination", b"destinatioN", 1)
        self._refused(changed, signature, "a webhook with a changed byte")
        self._refused(body + b" ", signature, "a webhook with one byte more")
        # The SDK drops what it does not know: only a webhook of known properties comes out as it went in.
        for event, sent in zip(events, json.loads(body)["events"], strict=True):
            if type(event).__name__ != UNKNOWN:
                self._checks.equal(event.to_dict(), sent, "an event that went through the SDK")
        return events

    def _refused(self, body: bytes, signature: str | None, what: str) -> None:
        self._checks.raises(InvalidSignatureError, lambda: self._parser.parse(body.decode(), signature), what)
