//! `kaiwa webhooks`.

use clap::{Args, Subcommand};

use crate::admin::operation::AdminOperation;
use crate::command::settings::{CommonArguments, find_customer};
use crate::command::target::Target;
use crate::command::terminal::{output, words};
use crate::contract::webhook_views::{DeliveryView, EndpointView};
use crate::error::{Error, Result};
use crate::model::accounts::customer::Customer;
use crate::model::id::EventId;
use crate::model::page::Page;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::webhook_delivery::{DeliveryState, WebhookDelivery};
use crate::store::webhooks;
use crate::store::webhooks::history::DeliveryFilter;

/// Webhook deliveries to customers, and the secret that signs them.
#[derive(Debug, Args)]
pub struct WebhooksCommand {
    #[command(subcommand)]
    action: WebhooksAction,
}

#[derive(Debug, Subcommand)]
enum WebhooksAction {
    /// List the newest deliveries of a customer; also while the server runs.
    List(ListDeliveries),
    /// Deliver an event to a customer again; also while the server runs.
    Replay(ReplayDelivery),
    /// Print the secret that signs a customer's deliveries; also while the server runs.
    Secret(ShowEndpoint),
    /// Rotate the secret and print the new one; also while the server runs.
    Rotate(ShowEndpoint),
}

#[derive(Debug, Args)]
struct ListDeliveries {
    #[command(flatten)]
    endpoint: ShowEndpoint,
    /// Only deliveries in this state: waiting, sending, delivered or failed.
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    state: Option<DeliveryState>,
    /// The most deliveries to list, 1 to 100.
    #[arg(long, value_name = "N", default_value_t = Page::SIZE_MAX, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

#[derive(Debug, Args)]
struct ReplayDelivery {
    #[command(flatten)]
    endpoint: ShowEndpoint,
    /// The id of the delivery, as in the output of `list` and in the header `webhook-id`.
    id: EventId,
}

#[derive(Debug, Args)]
struct ShowEndpoint {
    #[command(flatten)]
    settings: CommonArguments,
    /// The customer: an id or a name.
    #[arg(long, value_name = "ID|NAME", allow_hyphen_values = true)]
    customer: String,
    /// Print JSON, one line for each result.
    #[arg(long)]
    json: bool,
}

impl WebhooksCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self.action {
            WebhooksAction::List(list) => list.run(),
            WebhooksAction::Replay(replay) => replay.run(),
            WebhooksAction::Secret(endpoint) => endpoint.show_secret(),
            WebhooksAction::Rotate(endpoint) => endpoint.rotate(),
        }
    }
}

impl ListDeliveries {
    fn run(self) -> Result<()> {
        let reader = self.endpoint.settings.reader()?;
        let customer = find_customer(&reader, &self.endpoint.customer)?.id;
        let filter = DeliveryFilter { state: self.state, conversation: None };
        let page = Page { size: self.limit, before: Timestamp::NEVER };
        let deliveries =
            reader.read(|connection| webhooks::history::page(connection, customer, filter, page))?;
        if deliveries.is_empty() && !self.endpoint.json {
            return output::line(self.nothing());
        }
        deliveries.iter().try_for_each(|delivery| show(delivery, self.endpoint.json))
    }

    fn nothing(&self) -> &'static str {
        match self.state {
            Some(_) => "there is no delivery in this state",
            None => "there is no delivery to this customer yet",
        }
    }
}

impl ReplayDelivery {
    fn run(self) -> Result<()> {
        let Self { endpoint, id } = self;
        let target = Target::of(&endpoint.settings)?;
        let reader = target.reader()?;
        let customer = find_customer(&reader, &endpoint.customer)?.id;
        target.run::<()>(AdminOperation::ReplayDelivery { customer, id })?;
        let (delivery, _) = reader.read(|connection| webhooks::history::get(connection, customer, id))?;
        show(&delivery, endpoint.json)
    }
}

impl ShowEndpoint {
    fn show_secret(self) -> Result<()> {
        let reader = self.settings.reader()?;
        let Customer { id, .. } = find_customer(&reader, &self.customer)?;
        let secret = reader.read(|connection| webhooks::endpoints::secret(connection, id))?;
        let none = || Error::Unusable("this customer has no secret yet; `rotate` generates one".to_owned());
        let secret = secret.ok_or_else(none)?;
        if !self.json {
            return output::line(secret.expose());
        }
        let endpoint = reader.read(|connection| webhooks::endpoints::get(connection, id))?;
        output::json(&EndpointView::new(&endpoint, Some(&secret)))
    }

    fn rotate(self) -> Result<()> {
        let target = Target::of(&self.settings)?;
        let customer = find_customer(&target.reader()?, &self.customer)?.id;
        target.run::<()>(AdminOperation::RotateSecret { customer })?;
        drop(target);
        self.show_secret()
    }
}

fn show(delivery: &WebhookDelivery, as_json: bool) -> Result<()> {
    let view = DeliveryView::from(delivery);
    if as_json {
        return output::json(&view);
    }
    let WebhookDelivery { id, state, attempts, tm_create, .. } = delivery;
    let (time, attempts) = (words::time(*tm_create), words::counted(u64::from(*attempts), "attempt"));
    output::line(&format!("{id}  {time}  {:9}  {attempts}  {}", state.as_word(), view.kind()))
}

fn parse_state(word: &str) -> Result<DeliveryState, String> {
    DeliveryState::parse(word).ok_or_else(|| "one of waiting, sending, delivered, failed".to_owned())
}
