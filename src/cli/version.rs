//! `redrill --version --verbose`: which program this is, to the last commit.

use crate::rules::common;

/// The release workflow and `.ci/release` say it; a build from sources may have changes that no commit has.
const COMMIT: Option<&str> = option_env!("REDRILL_COMMIT");

/// Describes the program, a line for each part.
pub(super) fn verbose() -> String {
    let checked = &common().checked;
    let commit = COMMIT.unwrap_or("unknown, built from sources");
    let profile = match cfg!(debug_assertions) {
        true => ", with debug assertions",
        false => "",
    };
    format!(
        "redrill {}\ncommit: {commit}\ntarget: {}{profile}\nrules: of {}\nmodel of AWS: botocore {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("BUILD_TARGET"),
        checked.on,
        checked.botocore,
    )
}
