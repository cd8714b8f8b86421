//! How far long work has come. Whoever does it says so here, wherever it is done, and a command that runs on a terminal shows it;
//! as with a log, nobody has to listen.

use std::sync::{Arc, Mutex, PoisonError};

/// What work says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// This begins, and so much of it has to be done, if that is known.
    Begun(&'static str, Unit, Option<u64>),
    /// So much more of it is done.
    Done(u64),
}

/// In what work is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes that are read or written.
    Bytes,
    /// Steps, events, or whatever there are several of.
    Pieces,
}

type ProgressListener = Arc<dyn Fn(Report) + Send + Sync>;

static LISTENER: Mutex<Option<ProgressListener>> = Mutex::new(None);

/// Listening ends when this is dropped.
#[derive(Debug)]
pub struct ListenGuard(());

/// Calls this with every report, whichever thread makes it.
pub fn listen(listener: impl Fn(Report) + Send + Sync + 'static) -> ListenGuard {
    replace(Some(Arc::new(listener)));
    ListenGuard(())
}

/// This begins, and so much of it has to be done, if that is known.
pub fn begin(what: &'static str, unit: Unit, total: Option<u64>) {
    report(Report::Begun(what, unit, total));
}

/// So much more of it is done.
pub fn advance(count: u64) {
    report(Report::Done(count));
}

impl Drop for ListenGuard {
    fn drop(&mut self) {
        replace(None);
    }
}

fn replace(listener: Option<ProgressListener>) {
    *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = listener;
}

fn report(report: Report) {
    let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(listener) = listener {
        listener(report);
    }
}
