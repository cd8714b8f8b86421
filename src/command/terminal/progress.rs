//! Shows the progress of a command on standard error, if that is a terminal, so that pipes and logs stay free
//! of it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::model::progress::{self, Report, Unit};

/// The refresh interval of the elapsed time.
const TICK: Duration = Duration::from_millis(100);

/// For work of unknown size.
const OPEN: &str = "{spinner} {msg}, {elapsed}";
const OPEN_PIECES: &str = "{spinner} {msg}: {human_pos}, {elapsed}";
const BYTES: &str = "{spinner} {msg} [{wide_bar}] {bytes} of {total_bytes}, {eta} left";
const PIECES: &str = "{spinner} {msg} [{wide_bar}] {human_pos} of {human_len}";

/// Runs the work and shows its progress meanwhile, under the name `what` until it reports another. Clears the
/// line at the end.
pub fn during<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let bar = ProgressBar::new_spinner();
    show(&bar, Report::Begun(what, Unit::Bytes, None));
    let shown = bar.clone();
    let listening = progress::listen(move |report| show(&shown, report));
    bar.enable_steady_tick(TICK);
    let done = work();
    drop(listening);
    bar.finish_and_clear();
    done
}

fn show(bar: &ProgressBar, report: Report) {
    match report {
        Report::Begun(what, unit, total) => {
            let template = match (unit, total) {
                (Unit::Bytes, None) => OPEN,
                (Unit::Pieces, None) => OPEN_PIECES,
                (Unit::Bytes, Some(_)) => BYTES,
                (Unit::Pieces, Some(_)) => PIECES,
            };
            bar.set_style(ProgressStyle::with_template(template).expect("the templates are constants"));
            bar.reset();
            bar.set_length(total.unwrap_or(0));
            bar.set_message(what);
        }
        Report::Done(count) => bar.inc(count),
    }
}
