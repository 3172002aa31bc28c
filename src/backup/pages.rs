//! Page tokens of a listing, and how many of them are believed.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;

use super::{ApiError, Fault, Operation};

/// Pages of one listing: a million jobs at a hundred a page, ten million recovery points at a thousand. A listing that
/// goes on for longer does not end.
const MOST: u32 = 10_000;
/// Pages in a row that are the same as earlier ones, of a listing that goes round in a circle under ever new tokens.
const SAME: u32 = 3;
/// Empty pages in a row: AWS may filter what is on one, and does not filter for ever.
const EMPTY: u32 = 1_000;

/// Progress of a listing.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    read: u32,
    token: Option<String>,
    /// Hashes of all tokens so far, and of what was on all pages.
    tokens: HashSet<u64>,
    pages: HashSet<u64>,
    same: u32,
    empty: u32,
    by: RandomState,
}

impl Pages {
    /// The token of the page to ask for next; none for the first.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Returns the number of pages read.
    #[must_use]
    pub fn read(&self) -> u32 {
        self.read
    }

    /// Takes in the token that came with a page, and what was on it; whether there is another page.
    ///
    /// # Errors
    ///
    /// Where the listing does not end: its token has come before, its pages have, or there are more pages than any account
    /// fills.
    pub fn turn<T: Listed>(
        &mut self,
        operation: Operation,
        next: Option<String>,
        page: &[T],
    ) -> Result<bool, ApiError> {
        let items: Vec<&str> = page.iter().map(Listed::name).collect();
        let is_new = items.is_empty() || self.pages.insert(self.by.hash_one(&items));
        self.same = if is_new { 0 } else { self.same + 1 };
        self.empty = if items.is_empty() { self.empty + 1 } else { 0 };
        let why = match next.as_deref() {
            None | Some("") => return self.turn_by_token(operation, next),
            _ if self.same >= SAME => {
                format!("the last {SAME} pages have come before, so the listing never ends")
            }
            _ if self.empty >= EMPTY => {
                format!("the last {EMPTY} pages were empty, and the listing has not ended")
            }
            _ => return self.turn_by_token(operation, next),
        };
        self.read += 1;
        Err(endless(operation, why))
    }

    /// The same by the token alone.
    fn turn_by_token(
        &mut self,
        operation: Operation,
        next: Option<String>,
    ) -> Result<bool, ApiError> {
        self.read += 1;
        let why = match &next {
            // AWS marks the end with no token at all, others with an empty one.
            None => return Ok(false),
            Some(token) if token.is_empty() => return Ok(false),
            Some(_) if next == self.token => {
                "the page token is the one that was sent, so the listing never ends".to_owned()
            }
            Some(token) if !self.tokens.insert(self.by.hash_one(token)) => {
                "the page token has come before, so the listing never ends".to_owned()
            }
            Some(_) if self.read >= MOST => {
                format!("the listing has not ended after {MOST} pages")
            }
            Some(_) => {
                self.token = next;
                return Ok(true);
            }
        };
        Err(endless(operation, why))
    }
}

/// Items on a page of a listing, and the token of the next.
pub type Page<T> = (Vec<T>, Option<String>);

/// Item of a listing.
pub trait Listed {
    /// Returns its name within a listing.
    fn name(&self) -> &str;
}

/// Reads a listing page by page, for as long as whoever takes it wants more.
///
/// # Errors
///
/// Where AWS does not answer, or the listing does not end.
pub async fn each_page<T: Listed, F>(
    operation: Operation,
    mut page: impl FnMut(Option<String>) -> F,
    mut take: impl FnMut(Vec<T>) -> ControlFlow<()>,
) -> Result<(), ApiError>
where
    F: Future<Output = Result<Page<T>, ApiError>>,
{
    let mut pages = Pages::default();
    loop {
        let (items, next) = page(pages.token()).await?;
        let goes_on = pages.turn(operation, next, &items);
        if take(items).is_break() || !goes_on? {
            return Ok(());
        }
    }
}

fn endless(operation: Operation, message: String) -> ApiError {
    ApiError {
        operation,
        // An endless listing says nothing of what is there: no reason to take it for absent.
        fault: Fault::Service,
        code: None,
        request_id: None,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Listed for &str {
        fn name(&self) -> &str {
            self
        }
    }

    const NONE: &[&str] = &[];

    #[test]
    fn reliability_r4_17_a_token_that_comes_back_ends_the_listing() {
        let mut pages = Pages::default();
        assert_eq!(pages.token(), None);
        assert_eq!(
            pages.turn_by_token(Operation::ListRestoreJobs, Some("a".to_owned())),
            Ok(true)
        );
        assert_eq!(pages.token().as_deref(), Some("a"));
        let error = pages.turn_by_token(Operation::ListRestoreJobs, Some("a".to_owned()));
        assert_eq!(
            error.unwrap_err().to_string(),
            "ListRestoreJobs: the page token is the one that was sent, so the listing never ends"
        );
    }

    #[test]
    fn reliability_r4_17_a_listing_ends_after_so_many_pages() {
        let mut pages = Pages::default();
        for page in 1..MOST {
            assert_eq!(
                pages.turn_by_token(Operation::ListBackupVaults, Some(page.to_string())),
                Ok(true)
            );
        }
        let error = pages.turn_by_token(Operation::ListBackupVaults, Some("more".to_owned()));
        assert!(error.unwrap_err().message.contains("10000 pages"));
    }

    #[test]
    fn issue_14_a_listing_that_goes_round_is_left_early() {
        let mut pages = Pages::default();
        for token in ["a", "b", "c"] {
            let turned = pages.turn_by_token(Operation::ListRestoreJobs, Some(token.to_owned()));
            assert_eq!(turned, Ok(true));
        }
        let error = pages.turn_by_token(Operation::ListRestoreJobs, Some("a".to_owned()));
        assert!(error.unwrap_err().message.contains("has come before"));
        // Ever new tokens, and nothing new on the pages.
        let mut pages = Pages::default();
        let mut read = 0;
        let error = loop {
            read += 1;
            let items = [["x", "y"], ["z", "y"]][read % 2];
            let token = Some(read.to_string());
            match pages.turn(Operation::ListBackupVaults, token, &items) {
                Ok(true) => assert!(read < 10),
                other => break other.unwrap_err(),
            }
        };
        assert!(error.message.contains("have come before"), "{error}");
        // Empty pages may come one after the other, and the last page may be like another.
        let mut pages = Pages::default();
        for token in 0..100 {
            let turned = pages.turn(Operation::ListRestoreJobs, Some(token.to_string()), NONE);
            assert_eq!(turned, Ok(true));
        }
        for _ in 0..2 {
            assert_eq!(
                pages.turn(Operation::ListRestoreJobs, None, &["x"]),
                Ok(false)
            );
        }
    }

    #[tokio::test]
    async fn a_listing_is_read_for_as_long_as_somebody_wants_more() {
        let all = [["a", "b"], ["c", "d"], ["e", "f"]];
        let page = |token: Option<String>| {
            let at = token.map_or(0, |token| token.parse::<usize>().unwrap());
            let next = (at + 1 < all.len()).then(|| (at + 1).to_string());
            std::future::ready(Ok((all[at].to_vec(), next)))
        };
        for (last, count) in [("f", 6), ("x", 6), ("d", 4), ("a", 2)] {
            let mut read = Vec::new();
            let take = |items: Vec<&'static str>| {
                read.extend(items);
                match read.contains(&last) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let ended = each_page(Operation::ListTags, page, take).await;
            assert_eq!((ended, read.len()), (Ok(()), count), "{last}");
        }
        // One that never ends does end, whoever reads it.
        let mut asked = 0;
        let round = |_| {
            asked += 1;
            std::future::ready(Ok((vec!["a"], Some(asked.to_string()))))
        };
        let take = |_| ControlFlow::Continue(());
        let error = each_page(Operation::ListTags, round, take).await;
        assert!(error.unwrap_err().message.contains("have come before"));
        assert_eq!(asked, 1 + SAME);
    }

    #[test]
    fn a_listing_ends_with_its_last_token() {
        assert_eq!(
            Pages::default().turn_by_token(Operation::ListTags, None),
            Ok(false)
        );
        assert_eq!(
            Pages::default().turn_by_token(Operation::ListTags, Some(String::new())),
            Ok(false)
        );
    }
}
