//! The journal as the engine writes it: one append at a time, of all that has happened since the one before. What follows
//! from an event waits for the append that has it; nothing else does.

use std::collections::VecDeque;
use std::pin::Pin;

use super::Command;
use super::checking::Task;
use super::silence::Silence;
use crate::ids::StepIndex;
use crate::state::{Append, JournalError, Recorded};

/// Effect of an event, once that is on disk.
pub(super) enum Effect {
    /// A request leaves.
    Start(StepIndex),
    /// A request that was compared with what exists is due.
    StartDue(StepIndex),
    /// A command is started.
    Check(Task, Command),
    /// AWS Backup is told what the checks of a restore have come to.
    Publish(StepIndex),
}

/// A journal that is being appended to: it comes back with what was recorded, or the reason why it was not.
pub(super) type PendingAppend<J> =
    Pin<Box<dyn Future<Output = (J, Vec<Recorded>, Result<(), JournalError>)> + Send>>;

pub(super) struct Recording<J> {
    /// Absent while it is being appended to.
    pub(super) journal: Option<J>,
    pub(super) append: Option<PendingAppend<J>>,
    /// Events that are not on disk yet, and so not on the screen either.
    pub(super) buffer: Vec<Recorded>,
    /// Number of events so far, and how many of them are recorded.
    pub(super) taken: u64,
    pub(super) recorded: u64,
    /// Each with the number of the last event that it follows from.
    pub(super) effects: VecDeque<(u64, Effect)>,
    /// Time at which the run says what it waits for, where nothing happens.
    pub(super) silence: Silence,
}

impl<J: Append + 'static> Recording<J> {
    pub(super) fn new(journal: J, silence: Silence) -> Self {
        Self {
            journal: Some(journal),
            append: None,
            buffer: Vec::new(),
            taken: 0,
            recorded: 0,
            effects: VecDeque::new(),
            silence,
        }
    }

    pub(super) fn take(&mut self, recorded: Recorded) {
        self.taken += 1;
        self.buffer.push(recorded);
    }

    /// Puts off what follows from the events so far.
    pub(super) fn then(&mut self, effect: Effect) {
        self.effects.push_back((self.taken, effect));
    }

    /// Returns true if nothing is being recorded.
    pub(super) fn is_idle(&self) -> bool {
        self.append.is_none()
    }

    /// Begins to record what has happened, unless something is being recorded; that goes first.
    pub(super) fn begin(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if let Some(mut journal) = self.journal.take() {
            let batch = std::mem::take(&mut self.buffer);
            self.append = Some(Box::pin(async move {
                let appended = append(&mut journal, &batch).await;
                (journal, batch, appended)
            }));
        }
    }

    /// Returns what was recorded, as soon as it is; never returns where nothing is being recorded.
    pub(super) async fn ended(&mut self) -> Result<Vec<Recorded>, JournalError> {
        let Some(append) = &mut self.append else {
            return std::future::pending().await;
        };
        let (journal, batch, appended) = append.await;
        self.append = None;
        self.journal = Some(journal);
        appended?;
        self.recorded += batch.len() as u64;
        Ok(batch)
    }

    /// The next effect of what is recorded.
    pub(super) fn effect(&mut self) -> Option<Effect> {
        let recorded = self.recorded;
        let is_due = |(after, _): &&(u64, Effect)| *after <= recorded;
        self.effects.front().filter(is_due)?;
        self.effects.pop_front().map(|(_, effect)| effect)
    }
}

/// Appends those events that belong on disk.
async fn append(journal: &mut impl Append, batch: &[Recorded]) -> Result<(), JournalError> {
    let is_durable = |recorded: &&Recorded| recorded.event.is_durable();
    if batch.iter().all(|recorded| is_durable(&recorded)) {
        return journal.append(batch).await;
    }
    let durable: Vec<Recorded> = batch.iter().filter(is_durable).cloned().collect();
    if durable.is_empty() {
        return Ok(());
    }
    journal.append(&durable).await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use jiff::Timestamp;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::ids::RestoreName;
    use crate::state::Event;

    /// A disk that takes until it is told.
    struct Slow(UnboundedReceiver<bool>);

    impl Append for Slow {
        async fn append(&mut self, _: &[Recorded]) -> Result<(), JournalError> {
            match self.0.recv().await {
                Some(true) => Ok(()),
                _ => Err(JournalError::Disk("full".to_owned())),
            }
        }
    }

    fn withdrawn(restore: &RestoreName) -> Recorded {
        Recorded {
            at: Timestamp::UNIX_EPOCH,
            aws_ahead: None,
            event: Event::Withdrawn {
                restore: restore.to_owned(),
                message: String::new(),
            },
        }
    }

    fn polled<J: Append + 'static>(
        recording: &mut Recording<J>,
    ) -> Poll<Result<usize, JournalError>> {
        let ended = pin!(recording.ended());
        let poll = ended.poll(&mut Context::from_waker(Waker::noop()));
        poll.map(|ended| ended.map(|batch| batch.len()))
    }

    fn started<J: Append + 'static>(recording: &mut Recording<J>) -> Option<StepIndex> {
        match recording.effect() {
            Some(Effect::Publish(step)) => Some(step),
            _ => None,
        }
    }

    #[test]
    fn what_follows_waits_for_its_own_append() {
        let (disk, told) = unbounded_channel();
        let mut recording = Recording::new(Slow(told), Silence::new(None, Timestamp::UNIX_EPOCH));
        assert!(polled(&mut recording).is_pending());
        recording.take(withdrawn(&RestoreName::new("a")));
        recording.then(Effect::Publish(StepIndex::new(0)));
        recording.begin();
        assert!(!recording.is_idle() && polled(&mut recording).is_pending());
        assert_eq!(started(&mut recording), None);
        // Events that happen meanwhile are taken in, and go into the next append.
        recording.take(withdrawn(&RestoreName::new("b")));
        recording.take(withdrawn(&RestoreName::new("c")));
        recording.then(Effect::Publish(StepIndex::new(1)));
        recording.begin();
        disk.send(true).unwrap();
        assert!(matches!(polled(&mut recording), Poll::Ready(Ok(1))));
        assert_eq!(started(&mut recording), Some(StepIndex::new(0)));
        assert_eq!(started(&mut recording), None);
        recording.begin();
        disk.send(true).unwrap();
        assert!(matches!(polled(&mut recording), Poll::Ready(Ok(2))));
        assert_eq!(started(&mut recording), Some(StepIndex::new(1)));
        assert!(recording.is_idle());
    }

    #[test]
    fn nothing_follows_from_what_is_not_on_disk() {
        let (disk, told) = unbounded_channel();
        let mut recording = Recording::new(Slow(told), Silence::new(None, Timestamp::UNIX_EPOCH));
        recording.take(withdrawn(&RestoreName::new("a")));
        recording.begin();
        recording.then(Effect::Publish(StepIndex::new(0)));
        recording.take(withdrawn(&RestoreName::new("b")));
        recording.then(Effect::Publish(StepIndex::new(1)));
        disk.send(true).unwrap();
        assert!(matches!(polled(&mut recording), Poll::Ready(Ok(1))));
        recording.begin();
        disk.send(false).unwrap();
        assert!(matches!(polled(&mut recording), Poll::Ready(Err(_))));
        assert_eq!(started(&mut recording), Some(StepIndex::new(0)));
        assert_eq!(started(&mut recording), None);
    }
}
