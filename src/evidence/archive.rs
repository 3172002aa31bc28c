//! A bundle in one file: a ZIP in its one form, so that the same files are the same bytes.

use std::collections::HashSet;
use std::io::{Cursor, Read as _, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{ABOUT, BundleFiles, JOURNAL, Mismatch, first_difference, mismatch};

/// The largest file that is taken out of one.
const LARGEST: u64 = 1 << 30;
const PERMISSIONS: u32 = 0o644;
/// Effort of the compressor, from 1 to 9.
const LEVEL: i64 = 9;

/// The form of the reports from which on bundles are compressed, and have a time.
const COMPRESSED: u32 = 3;

/// Fields of about.json that a ZIP depends on.
#[derive(Default, Deserialize)]
struct Maker {
    #[serde(default)]
    reports: Option<u32>,
    #[serde(default)]
    redrill: String,
}

impl Maker {
    fn of(files: &BundleFiles) -> Self {
        let about = files.get(ABOUT).map(Vec::as_slice).unwrap_or_default();
        serde_json::from_slice(about).unwrap_or_default()
    }

    fn compresses(&self) -> bool {
        self.reports.is_some_and(|form| form >= COMPRESSED)
    }
}

/// Finds the time of the run's last record, in UTC: a ZIP has no zones.
fn last_record(files: &BundleFiles) -> Option<DateTime> {
    #[derive(Deserialize)]
    struct LastRecord {
        at: Timestamp,
    }
    let mut segments = files.iter().rev();
    let (_, last) =
        segments.find(|(name, bytes)| name.starts_with(JOURNAL) && !bytes.is_empty())?;
    let line = last.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    let LastRecord { at } = serde_json::from_slice(line).ok()?;
    let at = at.to_zoned(TimeZone::UTC);
    let part = |part: i8| u8::try_from(part).ok();
    DateTime::from_date_and_time(
        u16::try_from(at.year()).ok()?,
        part(at.month())?,
        part(at.day())?,
        part(at.hour())?,
        part(at.minute())?,
        part(at.second())?,
    )
    .ok()
}

/// Packs the files in the order of their names: compressed, with the time of the journal's last record. Bundles of forms
/// that had neither are packed as they were.
///
/// # Errors
///
/// Where a file is too large for a ZIP.
pub fn pack(files: &BundleFiles) -> std::io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default().unix_permissions(PERMISSIONS);
    let options = if Maker::of(files).compresses() {
        options
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(last_record(files).unwrap_or_default())
    } else {
        options
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Unpacks an archive, which has to be one that [`pack`] has made, byte for byte.
///
/// # Errors
///
/// Where it is not; the file in it that is not as it was, where that can be told.
pub fn unpack(name: &str, bytes: &[u8]) -> Result<BundleFiles, Mismatch> {
    let broken = |err: zip::result::ZipError| {
        mismatch(name, format!("it is not a readable ZIP file: {err}"))
    };
    if let Some(twice) = name_that_is_twice(bytes) {
        return Err(mismatch(&twice, "it is in the archive twice"));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut files = BundleFiles::new();
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(broken)?;
        let inner = file.name().to_owned();
        let mut content = Vec::new();
        file.take(LARGEST)
            .read_to_end(&mut content)
            .map_err(|err| mismatch(&inner, format!("it cannot be read: {err}")))?;
        files.insert(inner, content);
    }
    Ok(files)
}

/// A name that two entries have: of those, readers take different ones. The library has only the last by then, so the central
/// directory is read (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 4.3.12 and 4.3.16).
fn name_that_is_twice(bytes: &[u8]) -> Option<String> {
    let end = bytes.windows(4).rposition(|four| four == b"PK\x05\x06")?;
    let short = |at: usize| {
        let two = bytes.get(at..at + 2)?;
        Some(usize::from(u16::from_le_bytes(two.try_into().ok()?)))
    };
    let long = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
    };
    let mut at = long(end + 16)?;
    let mut names = HashSet::new();
    while bytes.get(at..at + 4)? == b"PK\x01\x02" {
        let name = at + 46..at + 46 + short(at + 28)?;
        let name = bytes.get(name)?;
        if !names.insert(name) {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
        at += 46 + name.len() + short(at + 30)? + short(at + 32)?;
    }
    None
}

/// Checks that an archive is one that [`pack`] has made of these files.
///
/// # Errors
///
/// Where it is not: from which byte on.
pub fn is_packed(name: &str, bytes: &[u8], files: &BundleFiles) -> Result<(), Mismatch> {
    let again = pack(files).map_err(|err| mismatch(name, err.to_string()))?;
    if again == bytes {
        return Ok(());
    }
    // Another version's compressor may make other bytes of the same files. All the rest of the ZIP is ours.
    let maker = Maker::of(files);
    let at = last_record(files).unwrap_or_default();
    if maker.compresses()
        && maker.redrill != env!("CARGO_PKG_VERSION")
        && copied(bytes, at).is_ok_and(|copy| copy == bytes)
    {
        return Ok(());
    }
    let at = first_difference(&again, bytes);
    Err(mismatch(
        name,
        format!("redrill would have packed it differently, from byte {at} on"),
    ))
}

/// The archive written again around the compressed bytes that it has.
fn copied(bytes: &[u8], at: DateTime) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index)?;
        zip.raw_copy_file_touch(file, at, Some(PERMISSIONS))?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle of an earlier redrill has to be what this one packs: another writer of ZIPs would show here.
    #[test]
    fn the_bytes_of_a_bundle_stay_the_same() {
        let files = BundleFiles::from([
            ("a.txt".to_owned(), b"hello\n".to_vec()),
            ("b/c.json".to_owned(), b"{}".to_vec()),
        ]);
        let bytes = pack(&files).unwrap();
        assert_eq!(unpack("x.zip", &bytes).unwrap(), files);
        is_packed("x.zip", &bytes, &files).unwrap();
        assert_eq!(
            crate::plan::sha256(&bytes),
            "c009d8d5688f78804db9aed0009bf3c4527a3c52706335956dfc23773ba572a7"
        );
    }

    fn bundle(redrill: &str) -> BundleFiles {
        let about = format!(r#"{{"reports":3,"redrill":"{redrill}"}}"#);
        let record = |at: &str| format!("{{\"v\":1,\"at\":\"{at}\"}}\n");
        let journal = record("2026-11-24T06:00:00Z") + &record("2026-11-24T06:15:31.9Z");
        BundleFiles::from([
            (ABOUT.to_owned(), about.into_bytes()),
            ("journal/00000001.jsonl".to_owned(), journal.into_bytes()),
            ("reports/report.md".to_owned(), b"restored\n".repeat(500)),
        ])
    }

    /// On every machine, and for good: another compressor would show here, and then earlier versions need theirs.
    #[test]
    fn first_contact_c14_a_bundle_is_compressed_and_has_the_time_of_its_run() {
        let files = bundle(env!("CARGO_PKG_VERSION"));
        let bytes = pack(&files).unwrap();
        let of_any_version = pack(&bundle("0.0.9")).unwrap();
        assert_eq!(
            crate::plan::sha256(&of_any_version),
            "7f0fa9afdc18e4b883717e6580b2ba9e2753b968d906672e0f2c659c419091ac"
        );
        assert_eq!(unpack("x.zip", &bytes).unwrap(), files);
        is_packed("x.zip", &bytes, &files).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let file = archive.by_index(0).unwrap();
        let at = file.last_modified().unwrap();
        assert_eq!(
            (at.year(), at.month(), at.day(), at.hour(), at.minute()),
            (2026, 11, 24, 6, 15)
        );
    }

    #[test]
    fn a_bundle_that_another_version_compressed_is_what_its_files_make() {
        let files = bundle("0.0.9");
        let options = SimpleFileOptions::default()
            .unix_permissions(PERMISSIONS)
            .last_modified_time(last_record(&files).unwrap())
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1));
        let zipped = |options: SimpleFileOptions| {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, bytes) in &files {
                zip.start_file(name.as_str(), options).unwrap();
                zip.write_all(bytes).unwrap();
            }
            zip.finish().unwrap().into_inner()
        };
        let bytes = zipped(options);
        assert_ne!(bytes, pack(&files).unwrap());
        is_packed("x.zip", &bytes, &files).unwrap();
        let touched = zipped(options.last_modified_time(DateTime::default()));
        is_packed("x.zip", &touched, &files).unwrap_err();
        // This version has its one form.
        let own = bundle(env!("CARGO_PKG_VERSION"));
        is_packed("x.zip", &bytes, &own).unwrap_err();
    }
}
