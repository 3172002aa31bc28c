//! Page tokens: opaque to clients, checked when they come back.

use sha2::{Digest, Sha256};

use super::error::ApiError;

/// Makes and reads page tokens; each emulator has its own, so that a token of another one is refused.
#[derive(Debug)]
pub(super) struct Pager {
    salt: u64,
}

impl Pager {
    pub(super) fn new(salt: u64) -> Pager {
        Pager { salt }
    }

    /// A token that goes on at `position` of the listing named by `listing`: its operation, caller and filters.
    pub(super) fn token(&self, listing: &str, position: usize) -> String {
        let position = position as u64;
        format!("{position:016x}{}", self.seal(listing, position))
    }

    /// The position, if the token was made for this listing.
    pub(super) fn position(&self, listing: &str, token: &str) -> Result<usize, ApiError> {
        let invalid = || ApiError::invalid("NextToken", "Invalid NextToken.");
        let (position, seal) = token.split_at_checked(16).ok_or_else(invalid)?;
        let position = u64::from_str_radix(position, 16).map_err(|_| invalid())?;
        if self.seal(listing, position) != seal {
            return Err(invalid());
        }
        usize::try_from(position).map_err(|_| invalid())
    }

    fn seal(&self, listing: &str, position: u64) -> String {
        let digest = Sha256::digest(format!("{} {position} {listing}", self.salt));
        digest[..16].iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_their_listing() {
        let pager = Pager::new(7);
        let token = pager.token("ListRestoreJobs status=FAILED", 41);
        assert_eq!(
            pager.position("ListRestoreJobs status=FAILED", &token),
            Ok(41)
        );
        pager.position("ListRestoreJobs", &token).unwrap_err();
        Pager::new(8)
            .position("ListRestoreJobs status=FAILED", &token)
            .unwrap_err();
        let changed = token.replacen("29", "2a", 1);
        for bad in ["", "x", "é", &token[1..], &changed, &format!("{token}0")] {
            pager
                .position("ListRestoreJobs status=FAILED", bad)
                .unwrap_err();
        }
    }
}
