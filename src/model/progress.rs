//! Progress of long operations. The code that does the work reports it here, and a command on a terminal
//! shows it; as with a log, a listener is optional.

use std::sync::{Arc, Mutex, PoisonError};

/// A progress report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An operation starts, with its total amount if known.
    Begun(&'static str, Unit, Option<u64>),
    /// This much more is done.
    Done(u64),
}

/// The unit of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes read or written.
    Bytes,
    /// Steps, events or other items.
    Pieces,
}

type ProgressListener = Arc<dyn Fn(Report) + Send + Sync>;

static LISTENER: Mutex<Option<ProgressListener>> = Mutex::new(None);

/// Stops listening when it is dropped.
#[derive(Debug)]
pub struct ListenGuard(());

/// Calls the listener with every report, from any thread.
pub fn listen(listener: impl Fn(Report) + Send + Sync + 'static) -> ListenGuard {
    replace(Some(Arc::new(listener)));
    ListenGuard(())
}

/// Reports the start of an operation, with its total amount if known.
pub fn begin(what: &'static str, unit: Unit, total: Option<u64>) {
    report(Report::Begun(what, unit, total));
}

/// Reports that this much more is done.
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
