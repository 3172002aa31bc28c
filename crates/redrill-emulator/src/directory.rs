//! Principals: the users and roles of each account, with their policies, and the service control policies above them.

use std::collections::BTreeMap;

use redrill_inventory::{AccountInventory, Arn, IamRole, IamUser, PolicyDocument};

use super::caller::{Caller, Who};
use super::policy::{By, Context, Identity, Principal, ResourceSide, Rules};

/// The administrator who calls where the inventory names nobody.
const DEFAULT_USER: &str = "emulated";

/// All accounts of the inventory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    accounts: BTreeMap<String, Members>,
    /// Access key to account and user.
    keys: BTreeMap<String, (String, String)>,
    /// True if any vault has a policy.
    vault_policies: bool,
}

#[derive(Debug, Default)]
struct Members {
    users: BTreeMap<String, IamUser>,
    /// None where they are not known.
    roles: Option<BTreeMap<String, IamRole>>,
    caller: Option<String>,
    scps: Vec<BTreeMap<String, PolicyDocument>>,
}

/// A role, or one that is taken to exist because nothing is known of the account's.
pub(super) struct FoundRole<'d> {
    pub(super) arn: String,
    pub(super) path: &'d str,
    pub(super) declared: Option<&'d IamRole>,
}

/// Returns the trust policy of a role of which nothing is known.
fn trusting() -> &'static PolicyDocument {
    static EVERYONE: std::sync::LazyLock<PolicyDocument> = std::sync::LazyLock::new(|| {
        let text = "{Statement: [{Effect: Allow, Principal: {Service: backup.amazonaws.com}, Action: sts:AssumeRole, Resource: '*'}]}";
        PolicyDocument::of_resource(text).unwrap_or_default()
    });
    &EVERYONE
}

impl Directory {
    pub(super) fn new(accounts: &[AccountInventory]) -> Directory {
        let mut directory = Directory::default();
        for entry in accounts {
            let own = directory.accounts.entry(entry.account.clone()).or_default();
            for (name, user) in &entry.users {
                for key in &user.access_keys {
                    let owner = (entry.account.clone(), name.clone());
                    directory.keys.insert(key.clone(), owner);
                }
                own.users.insert(name.clone(), user.clone());
            }
            if let Some(roles) = &entry.roles {
                let all = own.roles.get_or_insert_default();
                all.extend(roles.iter().map(|(k, role)| (k.clone(), role.clone())));
            }
            if entry.caller.is_some() {
                own.caller.clone_from(&entry.caller);
            }
            if !entry.scps.is_empty() {
                own.scps.clone_from(&entry.scps);
            }
            let mut vaults = entry.vaults.values();
            directory.vault_policies |= vaults.any(|vault| vault.access_policy.is_some());
        }
        directory
    }

    /// Returns true if no policy can limit the caller: most inventories have none, and every request asks.
    pub(super) fn is_silent(&self, caller: &Caller) -> bool {
        let members = self.accounts.get(&caller.account);
        !self.vault_policies
            && caller.who.is_default()
            && members.is_none_or(|own| own.caller.is_none() && own.scps.is_empty())
    }

    /// Returns true if the roles of an account are known.
    pub(super) fn knows_roles(&self, account: &str) -> bool {
        let own = self.accounts.get(account);
        own.is_some_and(|own| own.roles.is_some())
    }

    /// The roles that are known, by name.
    pub(super) fn roles(&self, account: &str) -> impl Iterator<Item = (&String, &IamRole)> {
        let own = self.accounts.get(account);
        own.and_then(|own| own.roles.as_ref()).into_iter().flatten()
    }

    /// Finds the account and user of an access key.
    pub(super) fn user_of(&self, key: &str) -> Option<(&str, &str)> {
        let (account, user) = self.keys.get(key)?;
        Some((account, user))
    }

    /// Returns the principal that makes the requests of a caller.
    pub(super) fn principal(&self, caller: &Caller) -> Principal {
        let account = &caller.account;
        match &caller.who {
            Who::Session { arn, .. } => self.session(account, arn),
            Who::User(name) => Principal::User(self.user_arn(account, name)),
            Who::Default => {
                let own = self.accounts.get(account);
                let default = own.and_then(|own| own.caller.as_deref());
                let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
                match default {
                    None => Principal::User(format!("arn:aws:iam::{account}:user/{DEFAULT_USER}")),
                    Some(arn) if arn.contains(":role/") => {
                        let session =
                            format!("arn:aws:sts::{account}:assumed-role/{}/emulated", name(arn));
                        self.session(account, &session)
                    }
                    Some(arn) => Principal::User(self.user_arn(account, &name(arn))),
                }
            }
        }
    }

    fn session(&self, account: &str, arn: &str) -> Principal {
        let name = Arn::parse(arn).and_then(|arn| arn.resource.split('/').nth(1));
        let name = name.unwrap_or_default();
        let role = match self.role(account, name) {
            Some(found) => found.arn,
            None => format!("arn:aws:iam::{account}:role/{name}"),
        };
        Principal::Session {
            role,
            session: arn.to_owned(),
        }
    }

    fn user_arn(&self, account: &str, name: &str) -> String {
        let own = self.accounts.get(account);
        let path = own.and_then(|own| own.users.get(name));
        let path = path.map_or("/", |user| &user.path);
        format!("arn:aws:iam::{account}:user{path}{name}")
    }

    /// A role by its name; none where the account's roles are known and it is not among them.
    pub(super) fn role(&self, account: &str, name: &str) -> Option<FoundRole<'_>> {
        let roles = self
            .accounts
            .get(account)
            .and_then(|own| own.roles.as_ref());
        let declared = match roles {
            None => None,
            Some(roles) => Some(roles.get(name)?),
        };
        let path = declared.map_or("/", |role| &role.path);
        Some(FoundRole {
            arn: format!("arn:aws:iam::{account}:role{path}{name}"),
            path,
            declared,
        })
    }

    /// A role by its ARN.
    pub(super) fn role_of(&self, arn: &str) -> Option<FoundRole<'_>> {
        let parsed = Arn::parse(arn)?;
        let path = parsed.resource.strip_prefix("role/")?;
        let name = path.rsplit('/').next()?;
        let found = self.role(parsed.account, name)?;
        (found.declared.is_none() || found.arn == arn).then_some(found)
    }

    /// Returns true if the users of an account, or its roles, are known and this one is among them.
    pub(super) fn has(&self, principal: &Principal) -> bool {
        let arn = principal.entity();
        match principal {
            Principal::Session { .. } => self.role_of(arn).is_some(),
            Principal::User(_) => {
                let Some(parsed) = Arn::parse(arn) else {
                    return false;
                };
                let own = self.accounts.get(parsed.account);
                let name = arn.rsplit('/').next().unwrap_or_default();
                own.is_none_or(|own| {
                    // Whoever calls is somebody, if the inventory names nobody for it.
                    let is_default = own.caller.is_none() && name == DEFAULT_USER;
                    is_default || own.users.is_empty() || own.users.contains_key(name)
                })
            }
            Principal::Service(_) => false,
        }
    }

    /// Returns the rules for a request of a principal for a resource.
    pub(super) fn rules<'r>(
        &'r self,
        principal: &'r Principal,
        session: Option<&'r PolicyDocument>,
        resource: ResourceSide<'r>,
    ) -> Rules<'r> {
        let arn = principal.entity();
        let parsed = Arn::parse(arn);
        let own = parsed.and_then(|arn| self.accounts.get(arn.account));
        let name = arn.rsplit('/').next().unwrap_or_default();
        let (policies, boundary) = match (own, principal) {
            (Some(own), Principal::User(_)) => match own.users.get(name) {
                Some(user) => (user.policies.as_ref(), user.permissions_boundary.as_ref()),
                None => (None, None),
            },
            (Some(own), Principal::Session { .. }) => {
                match own.roles.as_ref().and_then(|roles| roles.get(name)) {
                    Some(role) => (role.policies.as_ref(), role.permissions_boundary.as_ref()),
                    None => (None, None),
                }
            }
            _ => (None, None),
        };
        let named = |policies: &'r BTreeMap<String, PolicyDocument>| {
            let all = policies.iter();
            all.map(|(name, policy)| (name.as_str(), policy)).collect()
        };
        Rules {
            principal,
            identity: policies.map_or(Identity::Unlimited, |all| Identity::Policies(named(all))),
            boundary,
            session,
            scps: own.map_or_else(Vec::new, |own| own.scps.iter().map(named).collect()),
            resource,
        }
    }

    /// The side of a role that is to be assumed, by the account that it is in.
    pub(super) fn trust<'r>(
        &self,
        role: &'r FoundRole<'r>,
        account: &'r str,
        is_service: bool,
    ) -> ResourceSide<'r> {
        let policy = role.declared.and_then(|role| role.trust_policy.as_ref());
        let policy = match policy {
            None if is_service => Some(trusting()),
            policy => policy,
        };
        ResourceSide {
            account,
            must_allow: policy.is_some(),
            // Of a role whose trust is not known everyone may be one.
            shared: policy.is_none(),
            policy,
            by: By::Trust,
        }
    }

    /// Returns the keys of every request,
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
    pub(super) fn context(
        &self,
        principal: &Principal,
        region: &str,
        now: jiff::Timestamp,
    ) -> Context {
        let arn = principal.entity();
        let name = arn.rsplit('/').next().unwrap_or_default();
        let account = Arn::parse(arn).map_or("", |arn| arn.account);
        let context = Context::default()
            .with("aws:PrincipalArn", arn)
            .with("aws:PrincipalAccount", account)
            .with("aws:RequestedRegion", region)
            .with("aws:SecureTransport", "true")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:ViaAWSService", "false")
            .with("aws:CurrentTime", now.to_string())
            .with("aws:EpochTime", now.as_second().to_string());
        match principal {
            Principal::User(_) => context
                .with("aws:PrincipalType", "User")
                .with("aws:username", name),
            Principal::Session { .. } => context.with("aws:PrincipalType", "AssumedRole"),
            Principal::Service(_) => context,
        }
    }
}
