//! The command line: results on standard output, logs on standard error, and exit codes that scripts can rely
//! on.
//!
//! 0: success. 1: failure. 2: invalid command line. 78: the configuration or the data cannot be used. 141: the
//! reader of the results is gone, as when a shell reports SIGPIPE.

mod account;
mod backup;
mod customer;
mod doctor;
mod erase;
mod healthcheck;
mod local_client;
mod migrate;
pub mod process;
mod replay;
mod sandbox;
mod secrets;
mod serve;
mod settings;
mod target;
pub mod terminal;
mod token;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::process::hardening;
use crate::command::terminal::output;
use crate::error::{Error, Result};

/// `EX_CONFIG` of sysexits.h: someone has to change something before a retry can succeed.
const EXIT_UNUSABLE: u8 = 78;

/// What a shell reports for a program that was ended by SIGPIPE.
const EXIT_READER_GONE: u8 = 141;

/// A self-hosted conversation server for LINE: one binary, one SQLite file.
#[derive(Debug, Parser)]
#[command(name = "kaiwa", version, max_term_width = 100, arg_required_else_help = true)]
struct Kaiwa {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Run the server together with a simulated LINE, without any configuration.
    Sandbox(sandbox::SandboxCommand),
    /// Check whether the running server is ready: exit code 0 if so, 1 if not.
    Healthcheck(healthcheck::Healthcheck),
    /// Print a token with which a customer can use the HTTP API.
    Token(token::TokenCommand),
    /// Add or list customers.
    Customer(customer::CustomerCommand),
    /// Add or list LINE accounts.
    Account(account::AccountCommand),
    /// List and replay webhook deliveries to customers, and show or rotate their secret.
    Webhooks(webhooks::WebhooksCommand),
    /// Rotate the key that seals the secrets in the database.
    Secrets(secrets::SecretsCommand),
    /// Check configuration, files, database and LINE accounts for problems.
    Doctor(doctor::Doctor),
    /// Create the database, or migrate it to the current schema.
    Migrate(migrate::Migrate),
    /// Apply events of the journal that an earlier version did not understand or could not apply.
    Replay(replay::ReplayCommand),
    /// Erase every trace of a conversation or of a person, and prove it.
    Erase(erase::Erase),
    /// Write the database and all files into one file, also while the server runs.
    Backup(backup::BackupCommand),
    /// Restore a data directory from a backup.
    Restore(backup::Restore),
    /// Check a backup or a data directory for damage.
    Verify(backup::Verify),
    /// Print the versions of the program, of its database schema and of SQLite.
    Version(migrate::Version),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Kaiwa { command } = Kaiwa::parse();
    hardening::apply();
    run(command).map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(error: &Error) -> ExitCode {
    if output::is_reader_gone(error) {
        return ExitCode::from(EXIT_READER_GONE);
    }
    output::error(error);
    match error {
        Error::Unusable(_) => ExitCode::from(EXIT_UNUSABLE),
        _ => ExitCode::FAILURE,
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Sandbox(sandbox) => sandbox.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Token(token) => token.run(),
        Command::Customer(customer) => customer.run(),
        Command::Account(account) => account.run(),
        Command::Webhooks(webhooks) => webhooks.run(),
        Command::Secrets(secrets) => secrets.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Replay(replay) => replay.run(),
        Command::Erase(erase) => erase.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Verify(verify) => verify.run(),
        Command::Version(version) => version.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::builder::ValueParser;

    use super::*;

    /// The arguments that take any text but reject one that starts with a dash.
    fn rejecting_dashes(command: &clap::Command, path: &str) -> Vec<String> {
        let is_text = |argument: &&clap::Arg| {
            argument.get_action().takes_values()
                && argument.get_value_parser().type_id() == ValueParser::string().type_id()
        };
        let own = command.get_arguments().filter(is_text).filter(|one| !one.is_allow_hyphen_values_set());
        let own = own.map(|argument| format!("{path} {}", argument.get_id())).collect::<Vec<_>>();
        let inner = command.get_subcommands();
        let inner = inner.flat_map(|inner| rejecting_dashes(inner, &format!("{path} {}", inner.get_name())));
        own.into_iter().chain(inner).collect()
    }

    #[test]
    fn a_text_argument_may_start_with_a_dash() {
        assert_eq!(rejecting_dashes(&Kaiwa::command(), "kaiwa"), Vec::<String>::new());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Kaiwa::command().debug_assert();
    }
}
