//! Root works in a service's folder: replaced files keep their owner, and new ones belong to the service.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::command::program::{Serving, kaiwa, succeed};

/// An arbitrary unprivileged user id.
const SERVICE: u32 = 65_534;

/// A folder owned by a service; `None` when this process is not root and cannot change owners.
fn folder_of_service() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(SERVICE), Some(SERVICE)).ok().map(|()| folder)
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let inner = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    inner
        .flat_map(|path| if path.is_dir() { everything(&path) } else { Vec::new() }.into_iter().chain([path]))
        .collect()
}

#[track_caller]
fn check_all_of_the_service(folder: &Path) {
    for path in everything(folder) {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (SERVICE, SERVICE), "{}", path.display());
    }
}

#[test]
fn files_that_root_creates_in_the_folder_of_a_service_belong_to_the_service() {
    let Some(folder) = folder_of_service() else { return };
    let steps: [&[&str]; 6] = [
        &["migrate"],
        &["customer", "add", "--name", "a"],
        &["backup", "backups/monday.tar"],
        &["restore", "backups/monday.tar", "--data", "restored"],
        &["secrets", "rotate"],
        &["verify", "kaiwa-data"],
    ];

    for step in steps {
        succeed(folder.path(), step);
        check_all_of_the_service(folder.path());
    }
    let mut serve = kaiwa(folder.path(), &["serve"]);
    serve.env("KAIWA_BACKUP__DIRECTORY", folder.path().join("made"));
    let serving = Serving::start(serve);
    check_all_of_the_service(folder.path());
    drop(serving);
    check_all_of_the_service(folder.path());
}

#[test]
fn a_rotated_key_file_keeps_its_owner_group_and_mode() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["migrate"]);
    let key = folder.path().join("kaiwa-data/secret.key");
    let is_root = chown(&key, Some(SERVICE), Some(SERVICE)).is_ok();
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let (text, before) = (fs::read(&key).unwrap(), fs::metadata(&key).unwrap());

    succeed(folder.path(), &["secrets", "rotate"]);

    let after = fs::metadata(&key).unwrap();
    assert_ne!(fs::read(&key).unwrap(), text);
    assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
    assert_eq!(is_root, after.uid() == SERVICE);
}
