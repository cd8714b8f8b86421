//! The files of medias on disk: written under another name first, named by their id only once all of it is there.
//!
//! `<data_directory>/media/<id>` is a file, `<id>.preview` a small picture of it, and `.part` ends what is being written.
//! Everything here waits for the disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::model::id::MediaId;
use crate::model::sniff::{HEAD_BYTES, sniff};

/// The folder of the files. Copies are handles to the same one.
#[derive(Debug, Clone)]
pub struct MediaFiles {
    folder: PathBuf,
}

/// Which of the files of a media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The file itself.
    Whole,
    /// A small picture of it.
    Preview,
}

/// A file that is being written. What is dropped before it is kept leaves nothing behind.
pub struct Draft {
    file: File,
    folder: PathBuf,
    name: String,
    size: u64,
    head: Vec<u8>,
    digest: Context,
    is_kept: bool,
}

/// A file that is on disk, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// What the first bytes tell.
    pub content_type: &'static str,
}

impl MediaFiles {
    /// The folder within a data directory; it is made when the first file is.
    pub fn within(data_directory: &Path) -> Self {
        Self { folder: data_directory.join("media") }
    }

    /// Begins a file.
    pub fn begin(&self, id: MediaId, part: Part) -> io::Result<Draft> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let name = name(id, part);
        let path = self.folder.join(format!("{name}.part"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let (folder, digest) = (self.folder.clone(), Context::new(&SHA256));
        Ok(Draft { file, folder, name, size: 0, head: Vec::new(), digest, is_kept: false })
    }

    /// Where a complete file is.
    pub fn path(&self, id: MediaId, part: Part) -> PathBuf {
        self.folder.join(name(id, part))
    }

    /// Removes the file and its preview, as far as there are any.
    pub fn remove(&self, id: MediaId) -> io::Result<()> {
        for part in [Part::Whole, Part::Preview] {
            remove_if_any(&self.path(id, part))?;
        }
        Ok(())
    }

    /// Removes what was being written when the process ended. To be called before anything is written.
    pub fn sweep_drafts(&self) -> io::Result<()> {
        let entries = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "part") {
                remove_if_any(&path)?;
            }
        }
        Ok(())
    }
}

impl Draft {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.digest.update(bytes);
        self.size += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(())
    }

    /// What the bytes so far tell.
    pub fn content_type(&self) -> &'static str {
        sniff(&self.head)
    }

    /// Gives the file its name, once every byte is on disk.
    pub fn keep(mut self) -> io::Result<Kept> {
        self.file.sync_all()?;
        std::fs::rename(self.part(), self.folder.join(&self.name))?;
        self.is_kept = true;
        // The file's own sync does not cover the folder that lists it.
        File::open(&self.folder)?.sync_all()?;
        let digest = self.digest.clone().finish();
        let sha256 = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(Kept { size: self.size, sha256, content_type: self.content_type() })
    }

    fn part(&self) -> PathBuf {
        self.folder.join(format!("{}.part", self.name))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = remove_if_any(&self.part())
        {
            log::warn!("media: what was not complete could not be removed: {error}");
        }
    }
}

fn name(id: MediaId, part: Part) -> String {
    match part {
        Part::Whole => id.to_string(),
        Part::Preview => format!("{id}.preview"),
    }
}

fn remove_if_any(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_once_it_is_complete() {
        let data = tempfile::tempdir().unwrap();
        let (files, id) = (MediaFiles::within(data.path()), MediaId::random());
        let mut draft = files.begin(id, Part::Whole).unwrap();
        draft.write(b"\xff\xd8").unwrap();
        draft.write(b"\xff\xe0 and more").unwrap();

        assert!(!files.path(id, Part::Whole).exists());
        let kept = draft.keep().unwrap();

        assert_eq!((kept.size, kept.content_type), (13, "image/jpeg"));
        assert_eq!(std::fs::read(files.path(id, Part::Whole)).unwrap(), b"\xff\xd8\xff\xe0 and more");
    }

    #[test]
    fn what_is_not_kept_leaves_nothing_behind() {
        let data = tempfile::tempdir().unwrap();
        let files = MediaFiles::within(data.path());
        files.begin(MediaId::random(), Part::Whole).unwrap().write(b"some").unwrap();
        std::fs::write(data.path().join("media/crashed.part"), "half").unwrap();

        files.sweep_drafts().unwrap();

        assert_eq!(data.path().join("media").read_dir().unwrap().count(), 0);
    }
}
