//! `kaiwa customer`.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::admin::operation::AdminOperation;
use crate::command::settings::{CommonArguments, ListArguments};
use crate::command::target::Target;
use crate::command::terminal::output;
use crate::error::Result;
use crate::model::accounts::customer::{Customer, MessageDays};
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::store::accounts::customers;

/// The same limit as in the configuration file.
const DAYS_MAX: u32 = 36_500;

/// Customers, who own conversations.
#[derive(Debug, Args)]
pub struct CustomerCommand {
    #[command(subcommand)]
    action: CustomerAction,
}

#[derive(Debug, Subcommand)]
enum CustomerAction {
    /// Add a customer, or update the one with the same id; also while the server runs.
    Add(AddCustomer),
    /// List all customers.
    List(ListArguments),
}

#[derive(Debug, Args)]
struct AddCustomer {
    #[command(flatten)]
    settings: CommonArguments,
    /// A display name; optional for an existing customer, whose name then stays.
    #[arg(long, allow_hyphen_values = true, required_unless_present = "id")]
    name: Option<String>,
    /// The id that tokens carry; default: a new one.
    #[arg(long, value_name = "UUID")]
    id: Option<CustomerId>,
    /// A free-form note.
    #[arg(long, allow_hyphen_values = true)]
    detail: Option<String>,
    /// The number of days for which its messages are retained; 0 means forever, `default` the period in
    /// `[retention]` of the configuration.
    #[arg(long, value_name = "DAYS|default", value_parser = parse_days)]
    message_days: Option<MessageDays>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl CustomerCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self.action {
            CustomerAction::Add(add) => add.run(),
            CustomerAction::List(arguments) => {
                arguments.list(|reader| reader.read(customers::list), "there is no customer yet", show)
            }
        }
    }
}

impl AddCustomer {
    fn run(self) -> Result<()> {
        let id = self.id.unwrap_or_else(|| CustomerId::new(Timestamp::now()));
        let Self { name, detail, message_days, .. } = self;
        let target = Target::of(&self.settings)?;
        let message_days = message_days.unwrap_or_default();
        target.run::<()>(AdminOperation::SetCustomer { id, name, detail, message_days })?;
        show(&target.reader()?.read(|connection| customers::get(connection, id))?, self.json)
    }
}

fn show(customer: &Customer, as_json: bool) -> Result<()> {
    let Customer { id, profile, message_days, tm_create, .. } = customer;
    if !as_json {
        return output::line(&format!("{id}  {}", profile.name));
    }
    output::json(&json!({
        "id": id, "name": profile.name, "detail": profile.detail, "webhook_method": profile.webhook_method,
        "webhook_uri": profile.webhook_uri, "tm_create": tm_create.to_string(),
        "message_days": message_days,
    }))
}

fn parse_days(text: &str) -> Result<MessageDays, String> {
    if text == "default" {
        return Ok(MessageDays::AsConfigured);
    }
    let days = text.parse().ok().filter(|days| *days <= DAYS_MAX);
    days.map(MessageDays::Days).ok_or_else(|| format!("0 to {DAYS_MAX}, or `default`"))
}
