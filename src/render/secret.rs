//! Values that must not show.

use std::borrow::Cow;

/// What a secret is replaced by wherever it would show.
const REDACTED: &str = "«redacted»";

/// The secrets of a run; applied at every door that leads outside, except the request to AWS itself.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Longest first, so that a secret that contains another is replaced whole.
    needles: Vec<String>,
}

impl Secrets {
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut needles: Vec<String> = Vec::new();
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            // Inside a list it stands JSON-escaped in the string that AWS gets, and so in what is shown of it.
            let quoted = serde_json::Value::String(value.clone()).to_string();
            let escaped = quoted[1..quoted.len() - 1].to_owned();
            needles.extend([value, escaped]);
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text with every secret replaced.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for needle in &self.needles {
            if text.contains(needle.as_str()) {
                text = Cow::Owned(text.replace(needle.as_str(), REDACTED));
            }
        }
        text
    }

    /// Bytes of the longest of them.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.needles.first().map_or(0, String::len)
    }

    /// The last `limit` bytes of a text, or a little less, with every secret replaced: one that the cut would go
    /// through is left out whole. What is longer than `limit` has to begin [`Secrets::longest`] bytes before the cut.
    #[must_use]
    pub fn tail(&self, text: &str, limit: usize) -> String {
        let mut cut = text.len().saturating_sub(limit);
        if cut == 0 {
            return self.redact(text).into_owned();
        }
        loop {
            cut = text.ceil_char_boundary(cut);
            let around = text.floor_char_boundary(cut.saturating_sub(self.longest()))
                ..text.ceil_char_boundary((cut + self.longest()).min(text.len()));
            let from = around.start;
            let spanning = self.needles.iter().find_map(|needle| {
                text[around.clone()]
                    .match_indices(needle.as_str())
                    .map(|(at, _)| (from + at, from + at + needle.len()))
                    .find(|(start, end)| *start < cut && cut < *end)
            });
            match spanning {
                Some((_, end)) => cut = end,
                None => return format!("…{}", self.redact(&text[cut..])),
            }
        }
    }

    /// The text with every secret replaced, in place.
    pub fn redact_in(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(secrets.redact("nothing here"), "nothing here");
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
    }
}
