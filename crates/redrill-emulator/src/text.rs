//! Places in the YAML that people write for an emulator.

/// An error of the YAML library as `line:column: words`.
pub(super) fn placed(error: &serde_yaml::Error) -> String {
    let words = error.to_string();
    match error.location() {
        // The library says the place at the end, in words.
        Some(place) => {
            let end = format!(" at line {} column {}", place.line(), place.column());
            let words = words.replace(&end, "");
            format!("{}:{}: {words}", place.line(), place.column())
        }
        None => format!("1:1: {words}"),
    }
}

/// Finds a key of the outermost map: its line and column.
pub(super) fn place_of(text: &str, key: &str) -> (usize, usize) {
    let begins = |line: &str| {
        let line = line.trim_start_matches(['"', '\'']);
        let rest = line
            .strip_prefix(key)
            .map(|rest| rest.trim_start_matches(['"', '\'', ' ']));
        rest.is_some_and(|rest| rest.starts_with(':'))
    };
    let line = text.lines().position(begins).unwrap_or(0);
    (line + 1, 1)
}

/// Finds the items of the outermost list, one line for each.
pub(super) fn item_lines(text: &str) -> Vec<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines = || text.lines().enumerate();
    let item = |line: &str| {
        let line = line.trim_start();
        line == "-" || line.starts_with("- ")
    };
    let outermost = lines()
        .find(|(_, line)| item(line))
        .map(|(_, line)| indent(line));
    lines()
        .filter(|(_, line)| item(line) && Some(indent(line)) == outermost)
        .map(|(index, _)| index + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_items_have_their_lines() {
        assert_eq!(place_of("a: 1\n\"b\" : 2\nbc: 3\n", "b"), (2, 1));
        assert_eq!(place_of("a: 1\n\"b\" : 2\nbc: 3\n", "bc"), (3, 1));
        assert_eq!(
            item_lines("# x\n- a: 1\n  b: [- 1]\n-\n  c:\n    - 1\n- d\n"),
            [2, 4, 7]
        );
        assert_eq!(item_lines("  - a\n  - b\n"), [1, 2]);
        let error = serde_yaml::from_str::<Vec<u64>>("- 1\n- x\n").unwrap_err();
        assert!(placed(&error).starts_with("2:3: "), "{}", placed(&error));
    }
}
