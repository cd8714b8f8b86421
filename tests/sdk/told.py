"""What the server tells customers, verified by the reference library of the Standard Webhooks specification."""

import json
from typing import Any

from bot import Bot
from checks import Checks
from program import Program
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

TEXTS = ["hi", "日本語 😀👨‍👩‍👧", 'line\nbreak, "quote", \\ and \u2028']


def check(checks: Checks, program: Program, bot: Bot) -> None:
    """A customer's program takes what is told of a few messages, before and after a rotation of the secret."""
    # What came before was LINE's.
    bot.take(0)
    program.api("PUT", "/webhook", {"uri": bot.url})
    first = program.api("POST", "/webhook/rotate", {})["secret"]
    for text in TEXTS:
        _says(checks, program, bot, text, [first])
    second = program.api("POST", "/webhook/rotate", {})["secret"]
    _says(checks, program, bot, "after a rotation", [first, second])
    program.api("PUT", "/webhook", {"uri": ""})


def _says(checks: Checks, program: Program, bot: Bot, text: str, secrets: list[str]) -> None:
    """A user writes; all that is told of it verifies with each of the secrets and with no other."""
    program.control("POST", "/users/Alice/say", {"text": text})
    told: list[str] = []
    while text not in told:
        taken = bot.take(1)
        checks.true(bool(taken), f"{text!r} was not told")
        for delivery in taken:
            for secret in secrets:
                event: Any = Webhook(secret).verify(delivery.body, delivery.headers)
                checks.equal(sorted(event), ["data", "timestamp", "type"], "the keys of what was told")
            told.append(event["data"].get("text", ""))
    stranger = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    checks.raises(WebhookVerificationError, lambda: stranger.verify(delivery.body, delivery.headers), "another secret")
    changed = json.dumps({**json.loads(delivery.body), "type": "another"}).encode()
    verify = Webhook(secrets[0]).verify
    checks.raises(WebhookVerificationError, lambda: verify(changed, delivery.headers), "another body")
