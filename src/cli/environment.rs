//! The only reader of the environment. AWS's own variables are read by the SDK.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "REDRILL_VAR_";
const FLAG: &str = "REDRILL_";
const ENDPOINTS: [&str; 4] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_BACKUP",
    "AWS_ENDPOINT_URL_CLOUDCONTROL",
    "AWS_ENDPOINT_URL_STS",
];

/// Facts from the environment, read once.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// `REDRILL_VAR_<NAME>`, by `<NAME>`.
    pub(super) vars: BTreeMap<String, String>,
    /// `REDRILL_<FLAG>`, by `<FLAG>`; one that is empty is not set.
    pub(super) flags: BTreeMap<String, String>,
    /// The working directory; empty where it is gone.
    pub(super) directory: PathBuf,
    /// True if it names any AWS credentials.
    pub(super) names_credentials: bool,
    /// Facts about the terminal.
    pub(super) terminal: Terminal,
    /// Endpoints that it names, by the variable.
    pub(super) endpoints: Vec<(&'static str, String)>,
    /// True if it names an endpoint of S3, which is then not AWS's own.
    pub(super) names_s3_endpoint: bool,
    /// The profile in AWS's own configuration that it names.
    pub(super) profile: Option<String>,
    /// True if AWS_PROFILE is there, without a value.
    pub(super) has_empty_profile: bool,
    /// The variable of the Region, where it is there without a value.
    pub(super) empty_region: Option<&'static str>,
    /// redrill's own credentials, as far as they are in its environment: a check finds them there.
    pub(super) credentials: Vec<String>,
    /// Name of the user.
    pub(super) user: String,
    /// The variable that sends calls through a proxy.
    pub(super) proxy: Option<&'static str>,
    /// Search path for programs.
    pub(super) path: Option<std::ffi::OsString>,
    /// The user's home, to shorten paths.
    pub(super) program: String,
}

/// Facts about the terminal from the environment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terminal {
    /// Only lines can be shown: the terminal can do no more, or it belongs to CI, whose log keeps every row that is drawn.
    pub(super) is_lines: bool,
    /// Colours are wanted wherever output goes.
    pub(super) is_colour_forced: bool,
}

impl Environment {
    /// Returns true if one of these words was typed; of the few options that are read before the others.
    pub(super) fn is_typed(words: &[&str]) -> bool {
        std::env::args().any(|word| words.contains(&word.as_str()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door to the environment"
    )]
    pub(super) fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_empty = |name: &str| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name
                    .into_string()
                    .ok()?
                    .strip_prefix(VARIABLE)?
                    .to_uppercase();
                Some((name, value.into_string().ok()?))
            })
            .collect();
        let flags = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let flag = name.strip_prefix(FLAG)?;
                let value = value.into_string().ok().filter(|value| !value.is_empty())?;
                (!name.starts_with(VARIABLE)).then(|| (flag.to_owned(), value))
            })
            .collect();
        let names_credentials = [
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ]
        .into_iter()
        .any(set);
        let credentials = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_SECURITY_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        ]
        .into_iter()
        .filter_map(text)
        // AWS's have forty characters and more; what people make up for an emulator stands everywhere.
        .filter(|value| value.len() >= 16)
        .collect();
        let program = std::env::args_os()
            .next()
            .and_then(|path| Path::new(&path).file_name()?.to_str().map(str::to_owned))
            .unwrap_or_else(|| "redrill".to_owned());
        Self {
            vars,
            flags,
            directory: std::env::current_dir().unwrap_or_default(),
            names_credentials,
            proxy: [
                "HTTPS_PROXY",
                "https_proxy",
                "HTTP_PROXY",
                "http_proxy",
                "ALL_PROXY",
                "all_proxy",
            ]
            .into_iter()
            .find(|name| set(name)),
            path: std::env::var_os("PATH"),
            terminal: Terminal {
                is_lines: text("TERM").is_some_and(|term| term == "dumb")
                    || text("CI").is_some_and(|ci| !["false", "0"].contains(&&*ci)),
                is_colour_forced: text("FORCE_COLOR").is_some_and(|force| force != "0")
                    && !set("NO_COLOR"),
            },
            endpoints: ENDPOINTS
                .iter()
                .filter_map(|name| Some((*name, std::env::var(name).ok()?)))
                .collect(),
            names_s3_endpoint: ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
                .into_iter()
                .any(set),
            profile: text("AWS_PROFILE"),
            has_empty_profile: is_empty("AWS_PROFILE"),
            empty_region: ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .into_iter()
                .find(|name| std::env::var_os(name).is_some())
                .filter(|name| is_empty(name)),
            credentials,
            user: text("USER")
                .or_else(|| text("LOGNAME"))
                .or_else(|| text("USERNAME"))
                .or_else(user_id)
                .unwrap_or_else(|| "unknown-user".to_owned()),
            program,
        }
    }

    /// Returns true if AWS_ENDPOINT_URL is there, without a value.
    pub(super) fn has_empty_endpoint(&self) -> bool {
        let mut all = self.endpoints.iter();
        all.any(|(name, url)| *name == "AWS_ENDPOINT_URL" && url.is_empty())
    }

    /// The command line as it was typed.
    pub(super) fn typed(&self) -> Vec<String> {
        std::env::args().skip(1).collect()
    }
}

/// The account of this process where nothing names it, as in a container.
#[cfg(target_os = "linux")]
fn user_id() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let process = std::fs::metadata("/proc/self").ok()?;
    Some(format!("uid-{}", process.uid()))
}

#[cfg(not(target_os = "linux"))]
fn user_id() -> Option<String> {
    None
}
