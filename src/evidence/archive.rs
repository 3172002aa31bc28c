//! A bundle in one file: a ZIP in its one form, so that the same files are the same bytes.

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Files, Mismatch, first_difference, mismatch};

/// The largest file that is taken out of one.
const LARGEST: u64 = 1 << 30;

/// Packs the files: stored, in the order of their names, without times.
///
/// # Errors
///
/// Where a file is too large for a ZIP.
pub fn pack(files: &Files) -> std::io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
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
pub fn unpack(name: &str, bytes: &[u8]) -> Result<Files, Mismatch> {
    let broken = |err: zip::result::ZipError| {
        mismatch(name, format!("it is not a readable ZIP file: {err}"))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut files = Files::new();
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

/// Whether an archive is one that [`pack`] has made of these files.
///
/// # Errors
///
/// Where it is not: from which byte on.
pub fn is_packed(name: &str, bytes: &[u8], files: &Files) -> Result<(), Mismatch> {
    let again = pack(files).map_err(|err| mismatch(name, err.to_string()))?;
    if again == bytes {
        return Ok(());
    }
    let at = first_difference(&again, bytes);
    Err(mismatch(
        name,
        format!("the ZIP is not as redrill packs it, from byte {at} on"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle of an earlier redrill has to be what this one packs: another writer of ZIPs would show here.
    #[test]
    fn the_bytes_of_a_bundle_stay_the_same() {
        let files = Files::from([
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
}
