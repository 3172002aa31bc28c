//! The last pages of jobs, as they were sent. Clients ask for the same page again and again while they wait; until a job
//! changes, is created or is judged, it is the same page.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

/// Number of pages kept: one for each client that waits, as a rule; each may hold a thousand jobs.
const KEPT: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<VecDeque<(String, Page)>>);

/// A page, and how long it holds.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) body: Bytes,
    /// Of the service when it was written.
    pub(super) version: u64,
    pub(super) written_at: Timestamp,
    /// Time at which any job changes next.
    pub(super) until: Option<Timestamp>,
    /// Time to which a look at it moves a standing clock.
    pub(super) next_event: Option<Timestamp>,
}

impl Pages {
    /// The page of that name, if it still holds.
    pub(super) fn get(&self, name: &str, version: u64, now: Timestamp) -> Option<Page> {
        let pages = self.lock();
        let (_, page) = pages.iter().find(|(known, _)| known == name)?;
        let holds = page.version == version
            && page.written_at <= now
            && page.until.is_none_or(|until| now < until);
        holds.then(|| page.clone())
    }

    pub(super) fn keep(&self, name: String, page: Page) {
        let mut pages = self.lock();
        pages.retain(|(known, _)| *known != name);
        pages.truncate(KEPT - 1);
        pages.push_front((name, page));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Page)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_until_something_changes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pages = Pages::default();
        let page = |until| Page {
            body: Bytes::from_static(b"{}"),
            version: 7,
            written_at: at(10),
            until,
            next_event: None,
        };
        pages.keep("a".into(), page(Some(at(20))));
        let holds = |name: &str, version, second| pages.get(name, version, at(second)).is_some();
        assert!(holds("a", 7, 10) && holds("a", 7, 19));
        assert!(!holds("a", 8, 10), "a job was created");
        assert!(!holds("a", 7, 20), "a job has changed");
        assert!(!holds("a", 7, 9), "the clock of another moment");
        assert!(!holds("b", 7, 10));
        pages.keep("a".into(), page(None));
        assert!(holds("a", 7, 1_000_000), "nothing will ever change");
        for name in ["b", "c", "d", "e"] {
            pages.keep(name.into(), page(None));
        }
        assert!(!holds("a", 7, 10), "the oldest goes");
        assert!(holds("b", 7, 10) && holds("e", 7, 10));
    }
}
