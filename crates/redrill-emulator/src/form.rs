//! Requests of the query protocol: names and values in the body, or in the query.

use super::operation::Operation;
use super::query::Query;

/// Parameters that were sent.
#[derive(Debug, Default)]
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(super) fn parse(query: &Query, body: &[u8]) -> Form {
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        pairs.extend(query.pairs().cloned());
        Form { pairs }
    }

    /// The operation that it asks for; none where nobody serves it.
    pub(super) fn operation(&self) -> Option<Operation> {
        Operation::of_action(self.text("Action")?)
    }

    /// The first value of that name; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut found = self.pairs.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The items of a list: `ActionNames.member.1`, `.2`, …
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let items = (1..).map_while(|n| self.text(&format!("{name}.member.{n}")));
        items.collect()
    }

    /// Counts the items of a list of structures, by a member that each has.
    pub(super) fn structures(&self, name: &str, member: &str) -> usize {
        let items =
            (1..).take_while(|n| self.text(&format!("{name}.member.{n}.{member}")).is_some());
        items.count()
    }
}
