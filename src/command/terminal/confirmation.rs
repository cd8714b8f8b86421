//! Asking before something is done that nobody can undo.

use std::io::{IsTerminal, Write, stderr, stdin};

use clap::Args;

use crate::error::{Error, Result};

/// Whether somebody is asked.
#[derive(Debug, Args)]
pub struct Confirmation {
    /// Do not ask. A script is never asked: only who types at a terminal is.
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Asks who sits at the terminal. `Conflict` when the answer is not yes.
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
