//! Things that the values of a request name, for checks that they exist.

use serde_json::Value;

use super::found::{FoundKind, Looked, Search, member};
use crate::render::Metadata;
use crate::rules::Rules;
use crate::validate::MARK;

/// A value that names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedValue {
    /// The metadata key that it is under.
    pub key: String,
    /// The value.
    pub text: String,
    /// Kind of what it names, as `walls` of `schemas/common.yaml` calls it.
    pub kind: &'static str,
    /// Region of the value, if it is another than the target's.
    pub region: Option<String>,
}

/// Finds what the values of a request name, as far as each key is known.
pub fn named_values(
    rules: &Rules,
    resource_type: &str,
    metadata: &Metadata,
    is_known: &dyn Fn(&str) -> bool,
) -> Vec<NamedValue> {
    let schema = rules.schema(rules.title(resource_type));
    let given = |key: &str| -> Option<String> {
        let mut entries = metadata.iter();
        match entries.find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            None => Some(String::new()),
            Some((name, value)) => is_known(name).then(|| value.clone()),
        }
    };
    let mut all = Vec::new();
    for (key, value) in metadata.iter() {
        if key == MARK || !is_known(key) {
            continue;
        }
        let of = schema.and_then(|schema| member(schema, key));
        let of = of.map_or(Looked::Opaque, |of| Looked::Schema(of, None));
        let mut search = Search::default();
        search.of_key(key, &Value::String(value.clone()), of, &given);
        all.extend(
            search
                .found
                .into_iter()
                .filter_map(|found| match found.kind {
                    FoundKind::Wall(wall) => Some(NamedValue {
                        key: key.clone(),
                        text: found.text,
                        kind: wall.name,
                        region: found.region,
                    }),
                    FoundKind::Later(_) | FoundKind::Unknown => None,
                }),
        );
    }
    all
}
