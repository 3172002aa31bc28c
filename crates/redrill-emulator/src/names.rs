//! Names that many jobs have in common, once for all of them.

use std::collections::HashSet;
use std::sync::Arc;

/// Number of names looked through before the rest is searched: more accounts, regions and roles are rarely in one plan.
const FEW: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Names {
    first: Vec<Arc<str>>,
    others: HashSet<Arc<str>>,
}

impl Names {
    /// The one that stands for this text.
    pub(super) fn get(&mut self, text: &str) -> Arc<str> {
        let known = self.first.iter().find(|name| ***name == *text);
        if let Some(name) = known.or_else(|| self.others.get(text)) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        match self.first.len() < FEW {
            true => self.first.push(Arc::clone(&name)),
            false => drop(self.others.insert(Arc::clone(&name))),
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_the_same_name() {
        let mut names = Names::default();
        for round in 0..2 {
            for n in 0..3 * FEW {
                let name = names.get(&n.to_string());
                assert_eq!(*name, *n.to_string());
                assert_eq!(Arc::strong_count(&name), 2, "round {round}");
            }
        }
    }
}
