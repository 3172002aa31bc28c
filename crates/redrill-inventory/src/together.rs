//! Checks of the documents of one account taken together.

use std::collections::BTreeSet;

use super::{AccountInventory, Arn, InventoryError, PolicyDocument, Vault};

/// Two things that cannot both be, or one that is not there.
pub(super) struct Clash {
    /// A line that begins so, after blanks and `- `, and which of those.
    line: (String, usize),
    pub(super) message: String,
}

impl Clash {
    /// Its place in the text: found after parsing, when places are gone.
    pub(super) fn place(self, text: &str) -> InventoryError {
        let (start, which) = self.line;
        let mut lines = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim_start_matches(['-', ' ', '"', '\'', '{']);
            line.starts_with(&start)
        });
        let found = lines.nth(which);
        let column = |line: &str| line.len() - line.trim_start_matches(['-', ' ', '{']).len() + 1;
        InventoryError {
            line: found.map_or(1, |(index, _)| index + 1),
            column: found.map_or(1, |(_, line)| column(line)),
            message: self.message,
        }
    }
}

pub(super) fn check(accounts: &[AccountInventory]) -> Result<(), Clash> {
    let mut seen = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for entry in accounts {
        let mut once = |kind: &str, name: &str| {
            let key = (entry.account.clone(), format!("{kind} {name}"));
            match seen.insert(key) {
                true => Ok(()),
                false => Err(Clash {
                    line: (name.to_owned(), 1),
                    message: format!(
                        "account {} has {kind} {name} in two documents; IAM is of the account as a whole, so write it in one",
                        entry.account
                    ),
                }),
            }
        };
        for (name, user) in &entry.users {
            once("user", name)?;
            for key in &user.access_keys {
                if !keys.insert(key) {
                    return Err(Clash {
                        line: ("access_keys".to_owned(), 0),
                        message: format!("access key {key} is of two users"),
                    });
                }
            }
        }
        for name in entry.roles.iter().flatten().map(|(name, _)| name) {
            once("role", name)?;
        }
        if entry.caller.is_some() {
            once("the key", "caller")?;
        }
        if !entry.scps.is_empty() {
            once("the key", "scps")?;
        }
        if let Some(caller) = &entry.caller {
            is_known(caller, &entry.account, accounts)?;
        }
        for (name, vault) in &entry.vaults {
            no_wildcard_actions(name, vault)?;
        }
    }
    Ok(())
}

/// The caller has to be one of the account's principals.
fn is_known(caller: &str, account: &str, accounts: &[AccountInventory]) -> Result<(), Clash> {
    let wrong = |why: String| Clash {
        line: ("caller:".to_owned(), 0),
        message: format!("caller {caller:?}: {why}"),
    };
    let form = || {
        wrong(format!(
            "write the ARN of a user or a role of this account, as in arn:aws:iam::{account}:user/operator"
        ))
    };
    let arn = Arn::parse(caller).filter(|arn| arn.service == "iam" && arn.account == account);
    let (kind, path) = arn
        .and_then(|arn| arn.resource.split_once('/'))
        .ok_or_else(form)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut own = accounts.iter().filter(|entry| entry.account == account);
    let known = match kind {
        "user" => own.any(|entry| entry.users.contains_key(name)),
        "role" => own.any(|entry| {
            let roles = entry.roles.as_ref();
            roles.is_some_and(|roles| roles.contains_key(name))
        }),
        _ => return Err(form()),
    };
    match known {
        true => Ok(()),
        false => Err(wrong(format!(
            "account {account} has no {kind} {name}; write it under `{kind}s:`"
        ))),
    }
}

/// «Unlike other IAM-based policies, AWS Backup access policies don't support a wildcard in the Action key.»
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault-access-policy.html>
fn no_wildcard_actions(name: &str, vault: &Vault) -> Result<(), Clash> {
    let statements = |policy: &PolicyDocument| policy.statements.clone();
    let statements = vault
        .access_policy
        .as_ref()
        .map(statements)
        .unwrap_or_default();
    let mut patterns = statements.iter().flat_map(|one| &one.action.patterns);
    match patterns.find(|pattern| pattern.contains(['*', '?'])) {
        None => Ok(()),
        Some(pattern) => Err(Clash {
            line: ("access_policy:".to_owned(), 0),
            message: format!(
                "vault {name}: AWS Backup takes no wildcard in the Action of a vault access policy, and {pattern:?} has one; write each action"
            ),
        }),
    }
}
