//! The command line of what begins with an account: `inventory` and `init`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::ReadOptions;
use crate::render::VaultName;

#[derive(Args, Debug)]
pub(super) struct Inventory {
    /// Record this vault alone; may be given again
    #[arg(long = "vault", value_name = "NAME")]
    pub(super) vaults: Vec<String>,
    /// Record a vault as well that another account shares with this one: `ACCOUNT/NAME`; may be given again
    #[arg(long = "shared-vault", value_name = "ACCOUNT/NAME", value_parser = shared_vault)]
    pub(super) shared_vaults: Vec<VaultName>,
    /// Record recovery points of this type alone, such as `EFS`; may be given again
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) types: Vec<String>,
    /// Record recovery points of this resource alone, or this one recovery point; may be given again
    #[arg(long = "resource", value_name = "ARN")]
    pub(super) resources: Vec<String>,
    /// Record values that look like secrets as well
    #[arg(long)]
    pub(super) include_secrets: bool,
    /// Write into this file, whole or not at all; to standard output otherwise
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the file whatever it is, unless it is a plan: also recovery points that were recorded, by none
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// The Region; given again, each is a document of the file. AWS's own configuration says it otherwise
    #[arg(long = "region", value_name = "REGION", help_heading = "AWS")]
    pub(super) regions: Vec<String>,
    #[command(flatten)]
    pub(super) aws: ReadOptions,
}

#[derive(Args, Debug)]
pub(super) struct Init {
    /// Take the recovery points of this file instead of asking AWS
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "endpoint_url", "no_rate_limit"])]
    pub(super) inventory: Option<PathBuf>,
    /// Take those of this vault alone; may be given again
    #[arg(long = "vault", value_name = "NAME")]
    pub(super) vaults: Vec<String>,
    /// Take those of a vault as well that another account shares with this one: `ACCOUNT/NAME`; may be given again
    #[arg(long = "shared-vault", value_name = "ACCOUNT/NAME", value_parser = shared_vault)]
    pub(super) shared_vaults: Vec<VaultName>,
    /// Take the latest of this resource, or this very recovery point; may be given again
    #[arg(long = "resource", value_name = "ARN")]
    pub(super) resources: Vec<String>,
    /// Write into this file, which must not exist; to standard output otherwise
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// The Region; that of the file, or of AWS's own configuration, otherwise
    #[arg(long, help_heading = "AWS")]
    pub(super) region: Option<String>,
    #[command(flatten)]
    pub(super) aws: ReadOptions,
}

fn shared_vault(text: &str) -> Result<VaultName, String> {
    let is_account =
        |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('/') {
        Some((account, name)) if is_account(account) && !name.is_empty() => Ok(VaultName {
            name: name.to_owned(),
            account: Some(account.to_owned()),
        }),
        _ => Err(
            "write the account that owns the vault and its name, such as 123456789012/shared-vault"
                .to_owned(),
        ),
    }
}
