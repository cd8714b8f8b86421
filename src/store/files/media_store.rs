//! The media store: a folder of files, each of which gets its final name only when it is completely on disk.
//!
//! Files are named by their ids only, never by a name from outside. All functions block on the disk.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::error::{Error, Result};
use crate::files;
use crate::model::files::content::{HEAD_BYTES, sniff};
use crate::model::id::MediaId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::failure;

/// The name of the folder in the data directory.
pub const NAME: &str = "media";

/// Extension of a preview.
const PREVIEW: &str = ".preview";

/// Extension of a partially written file.
const PART: &str = ".part";

/// The media store. Clones are handles to the same folder.
#[derive(Debug, Clone)]
pub struct MediaStore {
    path: PathBuf,
}

/// The files of one media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The file itself.
    Whole,
    /// Its preview.
    Preview,
}

/// A partially written file. It is removed if it is dropped before [`PartialFile::finish`].
pub struct PartialFile {
    file: File,
    folder: MediaStore,
    name: String,
    size: u64,
    head: Vec<u8>,
    digest: Context,
    is_finished: bool,
}

/// A file that is completely on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompleteFile {
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// The content type, found in the first bytes.
    pub content_type: &'static str,
}

impl Variant {
    /// The name of this file of a media.
    pub fn file_name(self, id: MediaId) -> String {
        match self {
            Self::Whole => id.to_string(),
            Self::Preview => format!("{id}{PREVIEW}"),
        }
    }
}

impl MediaStore {
    /// The media store of a data directory. The folder is created if there is none.
    pub fn open(data_directory: &Path) -> Result<Self> {
        let path = data_directory.join(NAME);
        files::create_directory(&path).map_err(|error| {
            Error::Unusable(format!("cannot make the media folder {}: {error}", path.display()))
        })?;
        Ok(Self { path })
    }

    /// The same for reading only: nothing is created.
    pub fn at(data_directory: &Path) -> Self {
        Self { path: data_directory.join(NAME) }
    }

    /// The path of the folder.
    pub fn location(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is empty or missing.
    pub fn has_nothing(&self) -> Result<bool> {
        match self.entries() {
            Ok(entries) => Ok(entries.iter().all(|path| files::is_lost_and_found(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(failure::on_disk("read", &self.path, &error)),
        }
    }

    /// Reports that files are missing. `Unusable` when the folder itself is missing: it may be elsewhere, and new files would not
    /// be stored there.
    pub fn miss(&self) -> Result<()> {
        let path = self.path.display();
        if self.path.exists() {
            log::error!("media: {path} is empty, and the database lists files in it: is a disk not mounted?");
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "there is no folder {path}, and the database lists files in it. Is a disk not mounted, or was the folder moved? Put \
             it back, or make an empty one to go on without the files"
        )))
    }

    /// Begins a file. The partial file of an earlier attempt is overwritten.
    pub fn begin(&self, id: MediaId, kind: Variant) -> io::Result<PartialFile> {
        let name = kind.file_name(id);
        let path = self.path.join(format!("{name}{PART}"));
        let file = files::create(&path)?;
        let (head, digest) = (Vec::with_capacity(HEAD_BYTES), Context::new(&SHA256));
        Ok(PartialFile { file, folder: self.clone(), name, size: 0, head, digest, is_finished: false })
    }

    /// The path of a complete file.
    pub fn path(&self, id: MediaId, kind: Variant) -> PathBuf {
        self.path.join(kind.file_name(id))
    }

    /// Opens a complete file for reading.
    pub fn read(&self, id: MediaId, kind: Variant) -> io::Result<File> {
        File::open(self.path(id, kind))
    }

    /// Removes the file, its preview, and partial files of both.
    pub fn remove(&self, id: MediaId) -> io::Result<()> {
        for kind in [Variant::Whole, Variant::Preview] {
            let name = kind.file_name(id);
            remove_if_any(&self.path.join(format!("{name}{PART}")))?;
            remove_if_any(&self.path.join(&name))?;
        }
        self.sync()
    }

    /// Removes partial files that a previous process left. To be called before anything is written.
    pub fn remove_partial_files(&self) -> Result<()> {
        for path in self.entries().map_err(Error::internal)? {
            if path.extension().is_some_and(|ending| ending == PART.trim_start_matches('.')) {
                remove_if_any(&path).map_err(Error::internal)?;
            }
        }
        Ok(())
    }

    /// The ids of all files that were last written before this time.
    pub fn older_than(&self, time: Timestamp) -> io::Result<Vec<MediaId>> {
        let mut ids: Vec<MediaId> = Vec::new();
        for path in self.entries()? {
            // A name that is not UTF-8 is not one of ours.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let id = name.split('.').next().and_then(|id| id.parse::<MediaId>().ok());
            // Another thread may have removed it in the meantime.
            let is_old = path.metadata().is_ok_and(|file| file.mtime() < time.as_seconds());
            ids.extend(id.filter(|_| is_old));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn entries(&self) -> io::Result<Vec<PathBuf>> {
        self.path.read_dir()?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Syncs the folder, since syncing a file does not make its name durable.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl PartialFile {
    /// Appends bytes. Fails if the file was removed in the meantime, because it is no longer needed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed"));
        }
        self.file.write_all(bytes)?;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.digest.update(bytes);
        self.size += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(())
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The content type, found in the bytes written so far.
    pub fn content_type(&self) -> &'static str {
        sniff(&self.head)
    }

    /// Syncs the file and gives it its final name.
    pub fn finish(mut self) -> io::Result<CompleteFile> {
        self.file.sync_all()?;
        std::fs::rename(self.part(), self.folder.path.join(&self.name))?;
        self.is_finished = true;
        self.folder.sync()?;
        let digest = self.digest.clone().finish();
        let sha256 = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(CompleteFile { size: self.size, sha256, content_type: self.content_type() })
    }

    fn part(&self) -> PathBuf {
        self.folder.path.join(format!("{}{PART}", self.name))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = remove_if_any(&self.part())
        {
            log::warn!("media: a partial file could not be removed: {error}");
        }
    }
}

/// Removes a file if it exists.
pub(in crate::store) fn remove_if_any(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &MediaStore) -> Vec<String> {
        let names = folder.entries().unwrap().into_iter();
        let mut names: Vec<_> =
            names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_only_when_it_is_complete() {
        let data = tempfile::tempdir().unwrap();
        let (folder, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        let mut partial = folder.begin(id, Variant::Whole).unwrap();

        partial.write(b"GIF89a").unwrap();
        partial.write(&[7; 1_000]).unwrap();

        assert!(folder.read(id, Variant::Whole).is_err());
        assert_eq!(names(&folder), [format!("{id}.part")]);
        let kept = partial.finish().unwrap();
        assert_eq!((kept.size, kept.content_type), (1_006, "image/gif"));
        assert_eq!(names(&folder), [id.to_string()]);
        assert_eq!(folder.read(id, Variant::Whole).unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_removed_while_it_is_written_accepts_no_bytes_and_gets_no_name() {
        let data = tempfile::tempdir().unwrap();
        let (folder, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        let mut partial = folder.begin(id, Variant::Whole).unwrap();
        partial.write(b"some").unwrap();

        folder.remove(id).unwrap();

        assert!(partial.write(b"more").is_err());
        assert!(partial.finish().is_err());
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn partial_files_are_removed_and_complete_ones_stay() {
        let data = tempfile::tempdir().unwrap();
        let (folder, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        folder.begin(id, Variant::Whole).unwrap().finish().unwrap();
        folder.begin(id, Variant::Preview).unwrap().finish().unwrap();
        drop(folder.begin(MediaId::random(), Variant::Whole).unwrap());
        std::fs::write(data.path().join("media/crashed.part"), "half").unwrap();

        folder.remove_partial_files().unwrap();

        assert_eq!(names(&folder), [id.to_string(), format!("{id}.preview")]);
        assert_eq!(folder.older_than(Timestamp::NEVER).unwrap(), [id]);
        assert_eq!(folder.older_than(Timestamp::from_microseconds(0)).unwrap(), []);
    }
}
