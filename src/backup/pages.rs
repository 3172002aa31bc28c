//! Page tokens of a listing, and how many of them are believed.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::{ApiError, Fault, Operation};

/// Pages of one listing: a million jobs at a hundred a page, ten million recovery points at a thousand. A listing that
/// goes on for longer does not end.
const MOST: u32 = 10_000;
/// Pages in a row that are the same as earlier ones, of a listing that goes round in a circle under ever new tokens.
const SAME: u32 = 3;
/// Empty pages in a row: AWS may filter what is on one, and does not filter for ever.
const EMPTY: u32 = 1_000;

/// How far a listing has come.
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

    /// How many pages have been read.
    #[must_use]
    pub fn read(&self) -> u32 {
        self.read
    }

    /// Takes in the token that came with a page; whether there is another page.
    ///
    /// # Errors
    ///
    /// Where the listing does not end: its token has come before, its pages have, or there are more pages than any account
    /// fills.
    pub fn turn_after<'i>(
        &mut self,
        operation: Operation,
        next: Option<String>,
        items: impl IntoIterator<Item = &'i str>,
    ) -> Result<bool, ApiError> {
        let items: Vec<&str> = items.into_iter().collect();
        let is_new = items.is_empty() || self.pages.insert(self.by.hash_one(&items));
        self.same = if is_new { 0 } else { self.same + 1 };
        self.empty = if items.is_empty() { self.empty + 1 } else { 0 };
        let why = match next.as_deref() {
            None | Some("") => return self.turn(operation, next),
            _ if self.same >= SAME => {
                format!("the last {SAME} pages have come before, so the listing never ends")
            }
            _ if self.empty >= EMPTY => {
                format!("the last {EMPTY} pages were empty, and the listing has not ended")
            }
            _ => return self.turn(operation, next),
        };
        self.read += 1;
        Err(endless(operation, why))
    }

    /// The same where what is on the page is not looked at.
    ///
    /// # Errors
    ///
    /// As [`Pages::turn_after`].
    pub fn turn(&mut self, operation: Operation, next: Option<String>) -> Result<bool, ApiError> {
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

fn endless(operation: Operation, message: String) -> ApiError {
    ApiError {
        operation,
        // It says nothing of what is there, and is no reason to take it for absent.
        fault: Fault::Service,
        code: None,
        request_id: None,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reliability_r4_17_a_token_that_comes_back_ends_the_listing() {
        let mut pages = Pages::default();
        assert_eq!(pages.token(), None);
        assert_eq!(
            pages.turn(Operation::ListRestoreJobs, Some("a".to_owned())),
            Ok(true)
        );
        assert_eq!(pages.token().as_deref(), Some("a"));
        let error = pages.turn(Operation::ListRestoreJobs, Some("a".to_owned()));
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
                pages.turn(Operation::ListBackupVaults, Some(page.to_string())),
                Ok(true)
            );
        }
        let error = pages.turn(Operation::ListBackupVaults, Some("more".to_owned()));
        assert!(error.unwrap_err().message.contains("10000 pages"));
    }

    #[test]
    fn issue_14_a_listing_that_goes_round_is_left_early() {
        let mut pages = Pages::default();
        for token in ["a", "b", "c"] {
            let turned = pages.turn(Operation::ListRestoreJobs, Some(token.to_owned()));
            assert_eq!(turned, Ok(true));
        }
        let error = pages.turn(Operation::ListRestoreJobs, Some("a".to_owned()));
        assert!(error.unwrap_err().message.contains("has come before"));
        // Ever new tokens, and nothing new on the pages.
        let mut pages = Pages::default();
        let mut read = 0;
        let error = loop {
            read += 1;
            let items = [["x", "y"], ["z", "y"]][read % 2];
            let token = Some(read.to_string());
            match pages.turn_after(Operation::ListBackupVaults, token, items) {
                Ok(true) => assert!(read < 10),
                other => break other.unwrap_err(),
            }
        };
        assert!(error.message.contains("have come before"), "{error}");
        // Empty pages may come one after the other, and the last page may be like another.
        let mut pages = Pages::default();
        for token in 0..100 {
            let turned = pages.turn_after(Operation::ListRestoreJobs, Some(token.to_string()), []);
            assert_eq!(turned, Ok(true));
        }
        for _ in 0..2 {
            assert_eq!(
                pages.turn_after(Operation::ListRestoreJobs, None, ["x"]),
                Ok(false)
            );
        }
    }

    #[test]
    fn a_listing_ends_with_its_last_token() {
        assert_eq!(Pages::default().turn(Operation::ListTags, None), Ok(false));
        assert_eq!(
            Pages::default().turn(Operation::ListTags, Some(String::new())),
            Ok(false)
        );
    }
}
