//! Page tokens of a listing, and how many of them are believed.

use super::{ApiError, Fault};

/// Pages of one listing: a million jobs at a hundred a page, ten million recovery points at a thousand. A listing that
/// goes on for longer does not end.
const MOST: u32 = 10_000;

/// How far a listing has come.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    read: u32,
    token: Option<String>,
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
    /// Where the listing does not end: its token is the one that was sent, or there are more pages than any account fills.
    pub fn turn(
        &mut self,
        operation: &'static str,
        next: Option<String>,
    ) -> Result<bool, ApiError> {
        self.read += 1;
        let endless = match &next {
            // AWS marks the end with no token at all, others with an empty one.
            None => return Ok(false),
            Some(token) if token.is_empty() => return Ok(false),
            Some(_) if next == self.token => {
                "the page token is the one that was sent, so the listing never ends".to_owned()
            }
            Some(_) if self.read >= MOST => {
                format!("the listing has not ended after {MOST} pages")
            }
            Some(_) => {
                self.token = next;
                return Ok(true);
            }
        };
        Err(ApiError {
            operation,
            // It says nothing of what is there, and is no reason to take it for absent.
            fault: Fault::Service,
            code: None,
            message: endless,
        })
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
            pages.turn("ListRestoreJobs", Some("a".to_owned())),
            Ok(true)
        );
        assert_eq!(pages.token().as_deref(), Some("a"));
        let error = pages.turn("ListRestoreJobs", Some("a".to_owned()));
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
                pages.turn("ListBackupVaults", Some(page.to_string())),
                Ok(true)
            );
        }
        let error = pages.turn("ListBackupVaults", Some("more".to_owned()));
        assert!(error.unwrap_err().message.contains("10000 pages"));
    }

    #[test]
    fn a_listing_ends_with_its_last_token() {
        assert_eq!(Pages::default().turn("ListTags", None), Ok(false));
        assert_eq!(
            Pages::default().turn("ListTags", Some(String::new())),
            Ok(false)
        );
    }
}
