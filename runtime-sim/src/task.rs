//! The tasks of a simulation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::world::{Event, TaskId, TaskWaker, World};

/// The tasks that have not completed.
#[derive(Default)]
pub(crate) struct Tasks {
    last: TaskId,
    live: BTreeMap<TaskId, Slot>,
    /// The simulation is over: what is spawned now is dropped.
    closed: bool,
}

struct Slot {
    /// Gone while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    turns: Arc<TaskWaker>,
    waker: Waker,
    label: Label,
}

/// What a task is, for messages.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    Connection(u64),
    Job,
    Spawned(&'static Location<'static>),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(number) => write!(f, "the server's connection {number}"),
            Self::Job => f.write_str("a blocking job"),
            Self::Spawned(at) => write!(f, "the task of {}:{}", at.file(), at.line()),
        }
    }
}

impl Tasks {
    pub(crate) fn next_id(&mut self) -> TaskId {
        self.last += 1;
        self.last
    }

    pub(crate) fn spawn(
        &mut self,
        world: &Arc<World>,
        label: Label,
        future: Pin<Box<dyn Future<Output = ()>>>,
    ) {
        if self.closed {
            return;
        }
        let id = self.next_id();
        let turns = TaskWaker::new(id, world.clone());
        let waker = Waker::from(turns.clone());
        waker.wake_by_ref();
        self.live.insert(id, Slot { future: Some(future), turns, waker, label });
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        self.live.values().take(16).map(|slot| slot.label.to_string()).collect()
    }

    /// All of them, and no more after them.
    pub(crate) fn close(&mut self) -> impl Sized + use<> {
        self.closed = true;
        std::mem::take(&mut self.live)
    }
}

/// Polls a task. It may spawn others meanwhile.
pub(crate) fn poll(tasks: &RefCell<Tasks>, world: &World, id: TaskId, spurious_one_in: u64) {
    let taken = tasks.borrow_mut().live.get_mut(&id).and_then(|slot| {
        slot.turns.begin_turn();
        Some((slot.future.take()?, slot.waker.clone()))
    });
    // It may have been woken after its end.
    let Some((mut future, waker)) = taken else { return };
    world.note(Event::Poll, id, 0);
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    if polled.is_pending() {
        if let Some(slot) = tasks.borrow_mut().live.get_mut(&id) {
            slot.future = Some(future);
        }
        if world.one_in(spurious_one_in) {
            waker.wake();
        }
    } else {
        let slot = tasks.borrow_mut().live.remove(&id);
        drop((slot, future));
    }
}

/// A spawned task: the future of what it returns. Dropped, the task goes on.
pub struct Task<T>(Rc<RefCell<Outcome<T>>>);

struct Outcome<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T: 'static> Task<T> {
    /// A task, and the future that runs it.
    pub(crate) fn new(
        future: impl Future<Output = T> + 'static,
    ) -> (Self, Pin<Box<dyn Future<Output = ()>>>) {
        let outcome = Rc::new(RefCell::new(Outcome { value: None, waker: None }));
        let task = Self(outcome.clone());
        let run = async move {
            let value = future.await;
            let waker = {
                let mut outcome = outcome.borrow_mut();
                outcome.value = Some(value);
                outcome.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (task, Box::pin(run))
    }
}

impl<T> Task<T> {
    /// Whether it has completed, and its value was not taken.
    pub fn is_done(&self) -> bool {
        self.0.borrow().value.is_some()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut outcome = self.0.borrow_mut();
        let value = outcome.value.take();
        if value.is_none() {
            outcome.waker = Some(cx.waker().clone());
        }
        value.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_done", &self.is_done()).finish()
    }
}
