//! Sockets that are listened on.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockFilter;
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use super::transport::{Detached, Transport};
use super::{Peer, Tls};
use crate::config::ListenAddress;
use crate::limits;

/// Who may connect to a Unix socket: its owner and its group. Whoever can is believed to be a proxy.
pub const UNIX_SOCKET_MODE: u32 = 0o660;

/// A silent TCP peer is asked whether it is still there after this time, so that dead ones do not stay.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);

/// A socket that is ready to accept connections, with or without TLS.
#[derive(Debug)]
pub struct Listener {
    socket: ListenSocket,
    address: BoundAddress,
    tls: Option<Arc<Tls>>,
}

#[derive(Debug)]
enum ListenSocket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        file: SocketFile,
    },
}

/// Where a listener really is: with the port that the system chose, if it was to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host is no address and no name that resolves to one.
    #[error("cannot listen on {address}: the host does not resolve: {source}")]
    Resolve {
        /// As it was given.
        address: ListenAddress,
        /// Why.
        source: io::Error,
    },
    /// The system refuses: the port is taken, or may not be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As it was given.
        address: ListenAddress,
        /// Why.
        source: io::Error,
    },
    /// Something else than a socket is at the path of a Unix socket.
    #[error("cannot listen on {address}: there is something else than a socket at that path")]
    NotASocket {
        /// As it was given.
        address: ListenAddress,
    },
    /// Another process listens on the Unix socket.
    #[error("cannot listen on {address}: another process listens there")]
    InUse {
        /// As it was given.
        address: ListenAddress,
    },
}

impl Listener {
    /// Listens on an address. A Unix socket gets the mode `unix_mode` before anybody can connect; a socket file that
    /// a dead process left there is replaced. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ListenError`] if the host does not resolve, or the address cannot be had.
    pub async fn bind(address: &ListenAddress, unix_mode: u32) -> Result<Self, ListenError> {
        let refused = |source| ListenError::Bind {
            address: address.clone(),
            source,
        };
        match address {
            ListenAddress::Unix(path) => {
                remove_stale(path, address)?;
                let (listener, file) = bind_unix(path, unix_mode).map_err(refused)?;
                Ok(Self {
                    socket: ListenSocket::Unix { listener, file },
                    address: BoundAddress::Unix(path.clone()),
                    tls: None,
                })
            }
            ListenAddress::Tcp { host, port } => {
                let resolved = tokio::net::lookup_host((host.as_str(), *port))
                    .await
                    .map_err(|source| ListenError::Resolve {
                        address: address.clone(),
                        source,
                    })?;
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                for candidate in resolved {
                    match bind_tcp(candidate).and_then(|listener| Ok((listener.local_addr()?, listener))) {
                        Ok((bound, listener)) => {
                            let socket = ListenSocket::Tcp(listener);
                            return Ok(Self {
                                socket,
                                address: BoundAddress::Tcp(bound),
                                tls: None,
                            });
                        }
                        Err(error) => last = error,
                    }
                }
                Err(refused(last))
            }
        }
    }

    /// Asks for TLS on this listener. Unix sockets go without: nobody can listen in on them.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Arc<Tls>>) -> Self {
        if let ListenSocket::Tcp(_) = self.socket {
            self.tls = tls;
        }
        self
    }

    /// Where it listens.
    pub const fn address(&self) -> &BoundAddress {
        &self.address
    }

    pub(super) const fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    pub(super) async fn accept(&self) -> io::Result<(Transport, Peer)> {
        match &self.socket {
            ListenSocket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                tune(&SockRef::from(&stream));
                Ok((Transport::Tcp(stream), Peer::Tcp(address)))
            }
            ListenSocket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Transport::Unix(stream), Peer::Unix))
            }
        }
    }

    /// Lets nobody in any more. Those whom the kernel let in before may have sent a request already: they are left to accept,
    /// and would be reset with the socket.
    pub(super) fn close(self) -> io::Result<Waiting> {
        match self.socket {
            ListenSocket::Tcp(listener) => {
                let listener = listener.into_std()?;
                refuse_newcomers(&listener);
                Ok(Waiting::Tcp(listener))
            }
            ListenSocket::Unix { listener, file } => {
                // Without its file nobody finds it.
                drop(file);
                listener.into_std().map(Waiting::Unix)
            }
        }
    }
}

/// The connections that the kernel had made before it was told to make no more.
#[derive(Debug)]
pub(super) enum Waiting {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Waiting {
    fn accept(&self) -> io::Result<(Transport, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                tune(&SockRef::from(&stream));
                stream.set_nonblocking(true)?;
                Ok((Detached::Tcp(stream).attach()?, Peer::Tcp(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok((Detached::Unix(stream).attach()?, Peer::Unix))
            }
        }
    }
}

impl Iterator for Waiting {
    type Item = io::Result<(Transport, Peer)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            accepted => Some(accepted),
        }
    }
}

/// Neither is worth refusing a connection for.
fn tune(stream: &SockRef<'_>) {
    let _ = stream.set_tcp_nodelay(true);
    let _ = stream.set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE));
}

/// Has the kernel drop what asks for a connection (a SYN without an ACK), and nothing else. Whoever asked does so again, by
/// when the socket is closed and says so. Where it cannot be had, a connection between the last accepted and the close is lost.
#[cfg(target_os = "linux")]
fn refuse_newcomers(listener: &std::net::TcpListener) {
    // A socket's filter sees the segment from its header on (Linux, networking/filter.rst); bits as in bpf_common.h.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS_AT: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_AT),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    let _ = SockRef::from(listener).attach_filter(&filter);
}

#[cfg(not(target_os = "linux"))]
const fn refuse_newcomers(_: &std::net::TcpListener) {}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of the process before that linger must not keep its successor from starting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    // Before `listen`, when a connection would still be refused.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    let listener: std::os::unix::net::UnixListener = socket.into();
    Ok((UnixListener::from_std(listener)?, file))
}

/// Removes a socket file on which nobody listens any more.
fn remove_stale(path: &Path, address: &ListenAddress) -> Result<(), ListenError> {
    let refused = |source| ListenError::Bind {
        address: address.clone(),
        source,
    };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(ListenError::NotASocket {
            address: address.clone(),
        }),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(refused)
            }
            Err(error) => Err(refused(error)),
            Ok(_) => Err(ListenError::InUse {
                address: address.clone(),
            }),
        },
    }
}

/// The file of a Unix socket of ours, removed with it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own socket there already.
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
