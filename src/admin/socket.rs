//! The admin socket: its path, permissions and lifetime.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::files;
use crate::store::backup::remains::RUN;

/// The socket's file name.
const NAME: &str = "kaiwa.sock";

/// The longest path of a socket (`sun_path` of `sockaddr_un`, including the terminating zero byte).
const PATH_BYTES_MAX: usize = 108;

/// The socket of a running server. Dropping this removes it.
pub struct Socket {
    path: PathBuf,
    identity: (u64, u64),
}

/// A path that is short enough while this exists.
struct SocketPath {
    path: PathBuf,
    _directory: Option<File>,
}

impl Socket {
    /// Creates the socket, in a directory that is closed to others beforehand. An existing socket is stale,
    /// since only one process can have the database open, and is replaced.
    pub fn listen(data_directory: &Path) -> io::Result<(Self, UnixListener)> {
        let directory = data_directory.join(RUN);
        files::create_private_directory(&directory)?;
        let path = directory.join(NAME);
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(&path)?;
        }
        let short = SocketPath::of(&directory)?;
        let listener = UnixListener::bind(&short.path)?;
        files::restrict_to_owner(&path)?;
        Ok((Self { identity: identity(&path)?, path }, listener))
    }

    /// The user id of its owner.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(self.path.symlink_metadata()?.uid())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // If the data directory was replaced, the socket may belong to another server.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // The next start removes it too.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    Ok(files::identity(&path.symlink_metadata()?))
}

/// Connects to the server of this data directory; `None` when no server is running.
pub fn connect(data_directory: &Path) -> io::Result<Option<UnixStream>> {
    let connected =
        SocketPath::of(&data_directory.join(RUN)).and_then(|short| UnixStream::connect(&short.path));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl SocketPath {
    /// A directory with too long a path is reached through a file descriptor of this process.
    fn of(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        if path.as_os_str().len() < PATH_BYTES_MAX {
            return Ok(Self { path, _directory: None });
        }
        let opened = File::open(directory)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(NAME);
        Ok(Self { path, _directory: Some(opened) })
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
    fn only_the_owner_may_open_the_socket_and_it_is_removed_with_the_server() {
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
    fn a_directory_with_a_long_path_is_reachable() {
        let data = tempfile::tempdir().unwrap();
        let deep = data.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();

        let (_socket, _listener) = Socket::listen(&deep).unwrap();

        assert!(connect(&deep).unwrap().is_some());
    }

    #[test]
    fn a_socket_without_a_listener_is_not_a_running_server() {
        let data = tempfile::tempdir().unwrap();
        let (socket, listener) = Socket::listen(data.path()).unwrap();
        drop(listener);

        assert!(connect(data.path()).unwrap().is_none());
        drop(socket);
    }
}
