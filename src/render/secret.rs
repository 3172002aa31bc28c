//! Values that must not show.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::shapes::{Folded, Shapes};
use super::wire;

/// Text that replaces a secret wherever it would show.
pub const REDACTED: &str = "«redacted»";

/// Levels of JSON within JSON that a secret may be in: in a list, in a map of metadata, in a report.
const ESCAPES: usize = 3;

/// Bytes of what was made of a secret that are looked for inside sentences: what is shorter stands in words as well.
const QUOTED: usize = 4;

/// Bytes of what is searched for shapes at once; what is longer is searched line by line.
const SEARCHED: usize = 64 << 10;

/// Factor by which a secret's shapes are longer than it: six times in `\u` escapes, and a little.
const LONGER: usize = 8;

/// The secrets of a run; applied at every door that leads outside, except the request to AWS itself.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    known: Arc<Needles>,
    /// redrill's own credentials for AWS, which a check finds in its environment and can print.
    own: Arc<Needles>,
    /// Whole values that a template has made of a secret, and that do not show it as it was: `{{ vars.key | upper }}`.
    made: Arc<Mutex<HashSet<String>>>,
}

/// Texts that are looked for.
#[derive(Debug, Default)]
struct Needles {
    /// Secrets as they are, and escaped for JSON; longest first.
    exact: Vec<String>,
    shapes: Shapes,
}

/// Kind of a text, and so how much of it may be a part of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextKind {
    /// A value of a request, which is made of a secret as a whole or holds one.
    Value,
    /// A name that AWS has given to something, such as an ARN: a value that was made of a secret may be within.
    Name,
    /// Words of somebody who may quote what was made of a secret, and cut it.
    Sentence,
}

impl Needles {
    fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut exact: Vec<String> = Vec::new();
        let values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
        let shapes = Shapes::of(values.iter().map(String::as_str));
        for value in values {
            // Inside a list it stands JSON-escaped in the string that AWS gets, and so in what is shown of it.
            let mut form = value;
            for _ in 0..ESCAPES {
                let quoted = Value::String(form.clone()).to_string();
                let escaped = quoted[1..quoted.len() - 1].to_owned();
                exact.push(form);
                form = escaped;
            }
            exact.push(form);
        }
        exact.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        exact.dedup();
        Self { exact, shapes }
    }

    fn longest(&self) -> usize {
        self.exact.first().map_or(0, String::len)
    }
}

impl Secrets {
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self {
            known: Arc::new(Needles::new(values)),
            ..Self::default()
        }
    }

    /// The same, and these of redrill's own.
    #[must_use]
    pub fn with_own(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.own = Arc::new(Needles::new(values));
        self
    }

    /// Returns true if there is nothing to hide of what a plan holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.exact.is_empty() && self.lock().is_empty()
    }

    /// Takes in what stood in a name that was redacted, now that somebody says the name in clear.
    pub fn learn(&self, clear: &str, redacted: &str) {
        let mut rest = clear;
        let mut pieces = redacted.split(REDACTED);
        let Some(first) = pieces.next() else {
            return;
        };
        let mut hidden = Vec::new();
        let is_it = rest.strip_prefix(first).is_some_and(|behind| {
            rest = behind;
            pieces.all(|piece| {
                let at = match piece {
                    "" => Some(rest.len()),
                    piece => rest.find(piece),
                };
                at.is_some_and(|at| {
                    hidden.push(&rest[..at]);
                    rest = &rest[at + piece.len()..];
                    true
                })
            })
        });
        // Another name than the one that was redacted: nobody knows what of it is secret. What is short stands in words as well.
        if !is_it || hidden.iter().any(|of| of.len() < QUOTED) {
            hidden = vec![clear];
        }
        self.lock().extend(hidden.into_iter().map(str::to_owned));
    }

    /// Takes a value in that was made of a secret.
    pub(super) fn made(&self, value: &Value) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) | Value::Number(_) => wire(value),
            // `true` stands everywhere.
            Value::Bool(_) | Value::Null => return,
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
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        if self.lock().contains(text) {
            return Cow::Borrowed(REDACTED);
        }
        replaced(text, &self.found(text, TextKind::Value))
    }

    /// A name that AWS has given, such as an ARN, with every secret in it replaced.
    #[must_use]
    pub fn redact_name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        replaced(text, &self.found(text, TextKind::Name))
    }

    /// Returns a text for people, of any length, with every secret replaced.
    #[must_use]
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() && self.own.exact.is_empty() {
            return Cow::Borrowed(text);
        }
        replaced(text, &self.found(text, TextKind::Name))
    }

    /// Finds the secrets in a text: apart from one another, in order.
    fn found(&self, text: &str, kind: TextKind) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let all: &[&Needles] = match kind {
            TextKind::Value => &[&self.known],
            TextKind::Name | TextKind::Sentence => &[&self.known, &self.own],
        };
        for needles in all {
            for needle in &needles.exact {
                let hits = text.match_indices(needle.as_str());
                found.extend(hits.map(|(at, _)| (at, at + needle.len())));
            }
            if needles.shapes.is_empty() {
                continue;
            }
            for (from, piece) in pieces(text) {
                let folded = Folded::new(piece);
                let mut within = Vec::new();
                needles.shapes.find(piece, &folded, &mut within);
                if kind == TextKind::Sentence {
                    needles.shapes.find_cut(piece, &folded, &mut within);
                }
                found.extend(within.iter().map(|(at, end)| (from + at, from + end)));
            }
        }
        if kind != TextKind::Value && !self.is_empty() {
            for made in self.lock().iter().filter(|made| made.len() >= QUOTED) {
                let hits = text.match_indices(made.as_str());
                found.extend(hits.map(|(at, _)| (at, at + made.len())));
            }
        }
        // The replacement of a secret is not a secret itself, whatever a secret looks like.
        let marks: Vec<usize> = text.match_indices(REDACTED).map(|(at, _)| at).collect();
        found.retain(|(from, to)| {
            let is_within = |at: &usize| *at <= *from && *to <= at + REDACTED.len();
            from < to && !marks.iter().any(is_within)
        });
        merged(found)
    }

    /// Bytes of the longest shape of any of them, and of what was made of one.
    #[must_use]
    pub fn longest(&self) -> usize {
        let made = self.lock().iter().map(String::len).max().unwrap_or(0);
        let needle = self.known.longest().max(self.own.longest());
        made.max(needle * LONGER)
    }

    /// The last `limit` bytes of a text, or a little less, with every secret replaced: one that the cut would go
    /// through is left out whole. What is longer than `limit` has to begin [`Secrets::longest`] bytes before the cut.
    #[must_use]
    pub fn tail(&self, text: &str, limit: usize) -> String {
        let found = self.found(text, TextKind::Sentence);
        let mut cut = text.ceil_char_boundary(text.len().saturating_sub(limit));
        for (from, to) in &found {
            if *from < cut && cut < *to {
                cut = *to;
            }
        }
        let behind: Vec<(usize, usize)> = found
            .iter()
            .filter(|(from, _)| *from >= cut)
            .map(|(from, to)| (from - cut, to - cut))
            .collect();
        let tail = replaced(&text[cut..], &behind);
        match cut {
            0 => tail.into_owned(),
            _ => format!("…{tail}"),
        }
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
                let text = number.to_string();
                let redacted = self.redact(&text);
                if redacted != text {
                    *value = Value::String(redacted.into_owned());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A sentence with every secret replaced, in place, and everything that was made of one: it may quote them.
    pub fn redact_sentence(&self, text: &mut String) {
        if self.is_empty() && self.own.exact.is_empty() {
            return;
        }
        if self.lock().contains(text.as_str()) {
            REDACTED.clone_into(text);
            return;
        }
        if let Cow::Owned(redacted) = replaced(text, &self.found(text, TextKind::Sentence)) {
            *text = redacted;
        }
    }

    /// The text with every secret replaced, in place.
    pub fn redact_in(&self, text: &mut String) {
        let redacted = match self.redact(text) {
            Cow::Borrowed(same) if same == text.as_str() => return,
            redacted => redacted.into_owned(),
        };
        *text = redacted;
    }

    /// A name that AWS has given with every secret in it replaced, in place.
    pub fn redact_name_in(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact_name(text) {
            *text = redacted;
        }
    }
}

/// A text in pieces that are searched one by one, each with its place: a long one ends where a line does.
fn pieces(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = &text[from..];
        if rest.is_empty() {
            return None;
        }
        let least = rest.floor_char_boundary(SEARCHED);
        let end = rest[least..]
            .find('\n')
            .map_or(rest.len(), |at| least + at + 1);
        let piece = (from, &rest[..end]);
        from += end;
        Some(piece)
    })
}

/// Ranges in their order, those that overlap as one.
fn merged(mut ranges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    ranges.sort_unstable();
    let mut all: Vec<(usize, usize)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match all.last_mut() {
            Some((_, end)) if from < *end => *end = to.max(*end),
            _ => all.push((from, to)),
        }
    }
    all
}

fn replaced<'a>(text: &'a str, found: &[(usize, usize)]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in found {
        redacted.push_str(&text[from..*start]);
        redacted.push_str(REDACTED);
        from = *end;
    }
    redacted.push_str(&text[from..]);
    Cow::Owned(redacted)
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

    /// Shapes that AWS, a check or a shell can give a secret, in a sentence around it.
    #[test]
    fn reliability_r5_22_a_secret_is_found_in_every_shape() {
        const SECRET: &str = "hünter2/<&\"x'>+%y";
        let secrets = Secrets::new([SECRET.to_owned()]);
        let each = |of: &dyn Fn(char) -> String| SECRET.chars().map(of).collect::<String>();
        let units = |c: char| {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            units
                .map(|unit| format!("\\u{unit:04X}"))
                .collect::<String>()
        };
        let bytes = |c: char, form: &dyn Fn(u8) -> String| {
            let text = c.to_string();
            text.bytes().map(form).collect::<String>()
        };
        let json = serde_json::to_string(SECRET).unwrap();
        let hex = |byte: u8| format!("{byte:02x}");
        let apart = |text: &str| {
            text.trim_end_matches([':', '-', ',', ' ', '0', 'x'])
                .to_owned()
        };
        let mut shapes = vec![
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            SECRET.to_lowercase(),
            each(&units),
            each(&units).replace('\\', "\\\\"),
            each(&|c| bytes(c, &|byte| format!("%{byte:02X}"))),
            each(&|c| bytes(c, &|byte| format!("%{byte:02x}"))),
            each(&|c| bytes(c, &|byte| format!("%25{byte:02x}"))),
            each(&|c| format!("&#{};", u32::from(c))),
            each(&|c| format!("&#x{:x};", u32::from(c))),
            each(&|c| match c {
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '&' => "&amp;".to_owned(),
                '"' => "&quot;".to_owned(),
                '\'' => "&#39;".to_owned(),
                c => c.to_string(),
            }),
            SECRET.replace('<', "\\u003c").replace('&', "\\u0026"),
            json[1..json.len() - 1].to_owned(),
            format!("{}\r\n    {}", &SECRET[..8], &SECRET[8..]),
            format!("{}\\n{}", &SECRET[..8], &SECRET[8..]),
            bytes_of(SECRET, &hex),
            bytes_of(SECRET, &hex).to_uppercase(),
            apart(&bytes_of(SECRET, &|byte| format!("{byte:02X}:"))),
            apart(&bytes_of(SECRET, &|byte| format!("{byte:02x}-"))),
            apart(&bytes_of(SECRET, &|byte| format!("{byte:02x}, 0x"))),
            each(&|c| bytes(c, &|byte| format!("\\{byte:03o}"))),
            each(&|c| bytes(c, &|byte| format!("\\x{byte:02x}"))),
            // Names as git and ls quote them.
            SECRET.replace('ü', "\\303\\274"),
        ];
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
        for before in ["", "a", "ab", "abc"] {
            for behind in ["", "z", "zy"] {
                let whole = format!("{before}{SECRET}{behind}");
                shapes.push(STANDARD.encode(&whole));
                shapes.push(URL_SAFE.encode(&whole));
                shapes.push(STANDARD_NO_PAD.encode(&whole));
                let encoded = STANDARD.encode(&whole);
                shapes.push(format!("{}\n{}", &encoded[..10], &encoded[10..]));
            }
        }
        for shape in shapes {
            for (before, behind) in [
                ("", ""),
                ("the value '", "' is no name"),
                ("{\"a\":\"", "\"}"),
            ] {
                let mut text = format!("{before}{shape}{behind}");
                secrets.redact_sentence(&mut text);
                assert_eq!(text, format!("{before}{REDACTED}{behind}"), "{shape}");
                let text = format!("{before}{shape}{behind}");
                assert_eq!(
                    secrets.redact_name(&text),
                    format!("{before}{REDACTED}{behind}")
                );
            }
        }
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for before in ["", "a", "ab"] {
                let whole = format!("{before}{SECRET}z");
                let whole: Vec<u8> = whole.encode_utf16().flat_map(bytes).collect();
                let mut text = format!("powershell -enc '{}'", STANDARD.encode(&whole));
                secrets.redact_sentence(&mut text);
                assert_eq!(text, format!("powershell -enc '{REDACTED}'"), "{before}");
            }
        }
        // Cut by whoever quotes it.
        for (text, safe) in [
            ("no: hünter2/<&", "no: «redacted»"),
            ("no: 'HÜNTER2/<...' is long", "no: '«redacted»...' is long"),
            ("no: \"hünter2/<&…\"", "no: \"«redacted»…\""),
            ("…<&\"x'>+%y' is long", "…«redacted»' is long"),
            ("2/<&\"x'>+%y is long", "«redacted» is long"),
            ("nothing of it; hün", "nothing of it; hün"),
            // At an ellipsis little is enough to tell what was cut.
            ("no: 'hünt… (5000 bytes)", "no: '«redacted»… (5000 bytes)"),
            (
                "…%y' is long; …x'>+%y' too",
                "…%y' is long; …«redacted»' too",
            ),
        ] {
            let mut text = text.to_owned();
            secrets.redact_sentence(&mut text);
            assert_eq!(text, safe);
        }
    }

    fn bytes_of(text: &str, form: &dyn Fn(u8) -> String) -> String {
        text.bytes().map(form).collect()
    }

    /// Its lines are looked for one by one, whatever ends them.
    #[test]
    fn reliability_r5_22_a_key_of_several_lines() {
        let key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA0\nabcdefghijklmnop\n-----END KEY-----\n";
        let secrets = Secrets::new([key.to_owned()]);
        for text in [
            key.to_owned(),
            key.replace('\n', "\r\n"),
            key.replace('\n', "\\n"),
            key.replace('\n', " "),
            "line 2: MIIEowIBAAKCAQEA0".to_owned(),
        ] {
            let mut redacted = text.clone();
            secrets.redact_sentence(&mut redacted);
            assert!(!redacted.contains("IEowI"), "{text:?}: {redacted:?}");
        }
    }

    /// redrill's own are kept out of what is said, and change no value of a request.
    #[test]
    fn safety_a13_own_credentials_are_none_of_the_plans() {
        let own = ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()];
        let secrets = Secrets::default().with_own(own.clone());
        assert!(secrets.is_empty());
        assert_eq!(secrets.redact(&own[0]), own[0]);
        let mut said = format!("AWS_SECRET_ACCESS_KEY={}", own[0]);
        assert_eq!(
            secrets.redact_text(&said),
            "AWS_SECRET_ACCESS_KEY=«redacted»"
        );
        assert_eq!(
            secrets.tail(&said, 1000),
            "AWS_SECRET_ACCESS_KEY=«redacted»"
        );
        secrets.redact_sentence(&mut said);
        assert_eq!(said, "AWS_SECRET_ACCESS_KEY=«redacted»");
    }

    #[test]
    fn a_mark_is_never_made_of_a_mark() {
        let secrets = Secrets::new(["redacted".to_owned(), "dact".to_owned()]);
        let once = secrets.redact("a redacted b").into_owned();
        assert_eq!(once, "a «redacted» b");
        assert_eq!(secrets.redact(&once), once);
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
