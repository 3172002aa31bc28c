//! The shapes in which a secret comes back: escaped for JSON, HTML or a URL, in base64 or hexadecimal, in another case, with
//! spaces or line ends in it, cut.
//!
//! A text is folded: what is escaped is what it stands for, letters have one case, and what separates is left out. A
//! secret that is folded alike is then found in it by a plain search, and its place in the text is known.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Characters of a folded secret that is looked for: shorter ones would be found everywhere, and are looked for as they
/// are.
const SHORTEST: usize = 4;
/// Number of times that a text may be escaped.
const LAYERS: usize = 4;
/// Characters of the beginning of a secret that are one where a text is cut behind them.
const CUT: usize = 8;
/// Characters of a secret that are one before or behind an ellipsis: somebody has cut there, and nobody knows what.
const AT_ELLIPSIS: usize = 3;
/// Characters of a line of a secret that is looked for by itself, as of a private key.
const LINE: usize = 12;

/// A text without what other programs do to it, and where each byte of it came from.
pub(super) struct Folded {
    /// Text as it is, but for escapes and separators.
    text: String,
    /// The same in one case.
    lower: String,
    /// The bytes of the original that each byte of `text` stands for.
    places: Vec<(u32, u32)>,
    /// The same of `lower`.
    lower_places: Vec<(u32, u32)>,
}

type Piece = (char, u32, u32);

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces: Vec<Piece> = text
            .char_indices()
            .map(|(at, c)| (c, place(at), place(at + c.len_utf8())))
            .collect();
        if text.contains(['\\', '%', '&']) {
            for _ in 0..LAYERS {
                match unescaped(&pieces) {
                    Some(less) => pieces = less,
                    None => break,
                }
            }
        }
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            lower: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
            lower_places: Vec::with_capacity(text.len()),
        };
        for (c, from, to) in pieces {
            if c.is_whitespace() || c == '+' || crate::diagnostic::is_hidden(c) {
                continue;
            }
            folded.text.push(c);
            folded.places.resize(folded.text.len(), (from, to));
            if c.is_ascii() {
                folded.lower.push(c.to_ascii_lowercase());
            } else {
                folded
                    .lower
                    .extend(c.to_uppercase().flat_map(char::to_lowercase));
            }
            folded.lower_places.resize(folded.lower.len(), (from, to));
        }
        folded
    }
}

/// A secret in the shapes that are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    /// Folded, in one case.
    folded: Vec<String>,
    /// In hexadecimal.
    digits: Vec<String>,
    /// In base64, whatever stands around it: the part that depends on nothing else.
    encoded: Vec<String>,
}

impl Shapes {
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut shapes = Self::default();
        for value in values {
            shapes.add(value);
            let lines = value.lines().map(str::trim);
            if value.trim().contains('\n') {
                lines
                    .filter(|line| line.chars().count() >= LINE)
                    .for_each(|line| shapes.add(line));
            }
        }
        for all in [&mut shapes.folded, &mut shapes.digits, &mut shapes.encoded] {
            all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            all.dedup();
        }
        shapes
    }

    fn add(&mut self, value: &str) {
        let folded = Folded::new(value).lower;
        if folded.chars().count() >= SHORTEST {
            self.folded.push(folded);
        }
        if value.len() < SHORTEST {
            return;
        }
        // PowerShell and .NET encode UTF-16.
        let units = || value.encode_utf16();
        self.encode(value.as_bytes());
        self.encode(&units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        self.encode(&units().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    }

    /// Takes in what bytes are in hexadecimal and in base64.
    fn encode(&mut self, bytes: &[u8]) {
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folded.push(hexadecimal.clone());
        self.digits.push(hexadecimal);
        for before in 0..3 {
            let mut padded = vec![0; before];
            padded.extend_from_slice(bytes);
            // Of six bits each: those that come from the secret alone.
            let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let encoded = &engine.encode(&padded)[from..to];
                self.encoded.push(encoded.replace('+', ""));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Finds the places where a text shows one of them.
    pub(super) fn find(&self, text: &str, folded: &Folded, found: &mut Vec<(usize, usize)>) {
        for needle in &self.folded {
            for (at, _) in folded.lower.match_indices(needle.as_str()) {
                found.push(range(&folded.lower_places, at, needle.len()));
            }
        }
        if let Some((digits, places)) = byte_by_byte(folded) {
            for needle in &self.digits {
                for (at, _) in digits.match_indices(needle.as_str()) {
                    found.push(range(&places, at, needle.len()));
                }
            }
        }
        for needle in &self.encoded {
            for (at, _) in folded.text.match_indices(needle.as_str()) {
                let (from, to) = range(&folded.places, at, needle.len());
                // Characters around it belong to the same encoding, and tell its first and last letters.
                let is_code = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
                let before = text[..from].chars().rev().take_while(|c| is_code(*c));
                let before = before.count();
                let behind = text[to..].chars().take_while(|c| is_code(*c) || *c == '=');
                let behind = behind.count();
                found.push((from - before, to + behind));
            }
        }
    }

    /// Finds the places where a text that somebody has cut ends, or resumes, within one of them.
    pub(super) fn find_cut(&self, text: &str, folded: &Folded, found: &mut Vec<(usize, usize)>) {
        let closes = |c: char| matches!(c, '.' | '…' | '"' | '\'' | '`' | ')' | ']' | '}');
        let ellipses = || text.match_indices("...").chain(text.match_indices('…'));
        let ends = ellipses()
            .map(|(at, _)| (at, true))
            .chain([(text.trim_end().trim_end_matches(closes).len(), false)]);
        let begins = ellipses()
            .map(|(at, dots)| (at + dots.len(), true))
            .chain([(0, false)]);
        let least = |needle: &str, is_ellipsis: bool| match least(needle) {
            least if is_ellipsis => least.min(AT_ELLIPSIS),
            least => least,
        };
        let places = &folded.lower_places;
        for (end, is_ellipsis) in ends {
            let at = places.partition_point(|(_, to)| *to as usize <= end);
            let before = &folded.lower[..folded.lower.floor_char_boundary(at)];
            let longest = self.folded.iter().filter_map(|needle| {
                let lengths = boundaries(needle);
                let longest_first = lengths.iter().rev().copied();
                longest_first
                    .filter(|length| {
                        needle[..*length].chars().count() >= least(needle, is_ellipsis)
                    })
                    .find(|length| before.ends_with(&needle[..*length]))
            });
            if let Some(length) = longest.max() {
                found.push(range(places, before.len() - length, length));
            }
        }
        for (begin, is_ellipsis) in begins {
            let at = places.partition_point(|(from, _)| (*from as usize) < begin);
            let behind = &folded.lower[folded.lower.ceil_char_boundary(at)..];
            let longest = self.folded.iter().filter_map(|needle| {
                let begins = boundaries(needle).into_iter();
                begins
                    .filter(|from| needle[*from..].chars().count() >= least(needle, is_ellipsis))
                    .find(|from| behind.starts_with(&needle[*from..]))
                    .map(|from| needle.len() - from)
            });
            if let Some(length) = longest.max() {
                found.push(range(places, folded.lower.len() - behind.len(), length));
            }
        }
    }
}

/// The hexadecimal digits of a text in which bytes stand apart, as in `5a:65`, `5a-65` or `0x5a, 0x65`; anything else between
/// them is a mark. `None` where there are no such bytes.
fn byte_by_byte(folded: &Folded) -> Option<(String, Vec<(u32, u32)>)> {
    const APART: &[u8] = b":-,;|";
    let bytes = folded.lower.as_bytes();
    let is_pair = |at: &[u8]| at[0].is_ascii_hexdigit() && at[1].is_ascii_hexdigit();
    let is_apart = |at: &[u8]| is_pair(at) && APART.contains(&at[2]) && at[3].is_ascii_hexdigit();
    if !bytes.windows(4).any(is_apart) {
        return None;
    }
    let mut digits = String::with_capacity(bytes.len());
    let mut places = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if bytes[at..].starts_with(b"0x") {
            at += 2;
            continue;
        }
        if !APART.contains(byte) {
            let is_digit = byte.is_ascii_hexdigit();
            digits.push(if is_digit { char::from(*byte) } else { ' ' });
            places.push(folded.lower_places[at]);
        }
        at += 1;
    }
    Some((digits, places))
}

/// Returns the fewest characters of a secret that tell something of it.
fn least(needle: &str) -> usize {
    (needle.chars().count() / 2).clamp(SHORTEST, CUT)
}

/// Returns the positions of characters, except the first.
fn boundaries(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).skip(1).collect()
}

fn range(places: &[(u32, u32)], at: usize, length: usize) -> (usize, usize) {
    let from = places.get(at).map_or(0, |(from, _)| *from as usize);
    let last = (at + length).saturating_sub(1);
    let to = places.get(last).map_or(from, |(_, to)| *to as usize);
    (from, to)
}

/// Texts are shorter than four gigabytes: a journal's record is.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// One layer of escapes less; `None` where there is none.
fn unescaped(pieces: &[Piece]) -> Option<Vec<Piece>> {
    let mut less = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while let [(c, from, to), behind @ ..] = rest {
        let taken = match c {
            '\\' => backslash(rest, &mut less),
            '%' => percent(rest, &mut less),
            '&' => entity(rest, &mut less),
            _ => 0,
        };
        if taken == 0 {
            less.push((*c, *from, *to));
            rest = behind;
        } else {
            rest = &rest[taken..];
        }
    }
    (less.len() < pieces.len()).then_some(less)
}

fn hexadecimal(pieces: &[Piece]) -> Option<u32> {
    let digits = pieces.iter().map(|(c, _, _)| c.to_digit(16));
    digits.into_iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(16)?.checked_add(digit?)
    })
}

/// `\x41`, `\101`: a byte, and how many pieces it takes, with as many backslashes as there are.
fn byte(rest: &[Piece]) -> Option<(u8, usize)> {
    let slashes = rest.iter().take_while(|(c, _, _)| *c == '\\').count();
    let digits = &rest[slashes..];
    let octal = |length: usize| {
        let digits = digits.get(..length)?.iter();
        digits
            .map(|(c, _, _)| c.to_digit(8))
            .try_fold(0, |value, digit| Some(value * 8 + digit?))
    };
    let (value, length) = match digits.first()?.0 {
        _ if slashes == 0 => return None,
        'x' => (hexadecimal(digits.get(1..3)?)?, 3),
        _ => (1..=3)
            .rev()
            .find_map(|length| Some((octal(length)?, length)))?,
    };
    Some((u8::try_from(value).ok()?, slashes + length))
}

/// Bytes that are escaped one by one: UTF-8, or else Latin-1.
fn bytes(rest: &[Piece], less: &mut Vec<Piece>) -> usize {
    let (mut bytes, mut places, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some((value, taken)) = byte(&rest[at..]) {
        bytes.push(value);
        places.push((rest[at].1, rest[at + taken - 1].2));
        at += taken;
    }
    let mut done = 0;
    for chunk in bytes.utf8_chunks() {
        let invalid = chunk.invalid().iter().map(|byte| (char::from(*byte), 1));
        let valid = chunk.valid().chars().map(|c| (c, c.len_utf8()));
        for (c, length) in valid.chain(invalid) {
            less.push((c, places[done].0, places[done + length - 1].1));
            done += length;
        }
    }
    at
}

/// `\n`, `\"`, `\u00e9`, `\x41`, `\101`, with as many backslashes as there are.
fn backslash(rest: &[Piece], less: &mut Vec<Piece>) -> usize {
    if let taken @ 1.. = bytes(rest, less) {
        return taken;
    }
    let slashes = rest.iter().take_while(|(c, _, _)| *c == '\\').count();
    let from = rest[0].1;
    let Some((c, _, to)) = rest.get(slashes).copied() else {
        return slashes;
    };
    let unit = |at: usize, digits: usize| {
        let digits = rest.get(at..at + digits)?;
        Some((hexadecimal(digits)?, digits.last()?.2))
    };
    let (code, taken) = match c {
        'n' | 'r' | 't' | '\n' | '\r' => return slashes + 1,
        'u' => match unit(slashes + 1, 4) {
            Some((high, _)) if (0xd800..0xdc00).contains(&high) => {
                let at = slashes + 5;
                let more = rest[at.min(rest.len())..]
                    .iter()
                    .take_while(|(c, _, _)| *c == '\\')
                    .count();
                match unit(at + more + 1, 4) {
                    Some((low, to)) if (0xdc00..0xe000).contains(&low) => {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        (Some((code, to)), at + more + 5)
                    }
                    _ => (None, 0),
                }
            }
            code => (code, slashes + 5),
        },
        _ => (None, 0),
    };
    match code.and_then(|(code, to)| Some((char::from_u32(code)?, to))) {
        Some((c, to)) => {
            less.push((c, from, to));
            taken
        }
        None => {
            less.push((c, from, to));
            slashes + 1
        }
    }
}

/// `%C3%A9`
fn percent(rest: &[Piece], less: &mut Vec<Piece>) -> usize {
    let bytes: Vec<u8> = rest
        .chunks(3)
        .map_while(|chunk| match chunk {
            [('%', _, _), digits @ ..] if digits.len() == 2 => {
                u8::try_from(hexadecimal(digits)?).ok()
            }
            _ => None,
        })
        .collect();
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(err) => std::str::from_utf8(&bytes[..err.valid_up_to()]).unwrap_or_default(),
    };
    let mut at = 0;
    for c in text.chars() {
        let end = at + 3 * c.len_utf8();
        less.push((c, rest[at].1, rest[end - 1].2));
        at = end;
    }
    at
}

/// `&lt;`, `&#39;`, `&#x27;`
fn entity(rest: &[Piece], less: &mut Vec<Piece>) -> usize {
    const NAMES: [(&str, char); 6] = [
        ("amp", '&'),
        ("apos", '\''),
        ("gt", '>'),
        ("lt", '<'),
        ("nbsp", ' '),
        ("quot", '"'),
    ];
    let Some(end) = rest.iter().take(12).position(|(c, _, _)| *c == ';') else {
        return 0;
    };
    let name: String = rest[1..end].iter().map(|(c, _, _)| *c).collect();
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(number) => u32::from_str_radix(number, 16).ok(),
            None => number.parse().ok(),
        }
        .and_then(char::from_u32),
        None => NAMES.iter().find(|(of, _)| *of == name).map(|(_, c)| *c),
    };
    match code {
        Some(c) => {
            less.push((c, rest[0].1, rest[end].2));
            end + 1
        }
        None => 0,
    }
}
