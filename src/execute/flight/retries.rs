//! Counts of calls made in vain.

use crate::backup::Operation;

/// Consecutive calls of each operation without a good answer: one that fails says nothing of the others.
#[derive(Debug, Default)]
pub(crate) struct Retries(Vec<(Operation, u32)>);

impl Retries {
    /// Returns how often an operation got no good answer.
    pub(crate) fn of(&self, operation: Operation) -> u32 {
        let mut all = self.0.iter();
        all.find(|(of, _)| *of == operation)
            .map_or(0, |(_, times)| *times)
    }

    /// Counts another time; how many there were before.
    pub(crate) fn one_more(&mut self, operation: Operation) -> u32 {
        match self.0.iter_mut().find(|(of, _)| *of == operation) {
            Some((_, times)) => {
                *times += 1;
                *times - 1
            }
            None => {
                self.0.push((operation, 1));
                0
            }
        }
    }

    /// Forgets an operation, which has answered.
    pub(crate) fn answered(&mut self, operation: Operation) {
        self.0.retain(|(of, _)| *of != operation);
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_apart() {
        let mut retries = Retries::default();
        assert_eq!(retries.one_more(Operation::StartRestoreJob), 0);
        assert_eq!(retries.one_more(Operation::StartRestoreJob), 1);
        assert_eq!(retries.one_more(Operation::ListRestoreJobs), 0);
        retries.answered(Operation::StartRestoreJob);
        assert_eq!(
            (
                retries.of(Operation::StartRestoreJob),
                retries.of(Operation::ListRestoreJobs)
            ),
            (0, 1)
        );
        retries.clear();
        assert_eq!(retries.of(Operation::ListRestoreJobs), 0);
    }
}
