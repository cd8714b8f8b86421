//! The JSON of the HTTP contract: names, order and formats as the tutorial prints them. New keys are added at
//! the end only.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::accounts::account::{
    Account, Bot, Check, DeliveryMode, Quota, Suspension, SuspensionReason,
};
use crate::model::chats::conversation::{Conversation, Participant};
use crate::model::chats::message::{FailureReason, MessageFailure, MessageRow, Quote, Status};
use crate::model::id::{AccountId, ConversationId, MediaId, MessageId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::{EventKind, EventRow};

/// The only type of channel.
pub const REFERENCE_TYPE: &str = "line";

/// The name of the account itself among the participants.
const SELF_NAME: &str = "me";

/// A conversation.
#[derive(Serialize)]
pub struct ConversationView<'a> {
    id: ConversationId,
    name: &'a str,
    detail: &'a str,
    reference_type: &'static str,
    reference_id: &'a str,
    participants: Vec<AddressView<'a>>,
    tm_create: Time,
    tm_update: Time,
    tm_delete: Time,
    participant_count: u32,
}

/// A participant of a conversation.
#[derive(Serialize)]
pub struct AddressView<'a> {
    r#type: &'static str,
    target: &'a str,
    target_name: &'a str,
    name: &'static str,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture_uri: Option<String>,
}

/// A message.
#[derive(Serialize)]
pub struct MessageView<'a> {
    id: MessageId,
    conversation_id: ConversationId,
    status: &'static str,
    reference_type: &'static str,
    reference_id: &'a str,
    source_target: &'a str,
    text: &'a str,
    medias: &'a RawValue,
    tm_create: Time,
    tm_update: Time,
    tm_delete: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tm_occur: Option<Time>,
    source_name: &'a str,
    source_picture_uri: String,
    quote: Option<QuoteView<'a>>,
    mentions: &'a RawValue,
}

#[derive(Serialize)]
struct QuoteView<'a> {
    message_id: Option<MessageId>,
    line_message_id: &'a str,
}

#[derive(Serialize)]
struct FailureView<'a> {
    reason: &'static str,
    message: &'a str,
}

/// An event, with the object as the API showed it afterwards.
#[derive(Serialize)]
pub struct EventView<'a> {
    r#type: &'static str,
    timestamp: Time,
    data: &'a RawValue,
}

/// Tells the client of a feed that it missed events.
#[derive(Serialize)]
pub struct ResetView {
    r#type: &'static str,
    timestamp: Time,
    data: (),
}

/// A ticket for a live feed.
#[derive(Serialize)]
pub struct TicketView<'a> {
    ticket: &'a str,
    expires_at: Time,
}

/// A LINE account, without its credentials.
#[derive(Serialize)]
pub struct AccountView<'a> {
    id: AccountId,
    r#type: &'static str,
    name: &'a str,
    detail: &'a str,
    webhook_uri: Option<String>,
    line: CheckView<'a>,
    suspended: Option<SuspensionView<'a>>,
    tm_create: Time,
    tm_update: Time,
    tm_delete: Time,
    delivery_mode: &'static str,
    channel_id: Option<&'a str>,
    has_secret_next: bool,
}

/// The result of checking an account's token with LINE.
#[derive(Serialize)]
struct CheckView<'a> {
    status: &'static str,
    message: &'a str,
    bot: Option<BotView<'a>>,
}

/// The bot behind an account.
#[derive(Serialize)]
pub struct BotView<'a> {
    user_id: &'a str,
    basic_id: &'a str,
    display_name: &'a str,
    chat_mode: &'a str,
}

#[derive(Serialize)]
struct SuspensionView<'a> {
    reason: &'static str,
    message: &'a str,
    until: Time,
}

/// An account's monthly message quota and its use.
#[derive(Serialize)]
pub struct QuotaView {
    r#type: &'static str,
    value: Option<u64>,
    used: u64,
    remaining: Option<u64>,
    fetched_at: Time,
}

/// The body of a list, serialized item by item. The position of the last item becomes the next page's token.
pub struct ListBody<Position = Timestamp> {
    body: Vec<u8>,
    last: Option<Position>,
}

/// A time in the contract's format.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> From<&'a Conversation> for ConversationView<'a> {
    fn from(conversation: &'a Conversation) -> Self {
        let others = conversation.participants.iter().map(AddressView::from);
        Self {
            id: conversation.id,
            name: &conversation.name,
            detail: &conversation.detail,
            reference_type: REFERENCE_TYPE,
            reference_id: conversation.chat.id.as_str(),
            participants: std::iter::once(AddressView::account()).chain(others).collect(),
            tm_create: Time(conversation.tm_create),
            tm_update: Time(conversation.tm_update),
            tm_delete: Time(Timestamp::NEVER),
            participant_count: conversation.participant_count,
        }
    }
}

impl<'a> AddressView<'a> {
    /// The account itself.
    pub fn account() -> Self {
        Self::new("", SELF_NAME)
    }

    fn new(target: &'a str, target_name: &'a str) -> Self {
        Self { r#type: REFERENCE_TYPE, target, target_name, name: "", detail: "", picture_uri: None }
    }
}

impl<'a> From<&'a Participant> for AddressView<'a> {
    fn from(participant: &'a Participant) -> Self {
        let picture_uri = participant.picture.map(media_uri);
        Self { picture_uri, ..Self::new(participant.target.as_str(), &participant.target_name) }
    }
}

impl<'a> From<&MessageRow<'a>> for MessageView<'a> {
    fn from(message: &MessageRow<'a>) -> Self {
        Self {
            id: message.id,
            conversation_id: message.conversation,
            status: status(message.status),
            reference_type: REFERENCE_TYPE,
            reference_id: message.chat,
            source_target: message.source_target,
            text: message.text,
            medias: json(message.medias),
            tm_create: Time(message.tm_create),
            tm_update: Time(message.tm_update),
            tm_delete: Time(message.tm_delete),
            cost: message.cost,
            error: message.failure.map(|failure| FailureView::from(&failure)),
            tm_occur: message.occurred_at.map(Time),
            source_name: message.source_name,
            source_picture_uri: message.source_picture.map(media_uri).unwrap_or_default(),
            quote: message.quote.map(|Quote { message, line_id }| QuoteView {
                message_id: message,
                line_message_id: line_id,
            }),
            mentions: json(message.mentions),
        }
    }
}

/// A column that is stored in the format in which it is shown.
fn json(column: &str) -> &RawValue {
    serde_json::from_str(column).expect("the column holds JSON that was written by us")
}

fn media_uri(id: MediaId) -> String {
    format!("/v1.0/medias/{id}")
}

impl<'a> From<&MessageFailure<'a>> for FailureView<'a> {
    fn from(failure: &MessageFailure<'a>) -> Self {
        let reason = match failure.reason {
            FailureReason::Refused => "LINE_REFUSED",
            FailureReason::Unreachable => "LINE_UNREACHABLE",
            FailureReason::OutcomeUnknown => "OUTCOME_UNKNOWN",
            FailureReason::AccountRemoved => "ACCOUNT_REMOVED",
            FailureReason::Internal => "INTERNAL",
        };
        Self { reason, message: failure.message }
    }
}

impl<'a> From<&EventRow<'a>> for EventView<'a> {
    fn from(event: &EventRow<'a>) -> Self {
        Self { r#type: event_type(event.kind), timestamp: Time(event.created_at), data: json(event.data) }
    }
}

impl ResetView {
    /// Its value of `type`, where events have their kind.
    pub const TYPE: &'static str = "reset";

    /// A reset at this time.
    pub fn new(now: Timestamp) -> Self {
        Self { r#type: Self::TYPE, timestamp: Time(now), data: () }
    }
}

impl<'a> TicketView<'a> {
    /// A ticket that is valid until `expires_at`.
    pub fn new(ticket: &'a str, expires_at: Timestamp) -> Self {
        Self { ticket, expires_at: Time(expires_at) }
    }
}

impl<'a> AccountView<'a> {
    /// The account, with its webhook address.
    pub fn new(account: &'a Account, webhook_uri: Option<String>) -> Self {
        Self {
            id: account.id,
            r#type: REFERENCE_TYPE,
            name: &account.name,
            detail: &account.detail,
            webhook_uri,
            line: CheckView::from(&account.check),
            suspended: account.suspension.as_ref().map(SuspensionView::from),
            tm_create: Time(account.tm_create),
            tm_update: Time(account.tm_update),
            tm_delete: Time(Timestamp::NEVER),
            delivery_mode: match account.delivery_mode {
                DeliveryMode::PreferReply => "prefer_reply",
                DeliveryMode::PushOnly => "push_only",
            },
            channel_id: account.channel_id.as_deref(),
            has_secret_next: account.secret_next.is_some(),
        }
    }
}

impl<'a> From<&'a Check> for CheckView<'a> {
    fn from(check: &'a Check) -> Self {
        let (status, message, bot) = match check {
            Check::Unchecked => ("unchecked", "", None),
            Check::Good(bot) => ("good", "", Some(BotView::from(bot))),
            Check::Refused(message) => ("refused", message.as_str(), None),
            Check::Unreachable(message) => ("unreachable", message.as_str(), None),
        };
        Self { status, message, bot }
    }
}

impl<'a> From<&'a Bot> for BotView<'a> {
    fn from(bot: &'a Bot) -> Self {
        let Bot { user_id, basic_id, display_name, chat_mode } = bot;
        Self { user_id, basic_id, display_name, chat_mode }
    }
}

impl<'a> From<&'a Suspension> for SuspensionView<'a> {
    fn from(suspension: &'a Suspension) -> Self {
        let reason = match suspension.reason {
            SuspensionReason::Token => "token",
            SuspensionReason::Permission => "permission",
            SuspensionReason::Quota => "quota",
            SuspensionReason::Redirect => "redirect",
        };
        Self { reason, message: &suspension.message, until: Time(suspension.until) }
    }
}

impl QuotaView {
    /// The quota as LINE reported it at `fetched_at`.
    pub fn new(quota: Quota, fetched_at: Timestamp) -> Self {
        Self {
            r#type: if quota.limit.is_some() { "limited" } else { "none" },
            value: quota.limit,
            used: quota.used,
            remaining: quota.remaining(),
            fetched_at: Time(fetched_at),
        }
    }
}

impl<Position> Default for ListBody<Position> {
    /// An empty list.
    fn default() -> Self {
        Self { body: br#"{"result":["#.to_vec(), last: None }
    }
}

impl<Position: fmt::Display> ListBody<Position> {
    /// Appends an item with its position in the list.
    pub fn push(&mut self, item: &impl Serialize, position: Position) {
        if self.last.is_some() {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, item).expect("views are always JSON");
        self.last = Some(position);
    }

    /// The complete body, with the position of the last item as the next page's token.
    pub fn finish(mut self) -> Vec<u8> {
        let token = self.last.map(|last| last.to_string()).unwrap_or_default();
        self.body.extend_from_slice(format!(r#"],"next_page_token":"{token}"}}"#).as_bytes());
        self.body
    }
}

/// The name of a kind of event.
pub fn event_type(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ConversationCreated => "conversation_created",
        EventKind::ConversationUpdated => "conversation_updated",
        EventKind::MessageCreated => "conversation_message_created",
        EventKind::MessageUpdated => "conversation_message_updated",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Received => "received",
        Status::Sending => "sending",
        Status::Sent => "sent",
        Status::Failed => "failed",
    }
}
