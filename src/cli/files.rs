//! Files that a command names.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::exit::Failure;
use crate::diagnostic::{Position, Source, Span};
use crate::parse::error;

/// Files by their path below a directory.
type Tree = std::collections::BTreeMap<String, Vec<u8>>;

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

pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
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

/// A text file that findings will point into; what is no text is a finding itself.
pub(super) fn source(path: &Path) -> Result<Arc<Source>, Failure> {
    decode(&path.to_string_lossy(), bytes(path)?)
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
            Err(Failure::Findings(vec![error(
                &Source::new(name, text),
                span,
                "yaml/encoding",
                format!("this is not UTF-8, from byte {whole} on"),
                "save the file as UTF-8; a plan is a text file",
            )]))
        }
    }
}

/// Every file under a directory, by its path from there with `/` between, and every directory. Anything else is refused: a
/// link says nothing about what it leads to, and a pipe could be waited for for ever.
pub(super) fn tree(directory: &Path) -> Result<(Tree, Vec<String>), Failure> {
    let mut files = Tree::new();
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

/// Writes files below a directory that is not there yet, or empty.
pub(super) fn write_tree(
    directory: &Path,
    files: &std::collections::BTreeMap<String, Vec<u8>>,
) -> Result<(), Failure> {
    for (name, content) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Failure::Io {
                path: parent.to_owned(),
                source,
            })?;
        }
        write(&path, content)?;
    }
    Ok(())
}

/// Writes a file that a command was asked for.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    write_with(path, |out| out.write_all(content.as_ref()))
}

/// The same of what is long, as it is made.
pub(super) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    std::fs::File::create(path)
        .map(std::io::BufWriter::new)
        .and_then(|mut file| {
            write(&mut file)?;
            file.flush()
        })
        .map_err(|source| Failure::Io {
            path: path.to_owned(),
            source,
        })
}

/// Whether a file could be written, before much work is done for it: its folder is there, and it is no folder itself.
pub(super) fn check_place(path: &Path, replace: bool) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::Io {
            path: path.to_owned(),
            source: std::io::ErrorKind::IsADirectory.into(),
        });
    }
    if path.exists() && !replace {
        return Err(taken(path));
    }
    let folder = folder_of(path);
    let fail = |source| Failure::Io {
        path: folder.to_owned(),
        source,
    };
    match std::fs::metadata(folder).map_err(fail)?.is_dir() {
        true => Ok(()),
        false => Err(fail(std::io::ErrorKind::NotADirectory.into())),
    }
}

/// Writes a file whole or not at all; one that is there is replaced only where `replace` says so.
pub(super) fn write_whole(path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    // As any other new file, whose readers the umask decides.
    put(path, text, replace, 0o666)
}

/// The same of a file that only its owner reads, in place of what is there.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    put(path, text, true, 0o600)
}

#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "files have no mode there")
)]
fn put(path: &Path, text: &str, replace: bool, mode: u32) -> Result<(), Failure> {
    // The path that an error of a temporary file names is of no use to anybody.
    let fail = |source: std::io::Error| Failure::Io {
        path: path.to_owned(),
        source: match source.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => source.kind().into(),
        },
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut file = builder.tempfile_in(folder_of(path)).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    let kept = match replace {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    match kept {
        Ok(_) => Ok(()),
        Err(err) if err.error.kind() == std::io::ErrorKind::AlreadyExists => Err(taken(path)),
        Err(err) => Err(fail(err.error)),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn taken(path: &Path) -> Failure {
    Failure::Usage(format!(
        "{} exists, and is not overwritten without --force",
        path.display()
    ))
}
