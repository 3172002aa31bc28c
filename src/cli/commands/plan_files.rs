//! The plans that `redrill validate` and `redrill plan` are given: files, and folders of plans among which other files lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::exit::Failure;
use crate::cli::files;
use crate::diagnostic::{Finding, Source};
use crate::parse::FileKind;

/// The text of a file, or why it is none.
type FileText = Result<Arc<Source>, Vec<Finding>>;

/// Files found under the names that were given.
#[derive(Default)]
pub(super) struct PlanFiles {
    /// Plans, in the order they were given, those of a folder by their names; or why one is no text.
    pub(super) plans: Vec<(PathBuf, FileText)>,
    /// Failures for files that are not there or cannot be read.
    pub(super) unread: Vec<Failure>,
    skipped: Skipped,
}

/// Numbers of files that were left alone.
#[derive(Default)]
struct Skipped {
    locks: usize,
    variables: usize,
    inventories: usize,
    others: usize,
}

impl PlanFiles {
    /// Finds all of them; what cannot be read keeps nobody from checking the rest.
    pub(super) fn find(given: &[PathBuf]) -> Result<Self, Failure> {
        let mut found = Self::default();
        for path in given {
            if path.is_dir() {
                found.folder(path)?;
            } else {
                found.named(path)?;
            }
        }
        Ok(found)
    }

    /// A file that was named is meant, whatever is in it; but patterns name lock files along with their plans.
    fn named(&mut self, path: &Path) -> Result<(), Failure> {
        let source = match files::plan(path) {
            Ok(source) => source,
            Err(Failure::Findings(findings)) => {
                self.plans.push((path.to_owned(), Err(findings)));
                return Ok(());
            }
            Err(failure @ Failure::Io { .. }) => {
                self.unread.push(failure);
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        match FileKind::of(&source) {
            FileKind::Lock => self.skipped.locks += 1,
            _ => self.plans.push((path.to_owned(), Ok(source))),
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let mut paths = BTreeSet::new();
        if let Err(failure) = yaml_below(folder, &mut paths) {
            self.unread.push(failure);
        }
        let before = self.plans.len();
        for path in &paths {
            let source = match files::source(path) {
                Ok(source) => source,
                Err(Failure::Findings(findings)) => {
                    self.plans.push((path.clone(), Err(findings)));
                    continue;
                }
                Err(failure) => {
                    self.unread.push(failure);
                    continue;
                }
            };
            match FileKind::of(&source) {
                FileKind::Plan => self.plans.push((path.clone(), Ok(source))),
                FileKind::Lock => self.skipped.locks += 1,
                FileKind::Variables => self.skipped.variables += 1,
                FileKind::Inventory => self.skipped.inventories += 1,
                FileKind::Other => self.skipped.others += 1,
            }
        }
        // To check nothing would look like success.
        if before == self.plans.len() && self.unread.is_empty() {
            let others = match paths.len() {
                0 => "no YAML file".to_owned(),
                n => format!("no plan among its YAML files ({n})"),
            };
            return Err(Failure::Usage(format!(
                "{} has {others}; a plan has `plan`, `target` and `restores`",
                folder.display()
            )));
        }
        Ok(())
    }

    /// Tells how many files were left alone; none if all were checked.
    pub(super) fn skipped(&self) -> Option<String> {
        let Skipped {
            locks,
            variables,
            inventories,
            others,
        } = self.skipped;
        let count = |n: usize, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let all: Vec<String> = [
            count(locks, "lock file", "lock files"),
            count(variables, "variables file", "variables files"),
            count(inventories, "inventory", "inventories"),
            count(others, "other YAML file", "other YAML files"),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!all.is_empty()).then(|| format!("skipped, not plans: {}", all.join(", ")))
    }
}

/// Every YAML file below a folder. Hidden folders are tools' own, and a link to a folder could lead back.
fn yaml_below(folder: &Path, paths: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let fail = |source| Failure::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (path, is) = (entry.path(), entry.file_type().map_err(fail)?);
        if is.is_dir() {
            if !entry.file_name().to_string_lossy().starts_with('.') {
                yaml_below(&path, paths)?;
            }
            continue;
        }
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && path.is_file() {
            paths.insert(path);
        }
    }
    Ok(())
}
