//! The state machine's definition: fixed text, but for where the results go and the partition.

use super::names::Names;

const DEFINITION: &str = include_str!("machine.asl.json");

/// The definition for one Region. Bucket and prefix of results are literal, because interpreters read paths there in different
/// ways; neither holds a character that JSON would escape.
pub(super) fn definition(names: &Names) -> String {
    DEFINITION
        .replace("RESULTS_BUCKET", &names.bucket)
        .replace("RESULTS_PREFIX", &names.results())
        .replace(
            "\"arn:aws:states:",
            &format!("\"arn:{}:states:", names.partition),
        )
}
