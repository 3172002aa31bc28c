//! Profiles of AWS's own configuration, as the AWS CLI takes them.

use aws_config::Region;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::backup::{ApiError, Fault};

/// What AWS's tools call a profile that is not there.
pub const NO_PROFILE: &str = "ProfileNotFound";
/// What a profile is called that nobody has chosen: it need not be there.
const DEFAULT: &str = "default";

/// Whether a profile that was chosen is there, by `--profile` or else by `AWS_PROFILE`.
pub(super) async fn check(chosen: Option<&str>) -> Result<(), ApiError> {
    let files = EnvConfigFiles::default();
    let chosen_here = chosen.map(|name| name.to_owned().into());
    let broken = |message: String| ApiError {
        operation: "AWS configuration",
        fault: Fault::Denied,
        code: Some(NO_PROFILE.to_owned()),
        message,
    };
    let profiles =
        match aws_config::profile::load(&Fs::real(), &Env::real(), &files, chosen_here).await {
            Ok(profiles) => profiles,
            Err(err) if chosen.is_some() => return Err(broken(err.to_string())),
            // Whoever has keys in the environment does without the files.
            Err(_) => return Ok(()),
        };
    let name = profiles.selected_profile();
    if profiles.get_profile(name).is_some() || (chosen.is_none() && name == DEFAULT) {
        return Ok(());
    }
    Err(broken(format!(
        "the config profile ({name}) could not be found"
    )))
}

/// Credentials of a profile that was chosen on the command line: keys in the environment do not come before it, as they do
/// before one that `AWS_PROFILE` names. A profile without any goes on with those of the container and of the instance. Both as
/// in `create_credential_resolver` of <https://github.com/boto/botocore/blob/develop/botocore/credentials.py>.
pub(super) async fn credentials(name: &str, region: Option<Region>) -> CredentialsProviderChain {
    let region = match region {
        Some(region) => Some(region),
        None => {
            let chain = DefaultRegionChain::builder().profile_name(name).build();
            chain.region().await
        }
    };
    let config = ProviderConfig::without_region().with_region(region);
    let profile = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(name)
        .build();
    let container = EcsCredentialsProvider::builder().configure(&config).build();
    let instance = ImdsCredentialsProvider::builder()
        .configure(&config)
        .build();
    CredentialsProviderChain::first_try("Profile", profile)
        .or_else("EcsContainer", container)
        .or_else("Ec2InstanceMetadata", instance)
}
