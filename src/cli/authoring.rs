//! The command line of what begins with an account: `inventory` and `init`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::ReadOptions;
use crate::ids::AccountId;
use crate::render::VaultName;

#[derive(Args, Debug)]
pub(super) struct Inventory {
    /// Record only this vault; repeatable
    #[arg(long = "vault", value_name = "NAME")]
    pub(super) vaults: Vec<String>,
    /// Also record a vault that another account shares with this one; repeatable
    #[arg(long = "shared-vault", value_name = "ACCOUNT/NAME", value_parser = shared_vault)]
    pub(super) shared_vaults: Vec<VaultName>,
    /// Record only recovery points of this type, such as `EFS`; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) types: Vec<String>,
    /// Record only recovery points of this resource, or this one recovery point; repeatable
    #[arg(long = "resource", value_name = "ARN")]
    pub(super) resources: Vec<String>,
    /// Also record values that look like secrets
    #[arg(long)]
    pub(super) include_secrets: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the file, even if that loses recorded recovery points. A plan is never replaced
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Region; repeatable (one document each). Default: from your AWS configuration
    #[arg(long = "region", value_name = "REGION", help_heading = "AWS")]
    pub(super) regions: Vec<String>,
    #[command(flatten)]
    pub(super) aws: ReadOptions,
}

#[derive(Args, Debug)]
pub(super) struct InitArguments {
    /// Write an example instead, a plan and its check, to try redrill with: `redrill rehearse` runs it as it is
    #[arg(long, conflicts_with_all = ["inventory", "name", "vaults", "shared_vaults", "types", "resources", "regions", "profile", "endpoint_url", "no_rate_limit"])]
    pub(super) example: bool,
    /// Take recovery points from this file instead of from AWS; repeatable
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "endpoint_url", "no_rate_limit"])]
    pub(super) inventory: Vec<PathBuf>,
    /// Name the plan. Default: the name of the file it is written to, or of the inventory
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Take only those of this vault; repeatable
    #[arg(long = "vault", value_name = "NAME")]
    pub(super) vaults: Vec<String>,
    /// Also take those of a vault that another account shares with this one; repeatable
    #[arg(long = "shared-vault", value_name = "ACCOUNT/NAME", value_parser = shared_vault)]
    pub(super) shared_vaults: Vec<VaultName>,
    /// Take only recovery points of this type, such as `EFS`; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) types: Vec<String>,
    /// Take only the latest of this resource, or only this recovery point; repeatable
    #[arg(long = "resource", value_name = "ARN")]
    pub(super) resources: Vec<String>,
    /// Write to this file, which must not exist, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Region; repeatable (one target each). Default: those of the files, or from your AWS configuration
    #[arg(long = "region", value_name = "REGION", help_heading = "AWS")]
    pub(super) regions: Vec<String>,
    #[command(flatten)]
    pub(super) aws: ReadOptions,
}

fn shared_vault(text: &str) -> Result<VaultName, String> {
    let is_account =
        |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('/') {
        Some((account, name)) if is_account(account) && !name.is_empty() => Ok(VaultName {
            name: name.to_owned(),
            account: Some(AccountId::new(account)),
        }),
        _ => Err(
            "write the account that owns the vault and its name, such as 123456789012/shared-vault"
                .to_owned(),
        ),
    }
}
