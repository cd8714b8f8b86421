//! What a message is and what can be done with it: a table of contents.
//!
//! A message is a row of `messages` in `schema.sql`, keyed by its conversation and its stamp (`tm_create`), which orders a
//! conversation. Clients know it by its [`MessageId`], LINE by LINE's ids: one for a received message (`line_id`), one for
//! each bubble of a sent one (`sent_ids`). Its [`Status`] is `received`, or `sending` and then `sent` or `failed`. What it
//! shows is read as a [`MessageRow`] and written to clients as a [`MessageView`].
//!
//! | what happens | where |
//! |---|---|
//! | a person sends it: it is received | [`received::store`], called for each event by [`inbound`] |
//! | its author edits it | [`received::edit`] |
//! | its author unsends it | [`received::unsend`] |
//! | its files are fetched | [`fetch_jobs`], with the rows in [`medias`] |
//! | a customer sends it | [`sending::send`]: the message, its deliveries and its uploads, in one transaction |
//! | its deliveries are claimed and recorded | [`dispatch::claim`], [`dispatch::record`] |
//! | all deliveries are decided: it is sent or failed | [`messages::settle`] |
//! | a failed one is sent again | [`sending::retry`] |
//! | it is quoted | [`messages::quote_token`], [`messages::allow_quoting`], [`quotes`] |
//! | it is shown | [`messages::page`], [`messages::get`] |
//! | something that it shows changes | [`messages::touch`]: new checksum, event and webhook |
//! | it expires | [`retention`] |
//! | it is erased | [`erasure::chats`], [`erasure::references`], [`forget::message`] |
//!
//! [`MessageId`]: crate::model::id::MessageId
//! [`Status`]: crate::model::chats::message::Status
//! [`MessageRow`]: crate::model::chats::message::MessageRow
//! [`MessageView`]: crate::contract::views::MessageView
//! [`received::store`]: crate::store::chats::received::store
//! [`received::edit`]: crate::store::chats::received::edit
//! [`received::unsend`]: crate::store::chats::received::unsend
//! [`inbound`]: crate::store::chats::inbound
//! [`fetch_jobs`]: crate::store::chats::fetch_jobs
//! [`medias`]: crate::store::files::medias
//! [`sending::send`]: crate::store::outbox::sending::send
//! [`sending::retry`]: crate::store::outbox::sending::retry
//! [`dispatch::claim`]: crate::store::dispatch::claim
//! [`dispatch::record`]: crate::store::dispatch::record
//! [`messages::settle`]: crate::store::chats::messages::settle
//! [`messages::quote_token`]: crate::store::chats::messages::quote_token
//! [`messages::allow_quoting`]: crate::store::chats::messages::allow_quoting
//! [`quotes`]: crate::store::chats::quotes
//! [`messages::page`]: crate::store::chats::messages::page
//! [`messages::get`]: crate::store::chats::messages::get
//! [`messages::touch`]: crate::store::chats::messages::touch
//! [`retention`]: crate::store::erasure::retention
//! [`erasure::chats`]: crate::store::erasure::chats
//! [`erasure::references`]: crate::store::erasure::references
//! [`forget::message`]: crate::store::erasure::forget::message
