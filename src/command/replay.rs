//! `kaiwa replay`.

use clap::Args;
use serde_json::json;

use crate::admin::operation::AdminOperation;
use crate::admin::replay::{ReplayPage, Tally};
use crate::command::settings::CommonArguments;
use crate::command::target::Target;
use crate::command::terminal::{output, progress};
use crate::error::Result;
use crate::model::progress::{Unit, advance, begin};
use crate::model::timestamp::Timestamp;

/// Apply events of the journal that an earlier version did not understand, or could not apply; also while the
/// server runs.
#[derive(Debug, Args)]
pub struct ReplayCommand {
    #[command(flatten)]
    settings: CommonArguments,
    /// Only events received since then: 2026-11-25, "2026-11-25 03:18:14.000000" (UTC), or a duration back from
    /// now, such as 7d.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Timestamp,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ReplayCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let target = Target::of(&self.settings)?;
        let tally = progress::during("applying events", || self.apply(&target))?;
        let Tally { applied, unread, failed } = tally;
        if self.json {
            return output::json(&json!({ "applied": applied, "unread": unread, "failed": failed }));
        }
        output::line(&format!("{applied} applied, {unread} not understood, {failed} failed"))
    }

    fn apply(&self, target: &Target) -> Result<Tally> {
        let since = self.since.as_microseconds();
        let (mut tally, mut next) = (Tally::default(), Some(0));
        begin("applying events", Unit::Pieces, None);
        while let Some(after) = next {
            let page: ReplayPage = target.run(AdminOperation::ReplayJournal { since, after })?;
            advance(page.events);
            tally.add(page.tally);
            next = page.next;
        }
        Ok(tally)
    }
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(duration) = humantime::parse_duration(text) {
        return Ok(Timestamp::now().before(duration));
    }
    let time = text.parse().or_else(|_| format!("{text} 00:00:00.000000").parse::<Timestamp>());
    time.map_err(|_| {
        "a day, a time such as \"2026-11-25 03:18:14.000000\", or a duration such as 7d".to_owned()
    })
}
