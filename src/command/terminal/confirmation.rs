//! Asks for confirmation before something irreversible.

use std::io::{IsTerminal, Write, stderr, stdin};

use clap::Args;

use crate::error::{Error, Result};

/// Whether to ask.
#[derive(Debug, Args)]
pub struct Confirmation {
    /// Do not ask for confirmation. Scripts are never asked, only users at a terminal.
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Asks the user at the terminal. `Conflict` unless the answer is yes.
    pub fn ask(&self, question: &str) -> Result<()> {
        if self.yes || !stdin().is_terminal() || !stderr().is_terminal() {
            return Ok(());
        }
        let mut answer = String::new();
        write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush()).map_err(Error::internal)?;
        stdin().read_line(&mut answer).map_err(Error::internal)?;
        if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return Ok(());
        }
        Err(Error::Conflict("nothing was done".to_owned()))
    }
}
