//! What became of the requests, and what the server was doing meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a request ended, if all was well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Answered,
    /// It may be sent again.
    Refused(Refusal),
    /// Its client broke it off.
    BrokenOff,
}

/// How the server refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Nobody listened.
    Connection,
    /// The connection was closed, without a byte of an answer, by a server that had been told to end.
    Close,
    /// It came after an answer with `Connection: close`.
    AfterTheLast,
    /// 503.
    Unavailable,
    /// Events ended before their end, properly, and a client goes on with the last ID.
    StreamEnded,
    /// Code 1001.
    GoingAway,
}

/// A request that was neither answered nor refused.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Since the beginning.
    pub at: Duration,
    /// Which request it was.
    pub request: String,
    /// What came instead.
    pub what: String,
}

/// When a server was told to end, and when it had ended.
#[derive(Clone, Copy, Debug)]
struct Ending {
    told: Instant,
    gone: Option<Instant>,
}

#[derive(Debug, Default)]
struct Books {
    requests: BTreeMap<(&'static str, Ended), u64>,
    losses: Vec<Loss>,
    endings: Vec<Ending>,
    faults: Vec<String>,
    most_kib: u64,
    slowest_end: Duration,
}

/// The account. Every request is entered once.
#[derive(Debug)]
pub struct Account {
    begun: Instant,
    books: Mutex<Books>,
}

impl Account {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, kind: &'static str, ended: Ended) {
        *self.books().requests.entry((kind, ended)).or_default() += 1;
    }

    pub(super) fn lose(&self, request: String, what: String) {
        let at = self.begun.elapsed();
        self.books().losses.push(Loss { at, request, what });
    }

    /// A server does not start or end as it has to.
    pub(super) fn fault(&self, what: String) {
        self.books().faults.push(what);
    }

    /// A server is told to end: enter this before the signal is sent.
    pub(super) fn told(&self) {
        self.books().endings.push(Ending { told: Instant::now(), gone: None });
    }

    /// The server that was told last has ended, and held at most so much memory.
    pub(super) fn gone(&self, memory_kib: u64) {
        let mut books = self.books();
        books.most_kib = books.most_kib.max(memory_kib);
        let Some(ending) = books.endings.last_mut() else { return };
        let now = Instant::now();
        ending.gone = Some(now);
        let took = now - ending.told;
        books.slowest_end = books.slowest_end.max(took);
    }

    /// Whether a server that ended may have refused, without an answer, a request on a connection
    /// that was opened then, whose last byte was sent then. What it had before it was told, it may not.
    pub(super) fn may_refuse(&self, opened: Instant, sent: Instant) -> bool {
        self.books()
            .endings
            .iter()
            .any(|ending| sent >= ending.told && ending.gone.is_none_or(|gone| opened <= gone))
    }

    /// Whether nobody may have listened then: a server was gone, and the next not there.
    pub(super) fn may_be_closed(&self, at: Instant) -> bool {
        self.books().endings.iter().any(|ending| at >= ending.told)
    }

    /// Whether all went well, and something went at all: answers of each kind, and a restart.
    pub fn is_good(&self) -> bool {
        let books = self.books();
        let answered =
            |kind: &&'static str| books.requests.get(&(*kind, Ended::Answered)).is_some_and(|n| *n > 0);
        books.losses.is_empty()
            && books.faults.is_empty()
            && books.endings.len() > 1
            && super::clients::KINDS.iter().all(answered)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let books = self.books();
        let mut totals: BTreeMap<Ended, u64> = BTreeMap::new();
        for ((kind, ended), count) in &books.requests {
            writeln!(f, "{kind:>12} {count:>9} {ended:?}")?;
            *totals.entry(*ended).or_default() += count;
        }
        for (ended, count) in totals {
            writeln!(f, "{:>12} {count:>9} {ended:?}", "all")?;
        }
        writeln!(f, "{:>12} {:>9} lost", "all", books.losses.len())?;
        for loss in books.losses.iter().take(20) {
            writeln!(f, "LOST at {:?}: {}: {}", loss.at, loss.request, loss.what)?;
        }
        for fault in &books.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        let Books { endings, most_kib, slowest_end, .. } = &*books;
        write!(f, "{} servers ended, the slowest in {slowest_end:?}; ", endings.len())?;
        write!(f, "at most {most_kib} KiB at the end of one; {:.0?} in all", self.begun.elapsed())
    }
}
