//! Many attempts at a time, from one thread.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Complaint, Kind};

/// What came of the attempts.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many attempts of each kind came to their end.
    pub ended: BTreeMap<Kind, usize>,
    /// How many of them ended by a deadline before they had sent enough for another end.
    pub late: BTreeMap<Kind, usize>,
    /// What was wrong with one, and of which kind it was.
    pub complaints: Vec<(Kind, String)>,
}

/// Hostile clients at work.
#[derive(Debug)]
pub struct Crowd(JoinHandle<Report>);

impl Crowd {
    /// Lets `count` clients loose, in turn of each of the kinds. They connect over the time `arrive`.
    /// Who has come to its end begins anew after a pause, until `time` is over; each makes at least
    /// one attempt, and the last of each is waited for.
    pub fn start(addr: SocketAddr, kinds: &[Kind], count: usize, arrive: Duration, time: Duration) -> Self {
        let kinds: Vec<Kind> = kinds.iter().copied().cycle().take(count).collect();
        let attack = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let report = Arc::new(Mutex::new(Report::default()));
            let end = Instant::now() + time;
            runtime.block_on(async {
                let mut clients = Vec::new();
                for kind in kinds {
                    let wait = arrive.mul_f64(fastrand::f64());
                    clients.push(tokio::spawn(client(kind, addr, wait, end, report.clone())));
                }
                for client in clients {
                    client.await.expect("no panic");
                }
            });
            let report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.clone()
        };
        Self(thread::Builder::new().name("crowd".to_owned()).spawn(attack).expect("a thread"))
    }

    /// Waits until all are done.
    pub fn end(self) -> Report {
        self.0.join().expect("the crowd panicked")
    }
}

async fn client(kind: Kind, addr: SocketAddr, wait: Duration, end: Instant, report: Arc<Mutex<Report>>) {
    sleep(wait).await;
    loop {
        let verdict = kind.attempt(addr).await;
        {
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            *report.ended.entry(kind).or_default() += 1;
            match verdict {
                Ok(()) => {}
                Err(Complaint::Late) => *report.late.entry(kind).or_default() += 1,
                Err(Complaint::Wrong(what)) => report.complaints.push((kind, what)),
            }
        }
        // As long as an attempt that runs into a deadline, so that all kinds stay mixed.
        sleep(crate::subject::SHORT.mul_f64(0.5 + fastrand::f64())).await;
        if Instant::now() >= end {
            return;
        }
    }
}
