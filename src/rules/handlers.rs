//! Permissions that Cloud Control API's handlers need of the caller: `handlers` under `facts` of `common.yaml`.

use serde::Deserialize;

use super::facts::common;

/// The actions of one type, in IAM's words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandlerActions {
    /// To read one.
    pub(crate) read: Vec<String>,
    /// To list them; of types that a quota counts.
    #[serde(default)]
    pub(crate) list: Vec<String>,
    /// To delete one; of types that a restore makes.
    #[serde(default)]
    pub(crate) delete: Vec<String>,
    /// The one of `delete` that is about the thing itself.
    pub(crate) deletes: Option<String>,
}

impl HandlerActions {
    /// Returns the actions of a type, by CloudFormation's name.
    pub(crate) fn of(type_name: &str) -> Option<&'static Self> {
        common().handlers.get(type_name)
    }

    /// Returns the name that `redrill iam` gives the statement that allows some of them: `DeleteDynamoDBTable`.
    pub(crate) fn statement(verb: &str, type_name: &str) -> String {
        let name = type_name.strip_prefix("AWS::").unwrap_or(type_name);
        format!("{verb}{}", name.replace("::", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Deletes, Facts, Wall};

    #[test]
    fn every_type_that_is_asked_for_says_what_that_needs() {
        for deletes in Deletes::all() {
            let handler = HandlerActions::of(&deletes.r#type).unwrap();
            let own = handler.deletes.as_ref().unwrap();
            assert!(handler.delete.contains(own), "{}", deletes.r#type);
        }
        let facts: Vec<&Facts> = Facts::types().filter_map(Facts::of).collect();
        for quota in facts.iter().flat_map(|facts| &facts.quotas) {
            let handler = HandlerActions::of(&quota.counts).unwrap();
            assert!(!handler.list.is_empty(), "{}", quota.counts);
        }
        let named = facts.iter().flat_map(|facts| &facts.reads);
        let walls = Wall::all().filter_map(|wall| wall.kind.reads.as_ref());
        let walls = walls.flat_map(|reads| [Some(&reads.r#type), reads.alias.as_ref()]);
        for name in walls.flatten().chain(named.map(|of| &of.r#type)) {
            assert!(HandlerActions::of(name).is_some(), "{name} has no actions");
        }
    }

    #[test]
    fn reading_needs_nothing_that_writes() {
        for (name, handler) in &common().handlers {
            for action in handler.read.iter().chain(&handler.list) {
                let verb = action.split(':').nth(1).unwrap();
                let reads = ["Describe", "Get", "List"];
                assert!(
                    reads.iter().any(|read| verb.starts_with(read)),
                    "{name}: {action}"
                );
            }
        }
    }
}
