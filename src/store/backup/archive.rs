//! Writes a backup archive: entries in order, each with its hash, and the manifest last.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Read, Seek, Write};

use serde::Serialize;
use tar::{Builder, Header};

use crate::error::{Error, Result};
use crate::store::backup::manifest::{About, Entry, MANIFEST, ManifestEntry, Missing, Name};
use crate::store::backup::part::PartialBackup;
use crate::store::engine::failure;
use crate::store::files::hashing::{Cancel, Hashing};

/// File name of the archive while it is being written.
pub const NAME: &str = "archive";

/// Size of the write buffer, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// An archive that is being written. The manifest grows in a file beside it instead of in memory.
pub struct Archive<'part> {
    part: &'part PartialBackup,
    builder: Builder<BufWriter<File>>,
    manifest: BufWriter<File>,
    cancel: Cancel,
}

impl<'part> Archive<'part> {
    /// Creates an empty archive in the folder of a partial backup.
    pub fn begin(part: &'part PartialBackup, about: &About, cancel: &Cancel) -> Result<Self> {
        let builder = Builder::new(BufWriter::with_capacity(BUFFER_BYTES, part.create(NAME)?));
        let manifest = BufWriter::new(part.create(MANIFEST)?);
        let mut archive = Self { part, builder, manifest, cancel: cancel.clone() };
        archive.note(about)?;
        Ok(archive)
    }

    /// Adds a file unchanged.
    pub fn add(&mut self, name: &Name, file: &File) -> Result<()> {
        let size = file.metadata().map_err(Error::internal)?.len();
        let mut bytes = Hashing::new(file, &self.cancel);
        append(&mut self.builder, &name.to_string(), size, &mut bytes).map_err(self.failed())?;
        let (found, sha256) = bytes.finish();
        if found != size {
            return Err(Error::internal(format!("{name} changed while it was being read")));
        }
        self.note(&Entry { name: name.to_string(), content: ManifestEntry::Present { size, sha256 } })
    }

    /// Records a file that is not in the archive.
    pub fn note_missing(&mut self, name: &Name, missing: Missing) -> Result<()> {
        self.note(&Entry { name: name.to_string(), content: ManifestEntry::Missing { missing } })
    }

    /// Appends the manifest and syncs the archive to disk. Returns the length of the archive in bytes.
    pub fn finish(mut self) -> Result<u64> {
        let failed = self.failed();
        let mut manifest = self.manifest.into_inner().map_err(IntoInnerError::into_error).map_err(&failed)?;
        manifest.rewind().map_err(Error::internal)?;
        let size = manifest.metadata().map_err(Error::internal)?.len();
        append(&mut self.builder, MANIFEST, size, manifest).map_err(&failed)?;
        let buffer = self.builder.into_inner().map_err(&failed)?;
        let file = buffer.into_inner().map_err(IntoInnerError::into_error).map_err(&failed)?;
        file.sync_all().map_err(&failed)?;
        std::fs::metadata(self.part.path(NAME)).map(|file| file.len()).map_err(Error::internal)
    }

    fn failed(&self) -> impl Fn(io::Error) -> Error + use<'part> {
        failure::while_writing(self.part.file())
    }

    fn note(&mut self, line: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(line).map_err(Error::internal)?;
        writeln!(self.manifest, "{line}").map_err(self.failed())
    }
}

fn append(builder: &mut Builder<BufWriter<File>>, name: &str, size: u64, bytes: impl Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    builder.append(&header, bytes)
}
