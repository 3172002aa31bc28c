//! Declarations of the inventory besides backups: principals, policies of vaults, resources, quotas.

use redrill_inventory::{DeclaredQuota, DeclaredResource, PolicyDocument};

use super::caller::Caller;
use super::catalog::Catalog;
use super::directory::Directory;

impl Catalog {
    /// Returns the directory of principals.
    pub(super) fn directory(&self) -> &Directory {
        match self {
            Catalog::Free(_, _, _, directory) | Catalog::Listed(_, directory) => directory,
        }
    }

    /// The access policy of a vault, by its owner.
    pub(super) fn vault_policy(&self, owner: &Caller, vault: &str) -> Option<&PolicyDocument> {
        let mut sites = self.sites(owner);
        sites.find_map(|(_, site)| site.vaults.get(vault)?.access_policy.as_ref())
    }

    /// Returns true if the inventory says what exists in a place that the caller sees.
    pub(super) fn has_resources(&self, caller: &Caller) -> bool {
        self.sites(caller).any(|(_, site)| site.resources.is_some())
    }

    /// Returns true if it says anything by which a restore may fail: what exists, the roles, a quota.
    pub(super) fn is_known(&self, caller: &Caller) -> bool {
        let roles = self.directory().knows_roles(&caller.account);
        roles
            || self
                .sites(caller)
                .any(|(_, site)| site.resources.is_some() || !site.quotas.is_empty())
    }

    /// Lists what it says exists, with account and Region.
    pub(super) fn declared(
        &self,
        caller: &Caller,
    ) -> impl Iterator<Item = ((&str, &str), &DeclaredResource)> {
        self.sites(caller).flat_map(|((account, region), site)| {
            let all = site.resources.iter().flatten();
            all.map(move |one| ((account.as_str(), region.as_str()), one))
        })
    }

    /// The quotas that it tells of.
    pub(super) fn quotas(&self, caller: &Caller) -> impl Iterator<Item = &DeclaredQuota> {
        self.sites(caller).flat_map(|(_, site)| &site.quotas)
    }
}
