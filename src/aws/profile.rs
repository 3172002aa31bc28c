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

use crate::backup::{ApiError, Fault, Operation};

/// Error code of AWS's tools for a profile that is not there.
pub const NO_PROFILE: &str = "ProfileNotFound";
/// Name of the profile that nobody has chosen: it need not be there.
const DEFAULT: &str = "default";

/// Checks that a profile that was chosen, by `--profile` or else by `AWS_PROFILE`, is there.
pub(super) async fn check(chosen: Option<&str>) -> Result<(), ApiError> {
    let files = EnvConfigFiles::default();
    let chosen_here = chosen.map(|name| name.to_owned().into());
    let broken = |message: String| ApiError {
        operation: Operation::Configuration,
        fault: Fault::Denied,
        code: Some(NO_PROFILE.to_owned()),
        request_id: None,
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
    if profiles.get_profile(name).is_none() {
        return match chosen.is_none() && name == DEFAULT {
            true => Ok(()),
            false => Err(broken(format!(
                "the config profile ({name}) could not be found"
            ))),
        };
    }
    // Keys in the environment come before a profile that was not chosen on the command line.
    if chosen.is_none() && Env::real().get("AWS_ACCESS_KEY_ID").is_ok() {
        return Ok(());
    }
    match missing_source(
        name,
        |profile, key| profiles.get_profile(profile)?.get(key),
        |profile| profiles.get_profile(profile).is_some(),
    ) {
        Some((profile, source)) if profiles.get_profile(source).is_none() => Err(broken(format!(
            "the source_profile \"{source}\" referenced in the profile \"{profile}\" does not exist"
        ))),
        Some((profile, source)) => Err(broken(format!(
            "infinite loop in the credential configuration: the profile \"{profile}\" has the source_profile \"{source}\", which has \
             been visited"
        ))),
        None => Ok(()),
    }
}

/// The first profile, in the chain of those that lend their credentials to a role, that names one that is not there, or that
/// has been visited: only a profile with keys of its own may name itself, as in the AWS CLI.
fn missing_source<'p>(
    name: &'p str,
    value: impl Fn(&str, &str) -> Option<&'p str>,
    is_there: impl Fn(&str) -> bool,
) -> Option<(&'p str, &'p str)> {
    let mut profile = name;
    let mut seen = Vec::new();
    loop {
        seen.push(profile);
        value(profile, "role_arn")?;
        let source = value(profile, "source_profile")?;
        if source == profile && value(profile, "aws_access_key_id").is_some() {
            return None;
        }
        if !is_there(source) || seen.contains(&source) {
            return Some((profile, source));
        }
        profile = source;
    }
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

#[cfg(test)]
mod tests {
    use super::missing_source;

    #[test]
    fn a_chain_of_profiles_is_followed_to_its_end() {
        let files = [
            ("a", "role_arn", "r"),
            ("a", "source_profile", "b"),
            ("b", "role_arn", "r"),
            ("b", "source_profile", "gone"),
            ("c", "role_arn", "r"),
            ("c", "source_profile", "c"),
            ("c", "aws_access_key_id", "k"),
            ("f", "role_arn", "r"),
            ("f", "source_profile", "f"),
            ("g", "role_arn", "r"),
            ("g", "source_profile", "a2"),
            ("a2", "role_arn", "r"),
            ("a2", "source_profile", "g"),
            ("d", "source_profile", "gone"),
            ("e", "role_arn", "r"),
            ("e", "credential_source", "Environment"),
        ];
        let value = |profile: &str, key: &str| {
            let mut files = files.iter();
            let found = files.find(|(of, name, _)| *of == profile && *name == key);
            found.map(|(.., value)| *value)
        };
        let is_there = |profile: &str| files.iter().any(|(of, ..)| *of == profile);
        let missing = |name| missing_source(name, value, is_there);
        assert_eq!(missing("a"), Some(("b", "gone")));
        assert_eq!(missing("b"), Some(("b", "gone")));
        assert_eq!(missing("f"), Some(("f", "f")));
        assert_eq!(missing("g"), Some(("a2", "g")));
        // Its own keys, no role, another source.
        assert_eq!(
            (missing("c"), missing("d"), missing("e")),
            (None, None, None)
        );
    }
}
