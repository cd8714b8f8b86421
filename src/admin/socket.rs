//! The socket: where it is, who may open it, and how it comes and goes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::files;
use crate::store::backup::remains::RUN;

/// The socket within its folder.
const NAME: &str = "kaiwa.sock";

/// The longest path of a socket (`sun_path` of `sockaddr_un`, with its zero byte at the end).
const PATH_BYTES_MAX: usize = 108;

/// The socket of a running server. It goes when this is dropped.
pub struct Socket {
    path: PathBuf,
    identity: (u64, u64),
}

/// A path that is short enough, for as long as this is held.
struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

impl Socket {
    /// Makes it, in a folder that is closed to others before the socket is in it. One that is there already was left behind:
    /// only one process has the database.
    pub fn listen(data_directory: &Path) -> io::Result<(Self, UnixListener)> {
        let folder = data_directory.join(RUN);
        files::make_closed_folder(&folder)?;
        let path = folder.join(NAME);
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(&path)?;
        }
        let reach = SocketPath::of(&folder)?;
        let listener = UnixListener::bind(&reach.path)?;
        files::leave_to_owner(&path)?;
        Ok((Self { identity: identity(&path)?, path }, listener))
    }

    /// Whose it is.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(self.path.symlink_metadata()?.uid())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Where the data folder was exchanged, another server may be in it.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // The next start removes it too.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    Ok(files::identity(&path.symlink_metadata()?))
}

/// A connection to the server that has this data folder; none when no server runs on it.
pub fn connect(data_directory: &Path) -> io::Result<Option<UnixStream>> {
    let connected =
        SocketPath::of(&data_directory.join(RUN)).and_then(|reach| UnixStream::connect(&reach.path));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl SocketPath {
    /// A folder that lies too deep is reached through a descriptor of this process.
    fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        if path.as_os_str().len() < PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let opened = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(NAME);
        Ok(Self { path, _folder: Some(opened) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_open_it_and_it_goes_with_the_server() {
        let data = tempfile::tempdir().unwrap();
        std::fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(data.path().join(RUN)).unwrap();
        std::fs::write(data.path().join(RUN).join(NAME), "left behind").unwrap();

        let (socket, _listener) = Socket::listen(data.path()).unwrap();
        let modes = (mode(&data.path().join(RUN)), mode(&socket.path));
        let found = connect(data.path()).unwrap().is_some();
        drop(socket);

        assert_eq!((modes, found), ((0o700, 0o600), true));
        assert!(connect(data.path()).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_lies_deep_is_reached_too() {
        let data = tempfile::tempdir().unwrap();
        let deep = data.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();

        let (_socket, _listener) = Socket::listen(&deep).unwrap();

        assert!(connect(&deep).unwrap().is_some());
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_no_server() {
        let data = tempfile::tempdir().unwrap();
        let (socket, listener) = Socket::listen(data.path()).unwrap();
        drop(listener);

        assert!(connect(data.path()).unwrap().is_none());
        drop(socket);
    }
}
