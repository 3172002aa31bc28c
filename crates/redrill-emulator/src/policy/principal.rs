//! Principals that ask, and those that the `Principal` of a policy names.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use redrill_inventory::{Arn, PolicyPrincipal};

/// Principal that makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// A user, by its ARN.
    User(String),
    /// A session of a role: the role's ARN and the session's.
    Session { role: String, session: String },
    /// A service of AWS.
    Service(String),
}

/// Way in which a policy of a resource allows a principal: the narrower the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// Its account, which leaves it to the account's own policies.
    Account,
    /// Everyone, or its role.
    Role,
    /// The user, the session, the service itself.
    Itself,
}

impl Principal {
    /// Returns the ARN that refusals and CloudTrail name.
    pub(crate) fn arn(&self) -> &str {
        match self {
            Principal::User(arn) | Principal::Session { session: arn, .. } => arn,
            Principal::Service(name) => name,
        }
    }

    /// The user's or the role's.
    pub(crate) fn entity(&self) -> &str {
        match self {
            Principal::User(arn) | Principal::Session { role: arn, .. } => arn,
            Principal::Service(name) => name,
        }
    }

    /// Empty for a service.
    pub(super) fn account(&self) -> &str {
        Arn::parse(self.entity()).map_or("", |arn| arn.account)
    }

    /// Tells how a policy names it; none if it does not.
    pub(super) fn named_by(&self, whom: &PolicyPrincipal) -> Option<Named> {
        let found = self.found_in(whom);
        match (whom.all_but, found) {
            (false, found) => found,
            (true, None) => Some(Named::Role),
            (true, Some(_)) => None,
        }
    }

    fn found_in(&self, whom: &PolicyPrincipal) -> Option<Named> {
        if let Principal::Service(name) = self {
            let own = whom.service.contains(name);
            return (own || whom.everyone).then_some(Named::Itself);
        }
        let account = self.account();
        let each = whom.aws.iter().filter_map(|one| match self {
            _ if one == account => Some(Named::Account),
            Principal::User(arn) | Principal::Session { session: arn, .. } if one == arn => {
                Some(Named::Itself)
            }
            Principal::Session { role, .. } if one == role => Some(Named::Role),
            _ => {
                let root = Arn::parse(one)
                    .is_some_and(|arn| arn.resource == "root" && arn.account == account);
                root.then_some(Named::Account)
            }
        });
        let everyone = whom.everyone.then_some(match self {
            Principal::User(_) | Principal::Service(_) => Named::Itself,
            Principal::Session { .. } => Named::Role,
        });
        each.chain(everyone).max()
    }
}
