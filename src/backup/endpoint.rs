//! Endpoint of a run: AWS, or somewhere that only looks like it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Endpoint that answers a run's calls. A run belongs to it: what one has made is not to be found at another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Endpoint {
    /// AWS, whichever of its own endpoints is called: public, FIPS, dual-stack or a VPC's.
    Aws,
    /// An emulator, or whatever else answers at an address.
    #[serde(rename = "endpoint")]
    Other {
        /// Scheme, host, port and path; nothing that could be a secret.
        url: String,
    },
    /// The emulator inside redrill, for a rehearsal.
    Rehearsal,
}

impl Endpoint {
    /// Returns true if it is another place. One machine has several names for itself.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other { url }, Self::Other { url: other }) => {
                this_machine(url) != this_machine(other)
            }
            _ => self != other,
        }
    }

    /// Returns the warning that precedes anything else said of a run that was not at AWS.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Aws => None,
            Self::Other { url } => Some(format!(
                "Not AWS: this run was at {url}, which is not an AWS endpoint. Nothing was restored at AWS, and its times are by the clock of that endpoint."
            )),
            Self::Rehearsal => Some(
                "A rehearsal against the embedded emulator, not AWS. Nothing was restored at AWS, and its times are estimates."
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws => f.write_str("AWS"),
            Self::Other { url } => write!(f, "{url} (not AWS)"),
            Self::Rehearsal => f.write_str("the embedded emulator (a rehearsal, not AWS)"),
        }
    }
}

/// The same address with one name for this machine.
fn this_machine(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority.ends_with(']') => authority.split_at(at),
        _ => (authority, ""),
    };
    let host = match host {
        "localhost" | "[::1]" => "127.0.0.1",
        host => host,
    };
    format!("{scheme}://{host}{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    fn at(url: &str) -> Endpoint {
        Endpoint::Other {
            url: url.to_owned(),
        }
    }

    #[test]
    fn a_machine_has_several_names_for_itself() {
        let here = at("http://127.0.0.1:4566");
        for (other, differs) in [
            (at("http://localhost:4566"), false),
            (at("http://[::1]:4566"), false),
            (at("http://127.0.0.1:4567"), true),
            (at("http://127.0.0.1:4566/backup"), true),
            (at("https://127.0.0.1:4566"), true),
            (at("http://localhost"), true),
            (Endpoint::Aws, true),
            (Endpoint::Rehearsal, true),
        ] {
            assert_eq!(here.differs_from(&other), differs, "{other}");
        }
        assert!(!Endpoint::Aws.differs_from(&Endpoint::Aws));
    }
}
