//! `kaiwa account`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};

use crate::admin::operation::{AdminOperation, NewChannel};
use crate::command::settings::{CommonArguments, ListArguments, find_customer};
use crate::command::target::Target;
use crate::command::terminal::output;
use crate::contract::views::AccountView;
use crate::error::{Error, Result};
use crate::model::accounts::account::Account;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts;

/// LINE accounts of customers.
#[derive(Debug, Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    action: AccountAction,
}

#[derive(Debug, Subcommand)]
enum AccountAction {
    /// Connect a LINE channel; also while the server runs.
    Add(AddAccount),
    /// List all LINE accounts, without their credentials.
    List(ListArguments),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("credential").args(["token_file", "channel_id"]).required(true)))]
struct AddAccount {
    #[command(flatten)]
    settings: CommonArguments,
    /// The customer: an id or a name.
    #[arg(long, value_name = "ID|NAME", allow_hyphen_values = true)]
    customer: String,
    /// A display name.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    name: String,
    /// A free-form note.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    detail: String,
    /// A file with the channel secret; not an argument, since everyone on the machine can read those.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// A file with the channel secret that will replace it, during a rotation.
    #[arg(long, value_name = "FILE")]
    secret_next_file: Option<PathBuf>,
    /// A file with the long-lived channel access token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The channel's id: tokens are then fetched with it and the channel secret.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    channel_id: Option<String>,
    /// Never send as a free reply.
    #[arg(long)]
    push_only: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl AccountCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self.action {
            AccountAction::Add(add) => add.run(),
            AccountAction::List(arguments) => {
                arguments.list(|reader| reader.read(accounts::list), "there is no account yet", show)
            }
        }
    }
}

impl AddAccount {
    fn run(self) -> Result<()> {
        let id = AccountId::new(Timestamp::now());
        let channel = NewChannel {
            id,
            name: self.name,
            detail: self.detail,
            secret: read_secret(&self.secret_file)?,
            secret_next: self.secret_next_file.as_deref().map(read_secret).transpose()?,
            token: self.token_file.as_deref().map(read_secret).transpose()?,
            channel_id: self.channel_id,
            push_only: self.push_only,
        };
        let target = Target::of(&self.settings)?;
        let customer = find_customer(&target.reader()?, &self.customer)?.id;
        target.run::<()>(AdminOperation::ConnectAccount { customer, channel })?;
        show(&target.reader()?.read(|connection| accounts::get(connection, customer, id))?, self.json)
    }
}

fn show(account: &Account, as_json: bool) -> Result<()> {
    if as_json {
        return output::json(&AccountView::new(account, None));
    }
    output::line(&format!("{}  {}  customer {}", account.id, account.name, account.customer))
}

fn read_secret(path: &Path) -> Result<String> {
    let unreadable = |error| Error::Unusable(format!("cannot read {}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let expected =
        || Error::Unusable(format!("{} must contain one line of visible ASCII characters", path.display()));
    let secret = Secret::credential(text.trim_end_matches(['\r', '\n'])).ok_or_else(expected)?;
    Ok(secret.expose().to_owned())
}
