//! The folder of media files. A file is written under a temporary name and gets its own only once all of it is on disk.
//!
//! Files are named by their id and never by user input. Everything here blocks on the disk.

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

/// Name of the folder in the data directory.
pub const NAME: &str = "media";

/// Extension of a preview.
const PREVIEW: &str = ".preview";

/// Extension of a partially written file.
const PART: &str = ".part";

/// The folder of media files. Clones refer to the same folder.
#[derive(Debug, Clone)]
pub struct MediaStore {
    path: PathBuf,
}

/// The files of one media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The file itself.
    Whole,
    /// A small image of it.
    Preview,
}

/// A file that is being written. It is removed if dropped before [`PartialFile::finish`].
pub struct PartialFile {
    file: File,
    media_store: MediaStore,
    name: String,
    size: u64,
    head: Vec<u8>,
    digest: Context,
    is_finished: bool,
}

/// A complete file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompleteFile {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Content type detected from the first bytes.
    pub content_type: &'static str,
}

impl Variant {
    /// File name of this variant of a media.
    pub fn file_name(self, id: MediaId) -> String {
        match self {
            Self::Whole => id.to_string(),
            Self::Preview => format!("{id}{PREVIEW}"),
        }
    }
}

impl MediaStore {
    /// Opens the media store in a data directory, and creates the folder if it does not exist.
    pub fn open(data_directory: &Path) -> Result<Self> {
        let path = data_directory.join(NAME);
        files::create_directory(&path).map_err(|error| {
            Error::Unusable(format!("cannot create the media folder {}: {error}", path.display()))
        })?;
        Ok(Self { path })
    }

    /// The same for reading only: creates nothing.
    pub fn at(data_directory: &Path) -> Self {
        Self { path: data_directory.join(NAME) }
    }

    /// Path of the folder.
    pub fn location(&self) -> &Path {
        &self.path
    }

    /// Whether there is no file here: the folder is empty or missing.
    pub fn has_nothing(&self) -> Result<bool> {
        match self.entries() {
            Ok(entries) => Ok(entries.iter().all(|path| files::is_lost_and_found(path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(failure::on_disk("read", &self.path, &error)),
        }
    }

    /// Reports missing files. `Unusable` when the folder itself is missing: then it is somewhere else, and new files must not go
    /// into a fresh one.
    pub fn miss(&self) -> Result<()> {
        let path = self.path.display();
        if self.path.exists() {
            log::error!("media: {path} is empty, and the database lists files in it: is a disk not mounted?");
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "there is no folder {path}, and the database lists files in it. Is a disk not mounted, or was the folder moved? Restore \
             it, or create an empty one to continue without the files"
        )))
    }

    /// Starts writing a file. The remains of an earlier attempt are overwritten.
    pub fn begin(&self, id: MediaId, kind: Variant) -> io::Result<PartialFile> {
        let name = kind.file_name(id);
        let path = self.path.join(format!("{name}{PART}"));
        let file = files::create(&path)?;
        let (head, digest) = (Vec::with_capacity(HEAD_BYTES), Context::new(&SHA256));
        Ok(PartialFile { file, media_store: self.clone(), name, size: 0, head, digest, is_finished: false })
    }

    /// Path of a complete file.
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

    /// Removes the partial files of an earlier process. Must be called before anything is written.
    pub fn remove_partial_files(&self) -> Result<()> {
        for path in self.entries().map_err(Error::internal)? {
            if path.extension().is_some_and(|ending| ending == PART.trim_start_matches('.')) {
                remove_if_any(&path).map_err(Error::internal)?;
            }
        }
        Ok(())
    }

    /// Ids of all files last modified before this time.
    pub fn older_than(&self, time: Timestamp) -> io::Result<Vec<MediaId>> {
        let mut ids: Vec<MediaId> = Vec::new();
        for path in self.entries()? {
            // A name that is not valid UTF-8 is not one of ours.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let id = name.split('.').next().and_then(|id| id.parse::<MediaId>().ok());
            // Another thread may have removed the file in the meantime.
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

    /// Makes names durable: syncing a file does not sync the folder that lists it.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl PartialFile {
    /// Appends bytes. Fails when the file was removed in the meantime because it is no longer wanted.
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

    /// Number of bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Content type detected from the bytes so far.
    pub fn content_type(&self) -> &'static str {
        sniff(&self.head)
    }

    /// Syncs the file and gives it its final name.
    pub fn finish(mut self) -> io::Result<CompleteFile> {
        self.file.sync_all()?;
        std::fs::rename(self.part(), self.media_store.path.join(&self.name))?;
        self.is_finished = true;
        self.media_store.sync()?;
        let digest = self.digest.clone().finish();
        let sha256 = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(CompleteFile { size: self.size, sha256, content_type: self.content_type() })
    }

    fn part(&self) -> PathBuf {
        self.media_store.path.join(format!("{}{PART}", self.name))
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

/// Removes a file. Succeeds if there is none.
pub(in crate::store) fn remove_if_any(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(media_store: &MediaStore) -> Vec<String> {
        let names = media_store.entries().unwrap().into_iter();
        let mut names: Vec<_> =
            names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_only_when_it_is_complete() {
        let data = tempfile::tempdir().unwrap();
        let (media_store, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        let mut partial = media_store.begin(id, Variant::Whole).unwrap();

        partial.write(b"GIF89a").unwrap();
        partial.write(&[7; 1_000]).unwrap();

        assert!(media_store.read(id, Variant::Whole).is_err());
        assert_eq!(names(&media_store), [format!("{id}.part")]);
        let complete = partial.finish().unwrap();
        assert_eq!((complete.size, complete.content_type), (1_006, "image/gif"));
        assert_eq!(names(&media_store), [id.to_string()]);
        assert_eq!(media_store.read(id, Variant::Whole).unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_removed_while_it_is_written_accepts_no_bytes_and_gets_no_name() {
        let data = tempfile::tempdir().unwrap();
        let (media_store, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        let mut partial = media_store.begin(id, Variant::Whole).unwrap();
        partial.write(b"some").unwrap();

        media_store.remove(id).unwrap();

        assert!(partial.write(b"more").is_err());
        assert!(partial.finish().is_err());
        assert_eq!(names(&media_store), [""; 0]);
    }

    #[test]
    fn partial_files_are_removed_and_complete_ones_stay() {
        let data = tempfile::tempdir().unwrap();
        let (media_store, id) = (MediaStore::open(data.path()).unwrap(), MediaId::random());
        media_store.begin(id, Variant::Whole).unwrap().finish().unwrap();
        media_store.begin(id, Variant::Preview).unwrap().finish().unwrap();
        drop(media_store.begin(MediaId::random(), Variant::Whole).unwrap());
        std::fs::write(data.path().join("media/crashed.part"), "half").unwrap();

        media_store.remove_partial_files().unwrap();

        assert_eq!(names(&media_store), [id.to_string(), format!("{id}.preview")]);
        assert_eq!(media_store.older_than(Timestamp::NEVER).unwrap(), [id]);
        assert_eq!(media_store.older_than(Timestamp::from_microseconds(0)).unwrap(), []);
    }
}
