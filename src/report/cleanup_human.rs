//! Preview of a cleanup, for people.

use std::fmt::Write as _;

use super::columns::columns;
use crate::cleanup::{Disposition, Item};

/// In the order in which it would.
#[must_use]
pub fn cleanup_human(levels: &[Vec<Item>]) -> String {
    let rows: Vec<Vec<String>> = levels.iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "this run created nothing\n".to_owned();
    }
    let mut text = columns(&rows, "");
    let count = |is: fn(&Disposition) -> bool| {
        let all = levels.iter().flatten();
        all.filter(|item| is(&item.disposition)).count()
    };
    let _ = writeln!(
        text,
        "\n{} to delete, {} already gone, {} left, {} not created by this run",
        count(|disposition| matches!(disposition, Disposition::Delete { .. })),
        count(|disposition| matches!(disposition, Disposition::Gone)),
        count(|disposition| matches!(disposition, Disposition::Left(_))),
        count(|disposition| matches!(disposition, Disposition::Stays(_))),
    );
    text
}

fn row(item: &Item) -> Vec<String> {
    let (word, why) = match &item.disposition {
        Disposition::Delete { named, doubt, .. } => (
            "delete",
            match doubt {
                Some(doubt) => format!("{}; check first: {doubt}", named.type_name),
                None => named.type_name.clone(),
            },
        ),
        Disposition::Gone => ("gone", String::new()),
        Disposition::Stays(why) => ("stays", why.clone()),
        Disposition::Left(why) => ("left", why.clone()),
    };
    let why = match &item.by {
        Some(by) if why.is_empty() => format!("of {by}"),
        Some(by) => format!("{why}, of {by}"),
        None => why,
    };
    vec![
        word.to_owned(),
        item.restore.to_string(),
        item.arn.clone().unwrap_or_else(|| "-".to_owned()),
        why,
    ]
}
