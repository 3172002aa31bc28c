//! Limits on concurrent restores. A job's whole course is settled when it is created, so that its turn is known then
//! too: each limit keeps the instants at which its places become free.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use jiff::Timestamp;

use super::metadata::Metadata;
use super::resource_types::ResourceType;

/// The places of all limits.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, BinaryHeap<Reverse<Timestamp>>>);

/// The limits that one job counts against.
#[derive(Debug)]
pub(super) struct Turn(Vec<(String, usize)>);

impl Places {
    /// The limits that a job of this type falls under.
    pub(super) fn turn(
        row: Option<&ResourceType>,
        account: &str,
        region: &str,
        metadata: &Metadata<'_>,
    ) -> Turn {
        let mut limits = Vec::new();
        for (number, limit) in row.iter().flat_map(|row| row.concurrent.iter().enumerate()) {
            let has = |key: &String| metadata.get(key).is_some();
            let fits = limit.with.as_ref().is_none_or(has)
                && limit.equal.iter().all(|(key, value)| {
                    let found = metadata.get(key);
                    found.is_some_and(|found| found.eq_ignore_ascii_case(value))
                });
            if !fits {
                continue;
            }
            let value = limit.per.as_ref().and_then(|key| metadata.get(key));
            let name = row.map_or("", |row| row.name.as_str());
            let value = value.unwrap_or_default();
            let key = format!("{account}\n{region}\n{name}\n{number}\n{value}");
            limits.push((key, limit.max));
        }
        Turn(limits)
    }

    /// Returns when a job that could start at `wanted` does: a place of every limit has to be free.
    pub(super) fn start(&mut self, turn: &Turn, wanted: Timestamp) -> Timestamp {
        let mut start = wanted;
        for (limit, max) in &turn.0 {
            let busy = self.0.entry(limit.clone()).or_default();
            // Places that are free by then count for nobody any more.
            while busy.peek().is_some_and(|Reverse(until)| *until <= wanted) {
                busy.pop();
            }
            if busy.len() >= *max {
                // The place that becomes free first is this job's now.
                if let Some(Reverse(free)) = busy.pop() {
                    start = start.max(free);
                }
            }
        }
        start
    }

    /// Takes the places until the job ends.
    pub(super) fn take(&mut self, turn: &Turn, until: Timestamp) {
        for (limit, _) in &turn.0 {
            self.0
                .entry(limit.clone())
                .or_default()
                .push(Reverse(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource_types::find;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_for_each_cluster_and_five_for_the_account() {
        let mut places = Places::default();
        let mut start = |cluster: &str, wanted: i64| {
            let metadata = Metadata::new(vec![("clusterName".into(), Some(cluster.into()))]);
            let turn = Places::turn(find("EKS"), "1", "r", &metadata);
            let start = places.start(&turn, at(wanted)).as_second();
            places.take(&turn, at(start + 100));
            start
        };
        assert_eq!(start("a", 10), 10);
        assert_eq!(start("a", 10), 110, "after the first of this cluster");
        assert_eq!(start("b", 20), 20);
        assert_eq!(start("c", 20), 20);
        assert_eq!(start("d", 20), 20);
        assert_eq!(start("e", 20), 110, "five have places");
        assert_eq!(start("f", 1000), 1000);
        let none = Places::turn(find("EFS"), "1", "r", &Metadata::default());
        assert!(none.0.is_empty());
    }
}
