use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// An authority, and files of a server below it.
struct Pki {
    directory: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self {
            directory: tempfile::tempdir().unwrap(),
            authority,
        };
        pki.write_leaf("server");
        pki
    }

    /// Writes `NAME.crt` and `NAME.key`.
    fn write_leaf(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.write(&format!("{name}.crt"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("server.crt"),
            private_key: self.path("server.key"),
            client_ca: None,
        }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path("server.crt")).unwrap()
    }

    fn client(&self, alpn: &[&[u8]], identity: Option<&str>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let file = |extension: &str| self.path(&format!("{name}.{extension}"));
                let certificate = CertificateDer::from_pem_file(file("crt")).unwrap();
                let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

async fn server(tls: &Arc<Tls>, options: ServeOptions) -> Server {
    let listener = tcp_listener().await.with_tls(Some(Arc::clone(tls)));
    Server::start(listener, options, Arc::new(Notify::new()))
}

async fn connect(server: &Server, client: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    patiently(client.connect(name, server.connect().await)).await
}

fn shown(connection: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    connection.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn both_http_versions_are_negotiated() {
    let pki = Pki::new();
    let server = server(&Tls::load(pki.files()).unwrap(), ServeOptions::default()).await;
    let mut connection = connect(&server, &pki.client(&[b"http/1.1"], None)).await.unwrap();
    assert!(
        ask(&mut connection, "/t")
            .await
            .unwrap()
            .ends_with("127.0.0.1 /t HTTP/1.1")
    );
    let connection = connect(&server, &pki.client(&[b"h2", b"http/1.1"], None))
        .await
        .unwrap();
    assert_eq!(connection.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    server.stop().await;
}

#[tokio::test]
async fn changed_files_are_taken_and_bad_ones_are_not() {
    let pki = Pki::new();
    let tls = Tls::load(pki.files()).unwrap();
    let server = server(&tls, ServeOptions::default()).await;
    let client = pki.client(&[], None);
    let mut old = connect(&server, &client).await.unwrap();
    let first = pki.certificate();
    assert_eq!(shown(&old), first);
    assert!(!tls.reload().unwrap());

    // A new certificate beside the old key: half of a replacement.
    let old_key = std::fs::read_to_string(pki.path("server.key")).unwrap();
    pki.write_leaf("server");
    let new_key = std::fs::read_to_string(pki.path("server.key")).unwrap();
    pki.write("server.key", &old_key);
    assert!(matches!(tls.reload(), Err(TlsError::Unusable { .. })));
    assert!(!tls.reload().unwrap(), "the same bad files are an error once");
    assert_eq!(shown(&connect(&server, &client).await.unwrap()), first);

    pki.write("server.key", &new_key);
    assert!(tls.reload().unwrap());
    let second = pki.certificate();
    assert_ne!(second, first);
    assert_eq!(shown(&connect(&server, &client).await.unwrap()), second);
    assert!(ask(&mut old, "/still").await.unwrap().contains("/still"));

    for bad in [
        "",
        "no PEM at all",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        pki.write("server.crt", bad);
        assert!(tls.reload().is_err(), "{bad}");
    }
    std::fs::remove_file(pki.path("server.crt")).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unreadable { .. })));
    assert_eq!(shown(&connect(&server, &client).await.unwrap()), second);
}

#[tokio::test]
async fn files_are_watched() {
    let pki = Pki::new();
    let tls = Tls::load(pki.files()).unwrap();
    let server = server(&tls, ServeOptions::default()).await;
    let stop = CancellationToken::new();
    let watching = tokio::spawn(Arc::clone(&tls).watch(Duration::from_millis(5), stop.clone()));
    pki.write_leaf("server");
    let (client, expected) = (pki.client(&[], None), pki.certificate());
    patiently(async { while shown(&connect(&server, &client).await.unwrap()) != expected {} }).await;
    stop.cancel();
    patiently(watching).await.unwrap();
}

/// Attack: a client without a certificate, or with one of an authority that is not trusted
/// Source: RFC 8446 section 4.4.2, CWE-295
/// Result: the handshake fails
#[tokio::test]
async fn clients_must_show_a_certificate_if_authorities_are_given() {
    let pki = Pki::new();
    pki.write("ca.crt", &pki.authority.pem());
    pki.write_leaf("client");
    let files = TlsFiles {
        client_ca: Some(pki.path("ca.crt")),
        ..pki.files()
    };
    let server = server(&Tls::load(files).unwrap(), ServeOptions::default()).await;
    let mut known = connect(&server, &pki.client(&[], Some("client"))).await.unwrap();
    assert!(ask(&mut known, "/m").await.unwrap().contains("/m"));

    // In TLS 1.3 a client learns of its refusal only when it reads.
    let stranger = Pki::new();
    std::fs::copy(stranger.path("server.crt"), pki.path("stranger.crt")).unwrap();
    std::fs::copy(stranger.path("server.key"), pki.path("stranger.key")).unwrap();
    for identity in [None, Some("stranger")] {
        let refused = match connect(&server, &pki.client(&[], identity)).await {
            Ok(mut connection) => ask(&mut connection, "/m").await.err(),
            Err(error) => Some(error),
        };
        assert!(refused.is_some(), "{identity:?}");
    }
}

/// Attack: a TLS handshake that does not come
/// Source: CWE-400
/// Result: the connection is closed when its time is up
#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let pki = Pki::new();
    let options = ServeOptions {
        tls_handshake_timeout: Duration::from_millis(50),
        ..ServeOptions::default()
    };
    let server = server(&Tls::load(pki.files()).unwrap(), options).await;
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, b"");
    let mut in_the_clear = server.connect().await;
    in_the_clear.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    rest(&mut in_the_clear).await;
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.count(End::Handshake), 2);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let pki = Pki::new();
    let missing = TlsFiles {
        private_key: Path::new("/nowhere/at/all").to_owned(),
        ..pki.files()
    };
    assert!(
        Tls::load(missing)
            .unwrap_err()
            .to_string()
            .starts_with("cannot read /nowhere/at/all")
    );
    pki.write("server.key", "nothing");
    let error = Tls::load(pki.files()).unwrap_err().to_string();
    assert!(
        error.contains("server.key: a private key is expected in PEM"),
        "{error}"
    );
}
