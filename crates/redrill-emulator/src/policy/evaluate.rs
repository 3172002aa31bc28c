//! The order of evaluation.

use redrill_inventory::{PolicyDocument, PolicyEffect};

use super::context::Context;
use super::principal::{Named, Principal};
use super::statement::{missing, names, says};
use super::words::{By, Denial};

/// Request to decide about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inquiry<'a> {
    /// `backup:StartRestoreJob`.
    pub(crate) action: &'a str,
    /// An ARN, or `*` where the action is about no single resource.
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// A policy and its name.
pub(crate) type NamedPolicy<'a> = (&'a str, &'a PolicyDocument);

/// The policies of a user or role.
#[derive(Clone, Debug)]
pub(crate) enum Identity<'a> {
    /// Unknown policies, which allow everything: an administrator's.
    Unlimited,
    Policies(Vec<NamedPolicy<'a>>),
}

/// Resource's side of a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceSide<'a> {
    /// Account that owns it.
    pub(crate) account: &'a str,
    pub(crate) policy: Option<&'a PolicyDocument>,
    /// True for a role that is to be assumed or a KMS key: «they must explicitly allow access for principals».
    pub(crate) must_allow: bool,
    /// Name of its policy.
    pub(crate) by: By,
    /// True if it is shared through AWS RAM, which attaches a policy of its own.
    pub(crate) shared: bool,
}

impl<'a> ResourceSide<'a> {
    /// A resource without a policy.
    pub(crate) fn plain(account: &'a str) -> ResourceSide<'a> {
        ResourceSide {
            account,
            policy: None,
            must_allow: false,
            by: By::Resource,
            shared: false,
        }
    }
}

/// Everything that applies to a request.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) identity: Identity<'a>,
    pub(crate) boundary: Option<&'a PolicyDocument>,
    /// Policy that AssumeRole was given.
    pub(crate) session: Option<&'a PolicyDocument>,
    /// By level, from the root of the organization.
    pub(crate) scps: Vec<Vec<NamedPolicy<'a>>>,
    pub(crate) resource: ResourceSide<'a>,
}

impl Identity<'_> {
    fn says(&self, effect: PolicyEffect, asked: &Inquiry<'_>) -> bool {
        match self {
            Identity::Unlimited => effect == PolicyEffect::Allow,
            Identity::Policies(all) => all.iter().any(|(_, policy)| says(policy, effect, asked)),
        }
    }
}

/// Decides whether the request is allowed.
pub(crate) fn decide(rules: &Rules<'_>, asked: &Inquiry<'_>) -> Result<(), Denial> {
    let denies = |policy: Option<&PolicyDocument>| {
        policy.is_some_and(|policy| says(policy, PolicyEffect::Deny, asked))
    };
    let allows = |policy: Option<&PolicyDocument>| {
        policy.is_none_or(|policy| says(policy, PolicyEffect::Allow, asked))
    };
    let Rules {
        principal,
        identity,
        boundary,
        session,
        scps,
        resource,
    } = rules;
    let of_resource = |effect| names(resource.policy?, effect, asked, principal);

    // Explicit denies, wherever they stand.
    let mut attached = scps.iter().flatten();
    if attached.any(|(_, policy)| denies(Some(policy))) {
        return Err(Denial::explicit(By::Organization));
    }
    if of_resource(PolicyEffect::Deny).is_some() {
        return Err(Denial::explicit(resource.by));
    }
    if identity.says(PolicyEffect::Deny, asked) {
        return Err(Denial::explicit(By::Identity));
    }
    if denies(*boundary) {
        return Err(Denial::explicit(By::Boundary));
    }
    if denies(*session) {
        return Err(Denial::explicit(By::Session));
    }

    // Every level of the organization has to allow it.
    let level_allows =
        |level: &Vec<NamedPolicy<'_>>| level.iter().any(|(_, policy)| allows(Some(policy)));
    if !scps.iter().all(level_allows) {
        return Err(Denial::implicit(By::Organization));
    }

    // The resource's policy is enough within its account, as far as it names the principal.
    let granted = of_resource(PolicyEffect::Allow);
    let same_account = principal.account() == resource.account;
    if matches!(principal, Principal::Service(_)) {
        return granted.map(|_| ()).ok_or(Denial::implicit(resource.by));
    }
    if same_account && granted == Some(Named::Itself) {
        return Ok(());
    }
    if same_account && resource.must_allow && granted.is_none() {
        return Err(Denial::implicit(resource.by));
    }
    let by_role = same_account && granted == Some(Named::Role);
    if !by_role && !identity.says(PolicyEffect::Allow, asked) {
        return Err(Denial::implicit(By::Identity));
    }
    if !allows(*boundary) {
        return Err(Denial::implicit(By::Boundary));
    }
    if !allows(*session) {
        return Err(Denial::implicit(By::Session));
    }
    // Another account's resource: its side has to allow it too.
    if !same_account && granted.is_none() && !resource.shared {
        return Err(Denial::implicit(resource.by));
    }
    Ok(())
}

/// Answer of the policy simulator for one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Simulated {
    pub(crate) denial: Option<Denial>,
    /// None without service control policies.
    pub(crate) allowed_by_organizations: Option<bool>,
    /// None without a boundary.
    pub(crate) allowed_by_boundary: Option<bool>,
    /// The names of the policies that decide.
    pub(crate) matched: Vec<String>,
    pub(crate) missing: Vec<String>,
}

/// Judges with each kind of policy on its own, and with all together.
pub(crate) fn simulate(rules: &Rules<'_>, asked: &Inquiry<'_>) -> Simulated {
    let denial = decide(rules, asked).err();
    let effect = match &denial {
        Some(Denial { explicit: true, .. }) => PolicyEffect::Deny,
        _ => PolicyEffect::Allow,
    };
    let own: &[NamedPolicy<'_>] = match &rules.identity {
        Identity::Unlimited => &[],
        Identity::Policies(all) => all,
    };
    let matched = match &denial {
        // Nothing that was allowed decides an implicit denial.
        Some(Denial {
            explicit: false, ..
        }) => Vec::new(),
        _ => own
            .iter()
            .filter(|(_, policy)| says(policy, effect, asked))
            .map(|(name, _)| (*name).to_owned())
            .collect(),
    };
    let denies = |policy: &PolicyDocument| says(policy, PolicyEffect::Deny, asked);
    let allows = |policy: &PolicyDocument| says(policy, PolicyEffect::Allow, asked);
    let by_organizations = || {
        let all = &rules.scps;
        let any_denies = all.iter().flatten().any(|(_, policy)| denies(policy));
        let level = |level: &Vec<NamedPolicy<'_>>| level.iter().any(|(_, policy)| allows(policy));
        !any_denies && all.iter().all(level)
    };
    let mut lacking: Vec<String> = own
        .iter()
        .map(|(_, policy)| *policy)
        .chain(rules.boundary)
        .flat_map(|policy| missing(policy, asked))
        .collect();
    lacking.sort();
    lacking.dedup();
    Simulated {
        denial,
        allowed_by_organizations: (!rules.scps.is_empty()).then(by_organizations),
        allowed_by_boundary: rules
            .boundary
            .map(|boundary| allows(boundary) && !denies(boundary)),
        matched,
        missing: lacking,
    }
}
