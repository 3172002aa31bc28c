//! What a cleanup would do, for the eye.

use std::fmt::Write as _;

use super::columns::columns;
use crate::cleanup::{Fate, Item};

/// In the order in which it would.
#[must_use]
pub fn cleanup_human(levels: &[Vec<Item>]) -> String {
    let rows: Vec<Vec<String>> = levels.iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "this run has made nothing\n".to_owned();
    }
    let mut text = columns(&rows, "");
    let count = |is: fn(&Fate) -> bool| {
        let all = levels.iter().flatten();
        all.filter(|item| is(&item.fate)).count()
    };
    let _ = writeln!(
        text,
        "\n{} to delete, {} gone, {} left, {} not made by this run",
        count(|fate| matches!(fate, Fate::Delete { .. })),
        count(|fate| matches!(fate, Fate::Gone)),
        count(|fate| matches!(fate, Fate::Left(_))),
        count(|fate| matches!(fate, Fate::Stays(_))),
    );
    text
}

fn row(item: &Item) -> Vec<String> {
    let (word, why) = match &item.fate {
        Fate::Delete { named, doubt, .. } => (
            "delete",
            match doubt {
                Some(doubt) => format!("{}; look first: {doubt}", named.type_name),
                None => named.type_name.clone(),
            },
        ),
        Fate::Gone => ("gone", String::new()),
        Fate::Stays(why) => ("stays", why.clone()),
        Fate::Left(why) => ("left", why.clone()),
    };
    let why = match &item.by {
        Some(by) if why.is_empty() => format!("of {by}"),
        Some(by) => format!("{why}, of {by}"),
        None => why,
    };
    vec![
        word.to_owned(),
        item.restore.clone(),
        item.arn.clone().unwrap_or_else(|| "-".to_owned()),
        why,
    ]
}
