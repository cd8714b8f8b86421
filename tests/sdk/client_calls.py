"""The sandbox as LINE's API, driven by the SDK's own client."""

import json
import uuid
from typing import Any

import linebot.v3.messaging as line
import linebot.v3.oauth as oauth
from bot import Bot
from checks import Checks
from linebot.v3.messaging.exceptions import ApiException
from program import Program


class ClientCalls:
    """Calls as a bot makes them. A bot listens meanwhile, because replies need tokens from webhooks."""

    def __init__(self, checks: Checks, program: Program, bot: Bot) -> None:
        self._checks = checks
        self._program = program
        self._bot = bot
        self._channel: dict[str, str] = program.control("GET", "/state")["channel"]
        self._api = line.MessagingApi(self._client(self._channel["token"]))
        self._contents = line.MessagingApiBlob(self._client(self._channel["token"]))
        self._user: str = program.control("POST", "/users", {"name": "Ren"})["user"]["id"]

    def run(self) -> None:
        """All checks, with the webhook's endpoint restored at the end."""
        before = self._program.control("GET", "/state")["webhook"]["endpoint"]
        self._program.control("PUT", "/webhook", {"endpoint": self._bot.url})
        try:
            self._bot_and_endpoint()
            self._push_and_retry()
            self._reply_and_read()
            self._multicast_and_quota()
            self._profiles_and_groups()
            self._contents_of_messages()
            self._all_kinds_of_messages()
            self._refusals()
            self._stateless_token()
        finally:
            self._program.control("PUT", "/webhook", {"endpoint": before})

    def _bot_and_endpoint(self) -> None:
        bot = self._program.control("GET", "/state")["bot"]
        self._checks.equal(self._api.get_bot_info().user_id, bot["userId"], "who the bot is")
        self._checks.equal(self._api.get_webhook_endpoint().endpoint, self._bot.url, "the endpoint")
        other = f"{self._bot.url}/other"
        self._api.set_webhook_endpoint(line.SetWebhookEndpointRequest(endpoint=other))
        self._checks.equal(self._api.get_webhook_endpoint().endpoint, other, "another endpoint")
        self._api.set_webhook_endpoint(line.SetWebhookEndpointRequest(endpoint=self._bot.url))
        self._bot.status = 503
        test = self._api.test_webhook_endpoint(line.TestWebhookEndpointRequest(endpoint=other))
        self._bot.status = 200
        expected = (False, 503, "ERROR_STATUS_CODE")
        self._checks.equal((test.success, test.status_code, test.reason), expected, "a test that fails")

    def _push_and_retry(self) -> None:
        key = str(uuid.uuid4())
        request = self._push(
            line.TextMessage(text="hi"), line.StickerMessage(packageId="446", stickerId="1988")
        )
        first = self._api.push_message_with_http_info(request, x_line_retry_key=key)
        self._checks.equal(len(first.data.sent_messages), 2, "the messages of a push")
        self._checks.true(first.data.sent_messages[0].quote_token is not None, "a text can be quoted")
        again = self._refused(409, lambda: self._api.push_message(request, x_line_retry_key=key))
        accepted = again.headers["x-line-accepted-request-id"]
        self._checks.equal(accepted, first.headers["x-line-request-id"], "the request that was accepted")
        self._checks.equal(
            json.loads(again.body)["sentMessages"], first.data.to_dict()["sentMessages"], "409"
        )
        chat = self._program.control("GET", f"/chats/{self._user}")
        self._checks.equal(len(chat), 2, "a push that came twice is on the phone once")

    def _reply_and_read(self) -> None:
        event = self._said({"text": "how are you?"})
        message = line.TextMessage(text="fine", quoteToken=event["message"]["quoteToken"])
        reply = line.ReplyMessageRequest(replyToken=event["replyToken"], messages=[message])
        self._checks.equal(len(self._api.reply_message(reply).sent_messages), 1, "a reply")
        self._refused(400, lambda: self._api.reply_message(reply))
        token = event["message"]["markAsReadToken"]
        read = line.MarkMessagesAsReadByTokenRequest(markAsReadToken=token)
        self._api.mark_messages_as_read_by_token(read)
        chat = self._program.control("GET", f"/chats/{self._user}")
        seen = [shown["read"] for shown in chat if shown["id"] == event["message"]["id"]]
        self._checks.equal(seen, [True], "the message is marked as read")
        loading = line.ShowLoadingAnimationRequest(chatId=self._user, loadingSeconds=5)
        answer = self._api.show_loading_animation_with_http_info(loading)
        self._checks.equal(answer.status_code, 202, "the loading indicator")

    def _multicast_and_quota(self) -> None:
        self._checks.equal(self._api.get_message_quota().type, "none", "a plan without a limit")
        before = self._api.get_message_quota_consumption().total_usage
        other = self._program.control("POST", "/users", {"name": "Sora"})["user"]["id"]
        messages = [line.TextMessage(text="to both")]
        request = line.MulticastRequest(to=[self._user, other], messages=messages)
        self._api.multicast(request, x_line_retry_key=str(uuid.uuid4()))
        used = self._api.get_message_quota_consumption().total_usage
        self._checks.equal(used, before + 2, "a multicast counts its people")
        self._program.control("PUT", "/quota", {"value": used, "used": used})
        quota = self._api.get_message_quota()
        self._checks.equal((quota.type, quota.value), ("limited", used), "a plan with a limit")
        text = line.TextMessage(text="too many")
        self._refused(429, lambda: self._api.push_message(self._push(text), str(uuid.uuid4())))
        self._program.control("PUT", "/quota", {"used": used})

    def _profiles_and_groups(self) -> None:
        profile = self._api.get_profile(self._user)
        self._checks.equal((profile.user_id, profile.display_name), (self._user, "Ren"), "a profile")
        group = self._program.control("POST", "/groups", {"name": "Team", "members": ["Ren", "Mio"]})[
            "group"
        ]["id"]
        self._checks.equal(self._api.get_group_summary(group).group_name, "Team", "the summary of a group")
        self._checks.equal(self._api.get_group_member_count(group).count, 2, "how many are in a group")
        members = self._api.get_group_members_ids(group).member_ids
        self._checks.true(self._user in members and len(members) == 2, "who is in a group")
        member = self._api.get_group_member_profile(group, self._user)
        self._checks.equal(member.display_name, "Ren", "the profile of a member")
        self._api.leave_group(group)
        self._refused(404, lambda: self._api.get_group_summary(group))
        room = {"name": "Corner", "members": ["Ren"], "kind": "room"}
        room_id = self._program.control("POST", "/groups", room)["group"]["id"]
        self._checks.equal(self._api.get_room_member_count(room_id).count, 1, "how many are in a room")
        self._checks.equal(
            self._api.get_room_members_ids(room_id).member_ids, [self._user], "who is in a room"
        )
        member = self._api.get_room_member_profile(room_id, self._user)
        self._checks.equal(member.display_name, "Ren", "the profile of a member")
        self._api.leave_room(room_id)
        self._program.control("PATCH", f"/users/{self._user}", {"friendship": "blocked"})
        self._refused(404, lambda: self._api.get_profile(self._user))
        self._program.control("PATCH", f"/users/{self._user}", {"friendship": "friend"})

    def _contents_of_messages(self) -> None:
        sent = {"message": {"type": "file", "fileName": "a.txt"}, "content_base64": "aGVsbG8="}
        identifier = self._program.control("POST", "/users/Ren/send", sent)["message_id"]
        self._checks.equal(self._contents.get_message_content(identifier), b"hello", "the content of a file")
        self._refused(400, lambda: self._contents.get_message_content_preview(identifier))
        sent = {"message": {"type": "video", "duration": 1000}}
        identifier = self._program.control("POST", "/users/Ren/send", sent)["message_id"]
        readiness = f"/contents/{identifier}/readiness"
        self._program.control("PUT", readiness, {"preparing": {"count": 1}})
        states = [self._contents.get_message_content_transcoding_by_message_id(identifier) for _ in range(2)]
        self._checks.equal([state.status for state in states], ["processing", "succeeded"], "transcoding")
        picture = self._contents.get_message_content_preview(identifier)
        self._checks.equal(bytes(picture[1:4]), b"PNG", "the preview of a video")
        self._program.control("POST", "/users/Ren/unsend", {"message_id": identifier})
        self._refused(410, lambda: self._contents.get_message_content(identifier))

    def _all_kinds_of_messages(self) -> None:
        url = "https://example.com/a"
        area = line.ImagemapArea(x=0, y=0, width=5, height=5)
        actions = [
            line.PostbackAction(label="l", data="d"),
            line.MessageAction(label="l", text="t"),
            line.DatetimePickerAction(label="l", data="d", mode="date"),
        ]
        button = line.FlexButton(action=line.URIAction(label="x", uri=url))
        box = line.FlexBox(layout="vertical", contents=[line.FlexText(text="a", weight="bold"), button])
        emoji = line.EmojiSubstitutionObject(productId="p", emojiId="1")
        quick = line.QuickReply(items=[line.QuickReplyItem(action=line.CameraAction(label="c"))])
        messages = [
            line.TextMessageV2(text="{e} hi", substitution={"e": emoji}, quickReply=quick),
            line.ImageMessage(originalContentUrl=url, previewImageUrl=url),
            line.VideoMessage(originalContentUrl=url, previewImageUrl=url, trackingId="t"),
            line.AudioMessage(originalContentUrl=url, duration=1000),
            line.LocationMessage(title="t", address="a", latitude=35.6, longitude=139.7),
            line.StickerMessage(packageId="446", stickerId="1988"),
            line.FlexMessage(altText="a", contents=line.FlexBubble(body=box)),
            line.TemplateMessage(
                altText="a", template=line.ButtonsTemplate(text="t", title="T", actions=actions)
            ),
            line.ImagemapMessage(
                baseUrl=url,
                altText="a",
                baseSize=line.ImagemapBaseSize(width=1040, height=1040),
                actions=[line.URIImagemapAction(linkUri=url, area=area)],
            ),
            line.CouponMessage(couponId="c"),
        ]
        for message in messages:
            self._api.validate_push(line.ValidateMessageRequest(messages=[message]))
            answer = self._api.push_message(self._push(message), str(uuid.uuid4()))
            self._checks.equal(len(answer.sent_messages), 1, f"a push of {message.type}")

    def _refusals(self) -> None:
        text = line.TextMessage(text="hi")
        stranger = line.MessagingApi(self._client("wrong"))
        self._refused(401, lambda: stranger.push_message(self._push(text), str(uuid.uuid4())))
        self._refused(401, lambda: line.MessagingApi(self._client("")).get_bot_info())
        empty = self._push(line.TextMessage(text=""))
        error = self._refused(400, lambda: self._api.push_message(empty, str(uuid.uuid4())))
        properties = [detail["property"] for detail in json.loads(error.body)["details"]]
        self._checks.equal(properties, ["messages[0].text"], "the details name the property")
        request = line.ValidateMessageRequest(messages=[line.TextMessage(text="")])
        self._refused(400, lambda: self._api.validate_reply(request))
        nobody = line.PushMessageRequest(to="U" + "f" * 32, messages=[text])
        self._refused(400, lambda: self._api.push_message(nobody, str(uuid.uuid4())))
        self._refused(400, lambda: self._api.push_message(self._push(text), "no UUID"))
        self._refused(404, lambda: self._api.get_rich_menu_list())

    def _stateless_token(self) -> None:
        client = oauth.ApiClient(oauth.Configuration(host=self._program.line))
        issuer = oauth.ChannelAccessToken(client)
        token = issuer.issue_stateless_channel_token_by_client_secret(
            self._channel["id"], self._channel["secret"]
        )
        self._checks.equal((token.token_type, token.expires_in), ("Bearer", 900), "a stateless token")
        api = line.MessagingApi(self._client(token.access_token))
        self._checks.true(bool(api.get_bot_info().user_id), "a stateless token is a token")
        self._program.control("DELETE", "/tokens")
        self._refused(401, api.get_bot_info)

    def _said(self, body: dict[str, object]) -> dict[str, Any]:
        """The event that comes of what the user says."""
        self._bot.take(0)
        self._program.control("POST", "/users/Ren/say", body)
        [delivery] = self._bot.take(1)
        event: dict[str, Any] = json.loads(delivery.body)["events"][0]
        return event

    def _push(self, *messages: line.Message) -> line.PushMessageRequest:
        return line.PushMessageRequest(to=self._user, messages=list(messages))

    def _client(self, token: str) -> line.ApiClient:
        return line.ApiClient(line.Configuration(host=self._program.line, access_token=token))

    def _refused(self, status: int, call: Any) -> ApiException:
        error = self._checks.raises(ApiException, call, f"a refusal with {status}")
        self._checks.equal(error.status, status, f"the status of a refusal: {error.body}")
        self._checks.true("message" in json.loads(error.body), "a refusal says why")
        return error
