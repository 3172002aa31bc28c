//! The connections that are open, and which of them may be ended to make room.
//!
//! Whoever has sent no whole request yet holds a connection for nothing. Such ones are ended after a while, and before
//! that where others find no room. A connection that waits for its client's next request is kept: a client that finds
//! it closed in the moment of sending takes that for a failure of the service.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock;

/// Maximum number open at a time; beyond it the oldest that is not being answered is ended for a new one.
const MOST: usize = 4096;
/// Number ended at once if the system gives no more of them.
const SOME: usize = 64;

/// End of a connection that its client does not end.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Ends once its request is answered.
    Gracefully,
    /// At once, with a reset.
    Reset,
    /// At once: it asks for nothing, and others need its place.
    Displaced,
}

/// State of a connection. In one number: the state in the two lowest bits, above them the count of heads begun.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU64);

/// The head of a request is on its way, or nothing has come yet.
const HEAD: u64 = 0;
/// The head is there, and its body is on its way.
const BODY: u64 = 1;
/// The request is there, and is being answered.
const ANSWER: u64 = 2;
/// The request is answered, and no other has begun.
const IDLE: u64 = 3;

impl Phase {
    fn is(&self) -> u64 {
        self.0.load(Ordering::Acquire) & 3
    }

    fn enter(&self, state: u64) {
        let turn = self.0.load(Ordering::Acquire) & !3;
        self.0.store(turn | state, Ordering::Release);
    }

    /// Something has come in.
    pub(super) fn received(&self) {
        if self.is() == IDLE {
            let turn = self.0.load(Ordering::Acquire) & !3;
            self.0.store(turn.wrapping_add(4) | HEAD, Ordering::Release);
        }
    }

    /// A head is whole.
    pub(super) fn head_is_whole(&self) {
        self.enter(BODY);
    }

    /// A request is whole.
    pub(super) fn request_is_whole(&self) {
        self.enter(ANSWER);
    }

    /// A request is answered.
    pub(super) fn answered(&self) {
        self.enter(IDLE);
    }

    /// Ends when one head has been on its way for that long, or a little less than twice as long.
    pub(super) async fn stalls(&self, patience: Duration) {
        let mut before = None;
        loop {
            clock::delay(patience).await;
            let now = self.0.load(Ordering::Acquire);
            let begun = (now & 3 == HEAD).then_some(now);
            if begun.is_some() && begun == before {
                return;
            }
            before = begun;
        }
    }
}

#[derive(Debug)]
struct Open {
    end: oneshot::Sender<End>,
    phase: Arc<Phase>,
}

/// All that are open, by the number of their opening. Each has an end of its own to wait for, which costs a request less
/// than one that all wait for.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<BTreeMap<u64, Open>>, AtomicU64);

impl Connections {
    /// One more; the oldest that asks for nothing goes where there are too many.
    pub(super) fn add(&self, phase: Arc<Phase>) -> (u64, oneshot::Receiver<End>) {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let (end, ended) = oneshot::channel();
        let mut open = self.open();
        if open.len() >= MOST {
            displace(&mut open, 1);
        }
        open.insert(number, Open { end, phase });
        (number, ended)
    }

    pub(super) fn remove(&self, number: u64) {
        self.open().remove(&number);
    }

    /// Ends some that ask for nothing: the system gives no more connections.
    pub(super) fn make_room(&self) {
        displace(&mut self.open(), SOME);
    }

    /// Ends all that are open now.
    pub(super) fn end_all(&self, end: End) {
        for (_, connection) in std::mem::take(&mut *self.open()) {
            // The connection may have ended by itself.
            let _ = connection.end.send(end);
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends so many, the oldest first, and those that have not sent a whole request before those that wait for the next one.
fn displace(open: &mut BTreeMap<u64, Open>, most: usize) {
    let among = |state: &dyn Fn(u64) -> bool| {
        let mut found = open.iter().filter(|(_, one)| state(one.phase.is()));
        let found = found.by_ref().take(most);
        found.map(|(number, _)| *number).collect::<Vec<u64>>()
    };
    let mut chosen = among(&|state| state == HEAD || state == BODY);
    if chosen.is_empty() {
        chosen = among(&|state| state == IDLE);
    }
    for number in chosen {
        if let Some(connection) = open.remove(&number) {
            let _ = connection.end.send(End::Displaced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(receiver: &mut oneshot::Receiver<End>) -> bool {
        matches!(receiver.try_recv(), Ok(End::Displaced))
    }

    #[test]
    fn the_unfinished_go_first_and_the_answered_last() {
        let connections = Connections::default();
        let add = |phase: fn(&Phase)| {
            let own = Arc::new(Phase::default());
            phase(&own);
            connections.add(own).1
        };
        let mut idle = add(Phase::answered);
        let mut head = add(|_| {});
        let mut answering = add(Phase::request_is_whole);
        let mut body = add(Phase::head_is_whole);
        connections.make_room();
        assert!(ended(&mut head) && ended(&mut body));
        assert!(!ended(&mut idle) && !ended(&mut answering));
        connections.make_room();
        assert!(ended(&mut idle) && !ended(&mut answering));
        connections.make_room();
        assert!(!ended(&mut answering));
    }

    #[test]
    fn too_many_make_room_for_each_other() {
        let connections = Connections::default();
        let mut first = connections.add(Arc::default()).1;
        for _ in 1..MOST {
            connections.add(Arc::default());
        }
        assert!(!ended(&mut first));
        connections.add(Arc::default());
        assert!(ended(&mut first));
        assert_eq!(connections.open().len(), MOST);
    }

    #[test]
    fn another_head_is_another_turn() {
        let phase = Phase::default();
        let turn = |phase: &Phase| phase.0.load(Ordering::Acquire);
        let first = turn(&phase);
        phase.received();
        assert_eq!(turn(&phase), first, "it is the same head");
        phase.head_is_whole();
        phase.request_is_whole();
        phase.answered();
        assert_eq!(phase.is(), IDLE);
        phase.received();
        assert_eq!(phase.is(), HEAD);
        assert_ne!(turn(&phase), first);
    }
}
