//! How many connections are let in.

use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections a server has at a time, and what becomes of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Most connections; 16,384 unless set. What they may take of memory is this times the bound of
    /// one, see `docs/operations.md`.
    pub max_connections: usize,
    /// Most connections from one address, where the network part of 64 bits is the address of an IPv6
    /// client; no limit unless set, because behind a load balancer all come from one. Those who are over
    /// it are [refused](Overload::Refuse). Connections without an address, of a Unix socket, have no such
    /// limit.
    pub max_per_address: usize,
    /// What becomes of connections over `max_connections`.
    pub overload: Overload,
}

/// What becomes of a connection when there are enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overload {
    /// It waits in the queue of the listening socket until another one ends. Clients see a slow server;
    /// when the queue is full, the system turns them away.
    #[default]
    Wait,
    /// It is accepted, its first request is answered with `503 Service Unavailable`, and it is closed.
    /// Up to 256 are at a time; more are closed without an answer.
    Refuse,
}

impl Default for Admission {
    fn default() -> Self {
        Self { max_connections: 16_384, max_per_address: usize::MAX, overload: Overload::Wait }
    }
}

/// Most connections that are being refused at a time.
const MAX_REFUSED: usize = 256;

/// Counts connections against an [`Admission`]. A clone counts with the original: all listeners and
/// workers of a server share one.
///
/// ```
/// use sinew_runtime::{Admission, Gate};
/// let gate = Gate::new(Admission { max_connections: 2, ..Admission::default() });
/// assert_eq!((gate.open(), gate.refusing()), (0, 0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    admission: Admission,
    open: AtomicUsize,
    refusing: AtomicUsize,
    /// Whether anybody waits. Set under the lock.
    awaited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waker>,
    /// Connections of each address, if they are limited.
    addresses: HashMap<Address, usize>,
}

/// An IPv4 address, or the upper half of an IPv6 address: what one client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address(u64);

impl Address {
    fn new(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(u64::from(ip.to_bits())),
            // The global ones begin with other bits than zero, and no host has one that begins with ones
            // only, as the places without an address do.
            IpAddr::V6(ip) => Self(((ip.to_bits() >> 64) as u64).min(Place::REFUSED.0 - 1)),
        }
    }
}

/// What [`Gate::enter`] says to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It is let in.
    Open(Place),
    /// It is to be refused.
    Refused(Place),
    /// It has to wait.
    Full,
    /// There is not even room to refuse it.
    Dropped,
}

/// What a connection gives back when it ends. Small, because there is one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    const OPEN: Self = Self(u64::MAX);
    const REFUSED: Self = Self(u64::MAX - 1);

    pub(crate) fn is_refused(self) -> bool {
        self == Self::REFUSED
    }
}

impl Gate {
    /// A gate that nobody has passed.
    pub fn new(admission: Admission) -> Self {
        Self(Arc::new(Inner { admission, ..Inner::default() }))
    }

    /// How many are in.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many are being refused.
    pub fn refusing(&self) -> usize {
        self.0.refusing.load(Ordering::Relaxed)
    }

    /// Ready when it makes sense to accept a connection.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let inner = &*self.0;
        let has_room = || {
            inner.admission.overload == Overload::Refuse
                || inner.open.load(Ordering::SeqCst) < inner.admission.max_connections
        };
        if has_room() {
            return Poll::Ready(());
        }
        let mut state = self.state();
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        inner.awaited.store(true, Ordering::SeqCst);
        drop(state);
        // Somebody may have left before the waker was there.
        if has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Counts a connection, unless it has to wait or cannot be had.
    pub(crate) fn enter(&self, peer: Option<SocketAddr>) -> Entry {
        let Admission { max_connections, max_per_address, overload } = self.0.admission;
        let over = || if overload == Overload::Wait { Entry::Full } else { self.refuse() };
        let Some(peer) = peer.filter(|_| max_per_address < usize::MAX) else {
            return if take_one(&self.0.open, max_connections) { Entry::Open(Place::OPEN) } else { over() };
        };
        let address = Address::new(peer.ip());
        // One lock for both limits: who is over one of them never takes a place of the other, not even for a
        // moment in which somebody else would be turned away.
        let mut state = self.state();
        let count = state.addresses.get(&address).copied().unwrap_or_default();
        if count >= max_per_address {
            return self.refuse();
        }
        if !take_one(&self.0.open, max_connections) {
            return over();
        }
        state.addresses.insert(address, count + 1);
        Entry::Open(Place(address.0))
    }

    /// Counts a connection that somebody else has decided about.
    pub(crate) fn enter_anyway(&self) -> Place {
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Place::OPEN
    }

    /// Counts a connection that is to be refused.
    pub(crate) fn refuse(&self) -> Entry {
        if take_one(&self.0.refusing, MAX_REFUSED) { Entry::Refused(Place::REFUSED) } else { Entry::Dropped }
    }

    /// A connection has ended.
    pub(crate) fn leave(&self, place: Place) {
        if place == Place::REFUSED {
            self.0.refusing.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        if place != Place::OPEN {
            let mut state = self.state();
            if let Some(count) = state.addresses.get_mut(&Address(place.0)) {
                *count -= 1;
                if *count == 0 {
                    state.addresses.remove(&Address(place.0));
                }
            }
        }
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        if self.0.awaited.load(Ordering::SeqCst) {
            let mut state = self.state();
            self.0.awaited.store(false, Ordering::SeqCst);
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds one if that does not exceed the limit.
fn take_one(count: &AtomicUsize, limit: usize) -> bool {
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count < limit).then_some(count + 1))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(gate: &Gate, peer: &str) -> Entry {
        gate.enter(Some(peer.parse().unwrap()))
    }

    fn place(entry: Entry) -> Place {
        match entry {
            Entry::Open(place) | Entry::Refused(place) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_over_waits_until_another_leaves() {
        let gate = Gate::new(Admission { max_connections: 1, ..Admission::default() });
        let cx = Context::from_waker(Waker::noop());
        assert!(gate.poll_room(&cx).is_ready());
        let first = place(enter(&gate, "192.0.2.1:1"));
        assert!(gate.poll_room(&cx).is_pending());
        assert_eq!(enter(&gate, "192.0.2.2:1"), Entry::Full);
        assert_eq!(gate.open(), 1);
        gate.leave(first);
        assert!(gate.poll_room(&cx).is_ready());
        assert_eq!((gate.open(), gate.state().waiting.len()), (0, 0));
    }

    #[test]
    fn who_is_over_is_refused_and_then_dropped() {
        let gate =
            Gate::new(Admission { max_connections: 1, overload: Overload::Refuse, ..Admission::default() });
        let first = place(gate.enter(None));
        let refused: Vec<Entry> = (0..MAX_REFUSED).map(|_| gate.enter(None)).collect();
        assert!(refused.iter().all(|entry| *entry == Entry::Refused(Place::REFUSED)));
        assert_eq!(gate.enter(None), Entry::Dropped);
        assert!(gate.poll_room(&Context::from_waker(Waker::noop())).is_ready());
        gate.leave(Place::REFUSED);
        assert_eq!(gate.enter(None), Entry::Refused(Place::REFUSED));
        gate.leave(first);
        assert_eq!((gate.open(), gate.refusing()), (0, MAX_REFUSED));
    }

    #[test]
    fn addresses_are_counted_by_client() {
        let gate = Gate::new(Admission { max_per_address: 2, ..Admission::default() });
        let first = place(enter(&gate, "192.0.2.1:1"));
        let second = place(enter(&gate, "[::ffff:192.0.2.1]:2"));
        assert!(place(enter(&gate, "192.0.2.1:3")).is_refused());
        assert!(!place(enter(&gate, "192.0.2.2:1")).is_refused());
        for host in ["[2001:db8::1]:1", "[2001:db8::ffff]:1"] {
            assert!(!place(enter(&gate, host)).is_refused());
        }
        assert!(place(enter(&gate, "[2001:db8::2]:1")).is_refused());
        assert!(!place(enter(&gate, "[2001:db8:0:1::1]:1")).is_refused());
        assert!(!place(gate.enter(None)).is_refused(), "a Unix socket has no address");
        assert_eq!(gate.open(), 7);
        let odd = place(enter(&gate, "[ffff:ffff:ffff:ffff::1]:1"));
        assert!(odd != Place::OPEN && !odd.is_refused(), "no address is taken for none");
        gate.leave(odd);
        gate.leave(first);
        gate.leave(second);
        assert!(!gate.state().addresses.contains_key(&Address::new("192.0.2.1".parse().unwrap())));
        assert!(!place(enter(&gate, "192.0.2.1:4")).is_refused());
    }

    #[test]
    fn who_is_over_the_limit_of_an_address_takes_no_place_of_others() {
        let admission = Admission { max_connections: 2, max_per_address: 1, overload: Overload::Wait };
        let gate = Gate::new(admission);
        let first = place(enter(&gate, "192.0.2.1:1"));
        assert!(place(enter(&gate, "192.0.2.1:2")).is_refused());
        let second = place(enter(&gate, "192.0.2.2:1"));
        // Full, and yet this one does not wait for a place that it may not have.
        assert!(place(enter(&gate, "192.0.2.1:3")).is_refused());
        assert_eq!(enter(&gate, "192.0.2.3:1"), Entry::Full);
        assert_eq!(gate.state().addresses.len(), 2, "who has to wait is not counted");
        gate.leave(first);
        gate.leave(second);
        assert_eq!((gate.open(), gate.state().addresses.len()), (0, 0));
    }

    /// Wakes a thread, and counts.
    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Threads that enter, stay for a moment and leave: never too many are in, and whoever waits is woken. A
    /// wake that is lost shows as a thread that waits for as long as nobody would.
    #[test]
    fn no_place_and_no_wake_is_lost_among_many_threads() {
        const LIMIT: usize = 2;
        for max_per_address in [usize::MAX, LIMIT] {
            let gate =
                Gate::new(Admission { max_connections: LIMIT, max_per_address, ..Admission::default() });
            let inside = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = (0..6_u8)
                .map(|index| {
                    let (gate, inside) = (gate.clone(), inside.clone());
                    std::thread::spawn(move || {
                        let peer = SocketAddr::from(([192, 0, 2, index], 1));
                        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                        let cx = Context::from_waker(&waker);
                        for _ in 0..3_000 {
                            let place = loop {
                                while gate.poll_room(&cx).is_pending() {
                                    let start = std::time::Instant::now();
                                    std::thread::park_timeout(std::time::Duration::from_secs(20));
                                    assert!(start.elapsed().as_secs() < 20, "a wake is lost");
                                }
                                match gate.enter(Some(peer)) {
                                    Entry::Open(place) => break place,
                                    Entry::Full => {}
                                    other => panic!("{other:?}"),
                                }
                            };
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < LIMIT);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            gate.leave(place);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!((gate.open(), gate.state().addresses.len()), (0, 0));
        }
    }
}
