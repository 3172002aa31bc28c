//! Conditions on the role of a restore.

use redrill_inventory::Arn;
use serde::Deserialize;

use super::refusals::Request;

/// Fault of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Malformed,
    OtherPartition,
    OtherAccount,
    /// AWS Backup cannot assume it.
    NotAssumable,
}

impl Role {
    pub(super) fn is(self, request: &Request<'_>) -> bool {
        let Some(text) = request.role else {
            return false;
        };
        let role = Arn::parse(text).filter(|arn| {
            arn.service == "iam" && arn.resource.starts_with("role/") && !arn.account.is_empty()
        });
        match (self, role) {
            (Role::Malformed, role) => role.is_none(),
            (_, None) => false,
            (Role::NotAssumable, Some(_)) => {
                request.world.is_some_and(|world| world.role_is_untrusted())
            }
            (Role::OtherPartition, Some(role)) => role.partition != request.partition(),
            (Role::OtherAccount, Some(role)) => role.account != request.account,
        }
    }
}
