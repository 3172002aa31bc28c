//! Values that must not show.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::wire;

use serde_json::Value;

/// What a secret is replaced by wherever it would show.
pub const REDACTED: &str = "«redacted»";

/// How often a secret may stand in JSON within JSON: in a list, in a map of metadata, in a report.
const ESCAPES: usize = 3;

/// Bytes of what was made of a secret that are looked for inside sentences: what is shorter stands in words as well.
const QUOTED: usize = 4;

/// The secrets of a run; applied at every door that leads outside, except the request to AWS itself.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Longest first, so that a secret that contains another is replaced whole.
    needles: Vec<String>,
    /// Whole values that a template has made of a secret, and that do not show it as it was: `{{ vars.key | upper }}`.
    made: Arc<Mutex<HashSet<String>>>,
}

impl Secrets {
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut needles: Vec<String> = Vec::new();
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            // Inside a list it stands JSON-escaped in the string that AWS gets, and so in what is shown of it.
            let mut form = value;
            for _ in 0..ESCAPES {
                let quoted = serde_json::Value::String(form.clone()).to_string();
                let escaped = quoted[1..quoted.len() - 1].to_owned();
                needles.push(form);
                form = escaped;
            }
            needles.push(form);
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self {
            needles,
            made: Arc::default(),
        }
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Takes a value in that was made of a secret.
    pub(super) fn made(&self, value: &serde_json::Value) {
        // `true` and numbers tell nothing, and stand everywhere.
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => wire(value),
            _ => return,
        };
        if !text.is_empty() {
            self.lock().insert(text);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text with every secret replaced; all of it where it was made of one.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.needles.is_empty() {
            return Cow::Borrowed(text);
        }
        if self.lock().contains(text) {
            return Cow::Borrowed(REDACTED);
        }
        let mut text = Cow::Borrowed(text);
        for needle in &self.needles {
            if text.contains(needle.as_str()) {
                text = Cow::Owned(text.replace(needle.as_str(), REDACTED));
            }
        }
        text
    }

    /// Bytes of the longest of them, and of what was made of one.
    #[must_use]
    pub fn longest(&self) -> usize {
        let made = self.lock().iter().map(String::len).max();
        let needle = self.needles.first().map_or(0, String::len);
        made.unwrap_or(0).max(needle)
    }

    /// The last `limit` bytes of a text, or a little less, with every secret replaced: one that the cut would go
    /// through is left out whole. What is longer than `limit` has to begin [`Secrets::longest`] bytes before the cut.
    #[must_use]
    pub fn tail(&self, text: &str, limit: usize) -> String {
        let mut cut = text.len().saturating_sub(limit);
        let longest = self.longest();
        let made = self.lock().clone();
        let made = made.iter().filter(|made| made.len() >= QUOTED);
        let hidden: Vec<&String> = self.needles.iter().chain(made).collect();
        while cut > 0 {
            cut = text.ceil_char_boundary(cut);
            let around = text.floor_char_boundary(cut.saturating_sub(longest))
                ..text.ceil_char_boundary((cut + longest).min(text.len()));
            let from = around.start;
            let spanning = hidden.iter().find_map(|needle| {
                text[around.clone()]
                    .match_indices(needle.as_str())
                    .map(|(at, _)| (from + at, from + at + needle.len()))
                    .find(|(start, end)| *start < cut && cut < *end)
            });
            match spanning {
                Some((_, end)) => cut = end,
                None => break,
            }
        }
        let mut tail = text[cut..].to_owned();
        self.redact_sentence(&mut tail);
        if cut > 0 {
            tail.insert(0, '…');
        }
        tail
    }

    /// A value with every secret in it replaced; a number that is one becomes the text that stands for it.
    pub fn redact_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.redact_in(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(map) => {
                let members = std::mem::take(map);
                *map = members
                    .into_iter()
                    .map(|(mut key, mut value)| {
                        self.redact_in(&mut key);
                        self.redact_value(&mut value);
                        (key, value)
                    })
                    .collect();
            }
            Value::Number(number) => {
                if let Cow::Owned(redacted) = self.redact(&number.to_string()) {
                    *value = Value::String(redacted);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A sentence with every secret replaced, in place, and everything that was made of one: it may quote them.
    pub fn redact_sentence(&self, text: &mut String) {
        if !self.needles.is_empty() {
            for made in self.lock().iter().filter(|made| made.len() >= QUOTED) {
                if text.contains(made.as_str()) {
                    *text = text.replace(made.as_str(), REDACTED);
                }
            }
        }
        self.redact_in(text);
    }

    /// The text with every secret replaced, in place.
    pub fn redact_in(&self, text: &mut String) {
        let redacted = match self.redact(text) {
            Cow::Borrowed(same) if same == text.as_str() => return,
            redacted => redacted.into_owned(),
        };
        *text = redacted;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_does_not_show_inside_other_text_or_inside_json() {
        let secrets = Secrets::new([
            "p\"w0rd".to_owned(),
            "p\"w0rd-long".to_owned(),
            String::new(),
        ]);
        assert_eq!(secrets.redact("at p\"w0rd-long!"), "at «redacted»!");
        assert_eq!(secrets.redact(r#"["p\"w0rd"]"#), r#"["«redacted»"]"#);
        assert_eq!(
            secrets.redact(r#"{"a":"[\"p\\\"w0rd\"]"}"#),
            r#"{"a":"[\"«redacted»\"]"}"#
        );
        assert_eq!(secrets.redact("nothing here"), "nothing here");
        let mut value = json!({"p\"w0rd": [{"a": "xp\"w0rd"}, 1]});
        secrets.redact_value(&mut value);
        assert_eq!(value, json!({"«redacted»": [{"a": "x«redacted»"}, 1]}));
        let mut number = json!({"port": 54321});
        Secrets::new(["54321".to_owned()]).redact_value(&mut number);
        assert_eq!(number, json!({"port": "«redacted»"}));
        secrets.made(&"P-W0RD".into());
        assert_eq!(secrets.redact("P-W0RD"), "«redacted»");
        assert_eq!(secrets.redact("not P-W0RD"), "not P-W0RD");
        let mut sentence = "`P-W0RD` is no name, and p\"w0rd neither".to_owned();
        secrets.redact_sentence(&mut sentence);
        assert_eq!(sentence, "`«redacted»` is no name, and «redacted» neither");
    }

    #[test]
    fn no_part_of_a_secret_is_left_where_a_text_is_cut() {
        let secrets = Secrets::new(["hunter2hunter2".to_owned(), "tere".to_owned()]);
        let text = format!("{}hunter2hunter2 and the rest", "x".repeat(30));
        for limit in 1..text.len() + 3 {
            let tail = secrets.tail(&text, limit);
            assert!(!tail.contains("ter2"), "{limit}: {tail}");
            assert!(tail.ends_with(&text[text.len() - limit.min(3)..]), "{tail}");
        }
        assert_eq!(secrets.tail("abc", 9), "abc");
        secrets.made(&"HUNTER2HUNTER2".into());
        let text = text.to_uppercase();
        for limit in 1..text.len() + 3 {
            let tail = secrets.tail(&text, limit);
            assert!(!tail.contains("TER2"), "{limit}: {tail}");
        }
    }
}
