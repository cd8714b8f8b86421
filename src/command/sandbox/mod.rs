//! `kaiwa sandbox`: the server and a simulated LINE in one process, ready for the tutorial.

mod greeting;
mod key;
mod names;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::rt::{self, System};
use clap::{Args, Subcommand};

use crate::command::process::logging;
use crate::command::sandbox::greeting::Greeting;
use crate::command::sandbox::names::{account_id, customer_id, summary_path};
use crate::command::serve::shutdown_signal;
use crate::command::settings::require_new_database;
use crate::command::terminal::output;
use crate::config::account::{CustomerReference, ProvisionedAccount};
use crate::config::customer::ProvisionedCustomer;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::model::accounts::customer::ProfileChange;
use crate::model::clock::Clock;
use crate::model::id::ConversationId;
use crate::model::page::Page;
use crate::model::timestamp::Timestamp;
use crate::runtime::bearer::{Bearer, sign};
use crate::sandbox::control::client;
use crate::sandbox::options::Options;
use crate::sandbox::platform::Platform;
use crate::server::{Server, make_data_directory};
use crate::store::Store;
use crate::store::backup::remains;
use crate::store::chats::conversations;
use crate::store::engine::lock::Lock;

/// The user who has written first.
const FIRST_USER: &str = "Alice";

/// The names of this machine, which the sandbox's webhooks may call.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The validity of the printed token.
const TOKEN_LIFE: Duration = Duration::from_hours(30 * 24);

/// The longest wait for the first conversation.
const START_TIME: Duration = Duration::from_secs(10);

/// Run the server together with a simulated LINE, with built-in settings.
#[derive(Debug, Args)]
pub struct SandboxCommand {
    #[command(subcommand)]
    action: Option<SandboxAction>,
    /// The port of the HTTP API; LINE's side uses the next one. 0 picks two free ones.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// The directory that keeps the sandbox's data between runs.
    #[arg(long, value_name = "DIR", default_value = "kaiwa-sandbox", global = true)]
    data: PathBuf,
    /// Print one line of JSON once everything is running.
    #[arg(long)]
    json: bool,
    /// Run only LINE's side, for a server elsewhere or for any other LINE bot.
    #[arg(long)]
    line_only: bool,
    /// Start with a new database even though there was one here; what is left of that is moved aside.
    #[arg(long, conflicts_with = "line_only")]
    new: bool,
}

#[derive(Debug, Subcommand)]
enum SandboxAction {
    /// Write to the bot of a running sandbox as one of its users.
    Say(SayCommand),
}

#[derive(Debug, Args)]
struct SayCommand {
    /// What the user writes.
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// The user, who is created if there is none with this name.
    #[arg(long = "as", value_name = "NAME", default_value = FIRST_USER, allow_hyphen_values = true)]
    name: String,
}

impl SandboxCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        if let Some(SandboxAction::Say(say)) = self.action {
            return say.run(&self.data);
        }
        if !self.line_only && !self.new {
            // Checked before creating anything; overrides in the environment are seen when the server opens its database.
            remains::refuse(&Config { data_directory: self.data.clone(), ..Config::default() })?;
        }
        make_data_directory(&self.data)?;
        let _lock = Lock::take(&self.data.join("line.json"))?;
        let platform =
            Platform::new(Options { persist: Some(self.data.join("line.json")), ..Options::generate() })?;
        let listener = bind(if self.port == 0 { 0 } else { self.port.checked_add(1).unwrap_or(0) })?;
        let line = format!("http://{}", listener.local_addr().map_err(Error::internal)?);
        let config = self.config(&platform, &line)?;
        logging::start(&config.log);
        if self.line_only {
            return self.run_line_only(&platform, listener, &line);
        }
        if self.new {
            require_new_database(&config)?;
        }
        let server = Server::bind(config, Clock::default())?;
        System::new().block_on(self.run_both(platform, listener, server, &line))
    }

    async fn run_both(
        self,
        platform: Platform,
        listener: TcpListener,
        server: Server,
        line: &str,
    ) -> Result<()> {
        let shared = server.shared();
        platform.set_webhook(shared.webhook_uri(account_id()));
        let side = crate::sandbox::serve(platform.clone(), listener)?;
        let handle = side.handle();
        let side = rt::spawn(side);
        let api = server.url()?;
        let shared = shared.clone();
        let running = rt::spawn(server.run(shutdown_signal()?));
        let conversation = first_conversation(&shared.store, line).await?;
        let greeting =
            Greeting::new((&self.data, &platform), (api, line), token(&shared.config)?, conversation);
        greeting.save()?;
        if self.json {
            output::json(&greeting.summary)?;
        } else {
            output::line(&greeting.text())?;
        }
        let ended = running.await.map_err(Error::internal)?;
        handle.stop(true).await;
        side.await.map_err(Error::internal)?.map_err(Error::internal)?;
        ended
    }

    fn run_line_only(&self, platform: &Platform, listener: TcpListener, line: &str) -> Result<()> {
        System::new().block_on(async {
            let side = crate::sandbox::serve(platform.clone(), listener)?;
            let handle = side.handle();
            let side = rt::spawn(side);
            let summary = greeting::line_only(platform, line);
            key::write_private(&summary_path(&self.data), &summary.to_string())?;
            if self.json {
                output::json(&summary)?;
            } else {
                output::line(&greeting::line_only_text(&summary))?;
            }
            shutdown_signal()?.await;
            handle.stop(true).await;
            side.await.map_err(Error::internal)?.map_err(Error::internal)
        })
    }

    /// The built-in settings. Environment variables still override what the sandbox does not set itself.
    fn config(&self, platform: &Platform, line: &str) -> Result<Config> {
        let listen = format!("127.0.0.1:{}", self.port);
        let key = key::load_or_generate(&self.data.join("jwt.key"))?;
        let flags = [
            ("listen", listen.as_str()),
            ("auth.jwt_key", key.expose()),
            ("line.api_base", line),
            ("line.data_base", line),
        ];
        let mut config = config::load_with_process_environment(None, &flags)?;
        // Not a flag: flags are text, and the name of a directory need not be.
        config.data_directory.clone_from(&self.data);
        config.public_url = None;
        // A newcomer's webhook receiver is on this machine.
        config.limits.allowed_hosts.extend(LOOPBACK.map(str::to_owned));
        config.customers = vec![customer()];
        config.accounts = vec![account(platform)];
        Ok(config)
    }
}

impl SayCommand {
    fn run(self, data: &Path) -> Result<()> {
        let line = greeting::line_of_running(data)?;
        let result = System::new().block_on(client::say(&line, &self.name, &self.text));
        let stopped = |_| Error::Unusable(format!("the sandbox in {} is not running", data.display()));
        output::line(&match result {
            Err(error @ Error::LineUnavailable(_)) => Err(stopped(error)),
            result => result,
        }?)
    }
}

/// The first user's conversation; in a new sandbox she starts it now.
async fn first_conversation(store: &Store, line: &str) -> Result<ConversationId> {
    if let Some(known) = first_users_conversation(store).await? {
        return Ok(known);
    }
    client::say(line, FIRST_USER, "hello").await?;
    let appears = async {
        loop {
            if let Some(conversation) = first_users_conversation(store).await? {
                return Ok(conversation);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Error::Unavailable("the first conversation did not appear".to_owned());
    tokio::time::timeout(START_TIME, appears).await.map_err(late)?
}

/// The oldest conversation of the newest hundred: in a sandbox, that of the first user.
async fn first_users_conversation(store: &Store) -> Result<Option<ConversationId>> {
    let page = Page { size: Page::SIZE_MAX, before: Timestamp::NEVER };
    let found = store.read(move |connection| conversations::page(connection, customer_id(), page)).await?;
    Ok(found.last().map(|conversation| conversation.id))
}

/// A token of the sandbox's customer.
fn token(config: &Config) -> Result<String> {
    let profile = ProfileChange { name: customer().name, ..ProfileChange::default() };
    let bearer = Bearer { customer: customer_id(), profile };
    sign(config.require_jwt_key()?, &bearer, Timestamp::now(), TOKEN_LIFE)
}

fn bind(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let unusable =
        |error| Error::Unusable(format!("cannot listen on {address}: {error}; choose another `--port`"));
    let listener = TcpListener::bind(address).map_err(unusable)?;
    listener.set_nonblocking(true).map_err(unusable)?;
    Ok(listener)
}

fn customer() -> ProvisionedCustomer {
    ProvisionedCustomer {
        id: customer_id(),
        name: Some("sandbox".to_owned()),
        detail: None,
        webhook_method: None,
        webhook_uri: None,
        message_days: None,
        is_default: true,
    }
}

fn account(platform: &Platform) -> ProvisionedAccount {
    let channel = platform.channel();
    ProvisionedAccount {
        id: account_id(),
        customer: CustomerReference::Id(customer_id()),
        name: Some("sandbox".to_owned()),
        detail: Some("the channel of the LINE sandbox".to_owned()),
        secret: channel.secret,
        secret_file: None,
        secret_next: None,
        secret_next_file: None,
        token: channel.token,
        token_file: None,
        channel_id: None,
        delivery_mode: None,
        is_default: true,
    }
}
