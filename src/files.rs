//! Files for their owner alone. One that is replaced keeps its owner, group and mode; what root makes in the folder of a
//! service belongs to the service, which could not use it otherwise.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, lchown};
use std::path::{Path, PathBuf};

/// The modes of what is made, whatever the umask is.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// The part of a mode that says who may do what.
const PERMISSIONS: u32 = 0o7777;

/// What the name of a file ends with that takes the place of another.
const DRAFT: &str = ".new";

/// What a check of the file system leaves in the root of a volume; nothing of ours.
const LOST_AND_FOUND: &str = "lost+found";

/// What tells a file or folder from every other, by whatever path it is found: device and inode.
pub fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// A new file. One that had this name goes, and no link is followed: whoever owns the folder may have put it there.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => create_new(path),
    }
}

/// The file of this name, as it is; a new one where there is none.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        made => made,
    }
}

/// A folder with those that lead to it, where they are missing.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    make_folder(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        // Another thread was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => adopt(&fs::metadata(path)?, &fs::metadata(parent)?, |user, group| chown(path, user, group)),
    }
}

/// Makes a folder that nobody but its owner may enter, also where it is there already.
pub fn make_closed_folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    if fs::metadata(path)?.mode() & PERMISSIONS != FOLDER_MODE {
        fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))?;
    }
    Ok(())
}

/// Leaves what was made by other means, as a socket is, to its owner alone: the owner of its folder.
pub fn leave_to_owner(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    let folder = fs::metadata(folder_of(path))?;
    adopt(&fs::symlink_metadata(path)?, &folder, |user, group| lchown(path, user, group))
}

/// Writes a file anew: after a crash it is the old or the new one, and it has the owner, group and mode of the old one. The
/// file that a link leads to is replaced, not the link.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = with_ending(&path, DRAFT);
    let mut file = create(&draft)?;
    let written = write(&mut file).and_then(|()| {
        if let Ok(old) = fs::metadata(&path) {
            resemble(&file, &old)?;
        }
        file.sync_all()?;
        rename(&draft, &path)
    });
    if written.is_err() {
        // What went wrong is told; what is left of it is in nobody's way.
        fs::remove_file(&draft).ok();
    }
    written
}

/// Gives a file that is on disk its name, and makes that durable.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Makes the names in a file's folder durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Gives a copy the owner and group of the file that it is made of.
pub fn share_owner(copy: &File, original: &Path) -> io::Result<()> {
    adopt(&copy.metadata()?, &fs::metadata(original)?, |user, group| fchown(copy, user, group))
}

/// What has the name of this file with this ending, as SQLite sees it: beside the file that a link leads to.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    with_ending(&path.canonicalize().unwrap_or_else(|_| path.to_owned()), ending)
}

/// Whether this is what the file system itself has put into the root of a volume.
pub fn is_lost_and_found(path: &Path) -> bool {
    path.is_dir() && path.file_name().is_some_and(|name| name == LOST_AND_FOUND)
}

/// The path of a file with something behind its name, which need not be text.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(ending);
    path.into()
}

fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
    let folder = fs::metadata(folder_of(path))?;
    adopt(&file.metadata()?, &folder, |user, group| fchown(&file, user, group))?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives what was made the owner and group of `model`, if they are somebody else's and this process may.
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

/// Gives a file the owner, group and mode of the one whose place it takes.
fn resemble(file: &File, old: &Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if made.uid() != old.uid() {
        permitted(fchown(file, Some(old.uid()), None))?;
    }
    if made.gid() != old.gid() {
        permitted(fchown(file, None, Some(old.gid())))?;
    }
    file.set_permissions(Permissions::from_mode(old.mode() & PERMISSIONS))
}

/// Only root may give a file away. For anybody else it stays theirs, who can read it.
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
    fn a_file_that_is_replaced_keeps_its_mode_and_the_link_that_leads_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("key"), folder.path().join("link"));
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
        assert_eq!(folder.path().read_dir().unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_is_made_is_for_its_owner_alone_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, file) = (folder.path().join("outside"), folder.path().join("a/b/file"));
        fs::write(&outside, "precious").unwrap();
        make_folder(file.parent().unwrap()).unwrap();
        symlink(&outside, &file).unwrap();

        create(&file).unwrap().write_all(b"made").unwrap();
        open_or_create(&file).unwrap();

        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(fs::read(&file).unwrap(), b"made");
        assert_eq!((mode(&file), mode(&folder.path().join("a/b"))), (FILE_MODE, FOLDER_MODE));
    }
}
