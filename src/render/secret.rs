//! Values that must not show.

use std::borrow::Cow;

use serde_json::Value;

/// What a secret is replaced by wherever it would show.
pub const REDACTED: &str = "«redacted»";

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

    /// The text with every secret replaced, in place.
    pub fn redact_in(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
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
        assert_eq!(secrets.redact("nothing here"), "nothing here");
        let mut value = json!({"p\"w0rd": [{"a": "xp\"w0rd"}, 1]});
        secrets.redact_value(&mut value);
        assert_eq!(value, json!({"«redacted»": [{"a": "x«redacted»"}, 1]}));
        let mut number = json!({"port": 54321});
        Secrets::new(["54321".to_owned()]).redact_value(&mut number);
        assert_eq!(number, json!({"port": "«redacted»"}));
    }
}
