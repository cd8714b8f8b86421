//! Private files and directories. A replaced file keeps its owner, group and mode; what root creates in the
//! directory of a service is given to the service, which could not use it otherwise.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, lchown};
use std::path::{Path, PathBuf};

/// The modes of created files and directories, whatever the umask.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;

/// The suffix of the temporary file that replaces another.
const TEMPORARY: &str = ".new";

/// The directory that `fsck` creates in the root of a volume.
const LOST_AND_FOUND: &str = "lost+found";

/// The identity of a file or directory, independent of its path: device and inode.
pub fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Creates a file, replacing any existing one. Does not follow links, which another user may have placed in the
/// directory.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => create_new(path),
    }
}

/// Opens a file as it is, or creates it.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        made => made,
    }
}

/// Creates a directory and its missing parents.
pub fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    create_directory(parent)?;
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        // Another thread created it first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => adopt(&fs::metadata(path)?, &fs::metadata(parent)?, |user, group| chown(path, user, group)),
    }
}

/// Creates a directory that only its owner may enter, or makes an existing one so.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    create_directory(path)?;
    if fs::metadata(path)?.mode() & PERMISSIONS != DIRECTORY_MODE {
        fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))?;
    }
    Ok(())
}

/// Restricts a file that was created by other means, such as a socket, to its owner, and gives it to the owner
/// of its directory.
pub fn restrict_to_owner(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    let directory = fs::metadata(parent_of(path))?;
    adopt(&fs::symlink_metadata(path)?, &directory, |user, group| lchown(path, user, group))
}

/// Replaces a file atomically and durably; the new file has the owner, group and mode of the old one. For a
/// link, the file that it points to is replaced.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = with_suffix(&path, TEMPORARY);
    let mut file = create(&temporary)?;
    let written = write(&mut file).and_then(|()| {
        if let Ok(old) = fs::metadata(&path) {
            copy_ownership(&file, &old)?;
        }
        file.sync_all()?;
        rename(&temporary, &path)
    });
    if written.is_err() {
        // The original error is returned; a leftover temporary file does no harm.
        fs::remove_file(&temporary).ok();
    }
    written
}

/// Renames a synced file, durably.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent_of(to)
}

/// Syncs the directory of a file, so that its name is durable.
pub fn sync_parent_of(path: &Path) -> io::Result<()> {
    File::open(parent_of(path))?.sync_all()
}

/// Gives a copy the owner and group of its original.
pub fn share_owner(copy: &File, original: &Path) -> io::Result<()> {
    adopt(&copy.metadata()?, &fs::metadata(original)?, |user, group| fchown(copy, user, group))
}

/// The path of a companion file with this suffix, as SQLite forms it: links are resolved first.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    with_suffix(&path.canonicalize().unwrap_or_else(|_| path.to_owned()), suffix)
}

/// Whether this is the `lost+found` directory of a volume.
pub fn is_lost_and_found(path: &Path) -> bool {
    path.is_dir() && path.file_name().is_some_and(|name| name == LOST_AND_FOUND)
}

/// Appends a suffix to a path, which need not be UTF-8.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
    let directory = fs::metadata(parent_of(path))?;
    adopt(&file.metadata()?, &directory, |user, group| fchown(&file, user, group))?;
    Ok(file)
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a created file the owner and group of `model`, if they differ and this process may.
fn adopt(
    made: &Metadata,
    model: &Metadata,
    give: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    if made.uid() == model.uid() {
        return Ok(());
    }
    permitted(give(Some(model.uid()), Some(model.gid())))
}

/// Gives a file the owner, group and mode of the one that it replaces.
fn copy_ownership(file: &File, old: &Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if made.uid() != old.uid() {
        permitted(fchown(file, Some(old.uid()), None))?;
    }
    if made.gid() != old.gid() {
        permitted(fchown(file, None, Some(old.gid())))?;
    }
    file.set_permissions(Permissions::from_mode(old.mode() & PERMISSIONS))
}

/// Ignores a lack of permission: only root may give a file away. For others it stays with the current user, who
/// can read it.
fn permitted(given: io::Result<()>) -> io::Result<()> {
    match given {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        given => given,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & PERMISSIONS
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_the_link_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("key"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();

        for mode_before in [0o600, 0o640, 0o400] {
            fs::set_permissions(&file, Permissions::from_mode(mode_before)).unwrap();
            replace(&link, |file| file.write_all(b"new")).unwrap();

            assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (b"new".as_slice(), mode_before));
            assert!(link.is_symlink());
        }
        let failed = replace(&file, |_| Err(ErrorKind::StorageFull.into()));
        assert!(failed.is_err());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(directory.path().read_dir().unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn created_files_are_private_and_follow_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let (outside, file) = (directory.path().join("outside"), directory.path().join("a/b/file"));
        fs::write(&outside, "precious").unwrap();
        create_directory(file.parent().unwrap()).unwrap();
        symlink(&outside, &file).unwrap();

        create(&file).unwrap().write_all(b"made").unwrap();
        open_or_create(&file).unwrap();

        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(fs::read(&file).unwrap(), b"made");
        assert_eq!((mode(&file), mode(&directory.path().join("a/b"))), (FILE_MODE, DIRECTORY_MODE));
    }
}
