//! Files that a command reads.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::exit::Failure;
use crate::diagnostic::{Finding, Position, Source, Span, did_you_mean, rule};
use crate::diff::Saved;

/// Files by their path below a directory.
type FileTree = BTreeMap<String, Vec<u8>>;

/// A plan of 100,000 restores is about 50 MB; more than this is not a plan.
const MAX_BYTES: u64 = 256 << 20;

/// Reads a text file, or standard input for `-`.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?).map_err(|err| Failure::Io {
        path: path.to_owned(),
        source: std::io::Error::other(format!(
            "not UTF-8 from byte {} on",
            err.utf8_error().valid_up_to()
        )),
    })
}

/// Contents of pipes, which can be read only once: a file is checked for a saved plan before it is read as a plan.
static PIPED: Mutex<BTreeMap<PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());

pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    if !super::pipe::is_one(path) {
        return bytes_of(path);
    }
    let mut piped = PIPED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = piped.get(path) {
        return Ok(bytes.clone());
    }
    let bytes = bytes_of(path)?;
    piped.insert(path.to_owned(), bytes.clone());
    Ok(bytes)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |source| Failure::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        super::pipe::open(path).map_err(fail)?
    };
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(std::io::Error::other(format!(
            "longer than {} MiB",
            MAX_BYTES >> 20
        ))));
    }
    // A large plan is kept as long as the command runs.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// A file that may have been meant where there is none of a name: a plan without its extension or its folder, or a slip of
/// the fingers.
pub(super) fn near(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    let own = path.parent().unwrap_or(Path::new(""));
    let names_in = |folder: &Path| {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        let mut names: Vec<String> = files
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    };
    let is_plan_of = |file: &String| {
        let file = Path::new(file);
        let is_yaml = file
            .extension()
            .is_some_and(|of| of == "yaml" || of == "yml");
        is_yaml && file.file_stem().is_some_and(|stem| *stem == *name)
    };
    let folders = [own.to_owned(), own.join("plans"), own.join(&*name)];
    let plan = folders.iter().find_map(|folder| {
        let plan = names_in(folder).into_iter().find(is_plan_of)?;
        Some(folder.join(plan))
    });
    plan.or_else(|| {
        let names = names_in(own);
        let meant = did_you_mean(&name, names.iter().map(String::as_str))?;
        Some(own.join(meant))
    })
}

/// A text file that findings will point into; what is no text is a finding itself.
pub(super) fn source(path: &Path) -> Result<Arc<Source>, Failure> {
    decode(&path.to_string_lossy(), bytes(path)?)
}

/// The same of a plan: what `redrill plan -o` has saved is none.
pub(super) fn plan(path: &Path) -> Result<Arc<Source>, Failure> {
    let source = source(path)?;
    refuse_saved(path, &source.text)?;
    Ok(source)
}

/// A saved plan where a plan is wanted: only `run` takes one.
fn refuse_saved(path: &Path, text: &str) -> Result<(), Failure> {
    if !Saved::is_one(text) {
        return Ok(());
    }
    let name = path.display();
    let of = match Saved::parse(text) {
        Ok(saved) => format!("`{}`", saved.inputs.file.path),
        Err(_) => "the plan that it was made of".to_owned(),
    };
    Err(Failure::Usage(format!(
        "{name} is a saved plan, which only `redrill run {name}` takes: give {of} here"
    )))
}

/// The same of bytes that were read, under a name.
pub(super) fn decode(name: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Failure> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(err) => {
            let whole = err.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(err.as_bytes()).into_owned();
            let before = &text[..whole];
            let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let start = Position {
                line: count(before.matches('\n').count()),
                column: count(before[line_start..].chars().count()),
            };
            let span = Span { start, end: start };
            let source = Source::new(name, text);
            // Secret values in it cannot be told from others.
            let end = Position {
                line: u32::MAX,
                column: u32::MAX,
            };
            let begin = Position { line: 1, column: 1 };
            source.hide(vec![Span { start: begin, end }]);
            Err(Failure::Findings(vec![Finding::at(
                &source,
                span,
                rule::YAML_ENCODING,
                format!("this is not UTF-8, from byte {whole} on"),
                "save the file as UTF-8; a plan is a text file",
            )]))
        }
    }
}

/// Every file under a directory, by its path from there with `/` between, and every directory. Anything else is refused: a
/// link says nothing about what it leads to, and a pipe could be waited for for ever.
pub(super) fn tree(directory: &Path) -> Result<(FileTree, Vec<String>), Failure> {
    let mut files = FileTree::new();
    let mut directories = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let fail = |source| Failure::Io {
            path: folder.clone(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let (path, is) = (entry.path(), entry.file_type().map_err(fail)?);
            let below = path.strip_prefix(directory).unwrap_or(&path);
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            let name = parts.join("/");
            if is.is_dir() {
                directories.push(name);
                folders.push(path);
            } else if is.is_file() {
                files.insert(name, bytes(&path)?);
            } else {
                let what = if is.is_symlink() {
                    "a link"
                } else {
                    "a named pipe, a socket or a device"
                };
                return Err(Failure::Mismatch(format!(
                    "{name}: it is {what}, not a file"
                )));
            }
        }
    }
    Ok((files, directories))
}
