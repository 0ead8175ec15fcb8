//! TLS by rustls on ring, with files that may change under it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::server::{ServerConfig, VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::limits::PEM_BYTES_MAX;

/// How often the files are looked at. They are compared whole, so any way of replacing them is noticed.
pub const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// The name of HTTP/2 in ALPN (RFC 9113 section 3.2).
pub(super) const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// The files that TLS needs, all of them PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC1.
    pub private_key: PathBuf,
    /// If given, a client must show a certificate that one of these authorities signed.
    pub client_ca: Option<PathBuf>,
}

/// TLS files that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than such files are.
    #[error("{} is larger than {PEM_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file does not have what it should, in PEM.
    #[error("{}: {what} is expected in PEM: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should have.
        what: &'static str,
        /// Why it was not found.
        source: pem::Error,
    },
    /// The certificate and the key do not make a pair, or are of a kind that is not supported.
    #[error("{} and the private key cannot be used: {source}", certificate.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authorities cannot be used.
    #[error("{}: cannot be used to check clients: {source}", client_ca.display())]
    ClientCa {
        /// The file of the authorities.
        client_ca: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

/// The TLS configuration in force; new connections get the newest one.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    /// What was last read, good or bad, so that the same bad files are not complained of twice.
    last_read: Mutex<Contents>,
}

#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    private_key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if one of them cannot be read or used.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let contents = Contents::read(&files)?;
        let current = ArcSwap::from_pointee(contents.config(&files)?);
        Ok(Arc::new(Self {
            files,
            current,
            last_read: Mutex::new(contents),
        }))
    }

    /// Reads the files again if they have changed; `true` if new ones are in force. They are taken together or not
    /// at all.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if one of them cannot be read or used; what was in force stays so. The same bad contents are an
    /// error only the first time.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&self.files)?;
        {
            let mut last_read = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
            if *last_read == contents {
                return Ok(false);
            }
            last_read.clone_from(&contents);
        }
        self.current.store(Arc::new(contents.config(&self.files)?));
        Ok(true)
    }

    /// Looks at the files every so often, until `stop` is cancelled, and logs what comes of it.
    pub async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut unreadable = false;
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let this = Arc::clone(&self);
            let Ok(result) = tokio::task::spawn_blocking(move || this.reload()).await else {
                continue;
            };
            let certificate = self.files.certificate.display();
            match result {
                Ok(false) => {}
                Ok(true) => tracing::info!(%certificate, "new TLS files are in force"),
                // A file that stays away would be reported every time.
                Err(TlsError::Unreadable { .. } | TlsError::TooLarge { .. }) if unreadable => continue,
                Err(error) => {
                    unreadable = matches!(error, TlsError::Unreadable { .. } | TlsError::TooLarge { .. });
                    tracing::error!(%error, "changed TLS files cannot be used: the old ones stay in force");
                    continue;
                }
            }
            unreadable = false;
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            private_key: read(&files.private_key)?.into(),
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate, &files.certificate)?;
        let key = private_key(&self.private_key, &files.private_key)?;
        let unusable = |source| TlsError::Unusable {
            certificate: files.certificate.clone(),
            source,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unusable)?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(pem), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, path)? {
                    roots.add(authority).map_err(unusable)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|source| TlsError::ClientCa {
                        client_ca: path.clone(),
                        source,
                    })?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP_1_1.to_vec()];
        // Resumption without a memory of every session; the tickets end with these files.
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(unusable)?;
        Ok(config)
    }
}

/// The certificates of a file, at least one.
pub(crate) fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::Pem {
        path: path.to_owned(),
        what: "a certificate",
        source,
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if chain.is_empty() {
        Err(wrong(pem::Error::NoItemsFound))
    } else {
        Ok(chain)
    }
}

/// The private key of a file.
pub(crate) fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|source| TlsError::Pem {
        path: path.to_owned(),
        what: "a private key",
        source,
    })
}

/// What a PEM file holds.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut contents = Vec::new();
    let mut bounded = File::open(path).map_err(unreadable)?.take(PEM_BYTES_MAX + 1);
    bounded.read_to_end(&mut contents).map_err(unreadable)?;
    if bounded.limit() == 0 {
        return Err(TlsError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(contents)
}
