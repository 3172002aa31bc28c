//! Refusals in IAM's words, <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

/// The kind of policy that denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Identity,
    Boundary,
    Session,
    Organization,
    Resource,
    Trust,
}

/// Reason why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) by: By,
    /// A statement denies it; otherwise none allows it.
    pub(crate) explicit: bool,
}

impl Denial {
    pub(super) fn explicit(by: By) -> Denial {
        Denial { by, explicit: true }
    }

    pub(super) fn implicit(by: By) -> Denial {
        let explicit = false;
        Denial { by, explicit }
    }

    /// `because no identity-based policy allows the … action`, `with an explicit deny in …`.
    pub(crate) fn because(&self, action: &str) -> String {
        let (kind, article) = match self.by {
            By::Identity => ("identity-based policy", "an"),
            By::Boundary => ("permissions boundary", "a"),
            By::Session => ("session policy", "a"),
            // «When an SCP denies access, the error message can include the phrase due to an explicit deny, even if the
            // denial is implicit.»
            By::Organization => return "with an explicit deny in a service control policy".into(),
            By::Resource => ("resource-based policy", "a"),
            By::Trust => ("role trust policy", "the"),
        };
        match self.explicit {
            true => format!("with an explicit deny in {article} {kind}"),
            false => format!("because no {kind} allows the {action} action"),
        }
    }

    /// The whole sentence.
    pub(crate) fn words(&self, user: &str, action: &str, resource: &str) -> String {
        let because = self.because(action);
        format!(
            "User: {user} is not authorized to perform: {action} on resource: {resource} {because}"
        )
    }
}
